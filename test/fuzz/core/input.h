// The bytes of one fuzz input, taken from the front; when they are used up everything reads as 0,
// so every input means something. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace lograft::fuzz {

class Input {
 public:
  Input(const uint8_t* bytes, size_t size) : at_(bytes), end_(bytes + size) {}

  bool IsAtEnd() const { return at_ == end_; }
  const uint8_t* data() const { return at_; }
  size_t size() const { return static_cast<size_t>(end_ - at_); }

  uint8_t U8() { return at_ == end_ ? 0 : *at_++; }
  uint16_t U16() {
    const uint16_t high = U8();
    return static_cast<uint16_t>(high << 8 | U8());
  }
  uint32_t U32() {
    const uint32_t high = U16();
    return high << 16 | U16();
  }
  uint64_t U64() {
    const uint64_t high = U32();
    return high << 32 | U32();
  }

  // Steps over at most `count` bytes and returns how many there were.
  size_t Skip(size_t count) {
    const size_t part = std::min(count, size());
    at_ += part;
    return part;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

constexpr size_t kPatternBytes = 128 * 1024;

// Bytes in which neighbours differ and no short period repeats; made once, because most of what a
// target is fed needs content that is known, not content that was searched for.
inline const uint8_t* Pattern() {
  static const auto bytes = [] {
    static uint8_t made[kPatternBytes];
    for (size_t at = 0; at < kPatternBytes; at++) {
      made[at] = static_cast<uint8_t>((at * 0x9E3779B1u) >> 13);
    }
    return &made[0];
  }();
  return bytes;
}

// `length` bytes of the pattern, at most half of it, that depend on `at`.
inline const uint8_t* PatternAt(size_t at) { return Pattern() + at % (kPatternBytes / 2); }

}  // namespace lograft::fuzz
