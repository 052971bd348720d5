// Kafka's 32-bit MurmurHash2 (Austin Appleby, public domain): which partition a key goes to.
// src/records/partitioner.ts is the same in TypeScript. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

inline uint32_t Murmur2(const uint8_t* p, size_t length) {
  constexpr uint32_t kMultiplier = 0x5BD1E995;
  uint32_t h = 0x9747B28C ^ static_cast<uint32_t>(length);
  const uint8_t* const whole_end = p + (length & ~size_t{3});
  for (; p != whole_end; p += 4) {
    uint32_t k = static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 |
                 static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[3]) << 24;
    k *= kMultiplier;
    k ^= k >> 24;
    h = h * kMultiplier ^ k * kMultiplier;
  }
  switch (length & 3) {
    case 3:
      h ^= static_cast<uint32_t>(p[2]) << 16;
      [[fallthrough]];
    case 2:
      h ^= static_cast<uint32_t>(p[1]) << 8;
      [[fallthrough]];
    case 1:
      h = (h ^ p[0]) * kMultiplier;
  }
  h ^= h >> 13;
  h *= kMultiplier;
  return h ^ h >> 15;
}

inline int32_t PartitionOfKey(const uint8_t* key, size_t length, int32_t partitions) {
  return static_cast<int32_t>(Murmur2(key, length) & 0x7FFFFFFF) % partitions;
}

}  // namespace lograft
