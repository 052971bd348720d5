// Writes the zigzag varints that varint.h reads. The caller has room for kVarintBytesMax.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

constexpr size_t kVarintBytesMax = 10;

inline uint64_t Zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

inline size_t VarintBytes(int64_t value) {
  size_t count = 1;
  for (uint64_t rest = Zigzag(value); rest >= 0x80; rest >>= 7) count++;
  return count;
}

// Returns where it ends.
inline uint8_t* WriteVarint(uint8_t* into, int64_t value) {
  uint64_t rest = Zigzag(value);
  while (rest >= 0x80) {
    *into++ = static_cast<uint8_t>(rest | 0x80);
    rest >>= 7;
  }
  *into++ = static_cast<uint8_t>(rest);
  return into;
}

}  // namespace lograft
