// Zigzag varints of Kafka's records, read from bytes that may be hostile: every step checks its
// bound, a number never takes more than 5 (int32) or 10 (int64) bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

class VarintReader {
 public:
  VarintReader(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  bool IsAtEnd() const { return at_ == end_; }

  bool Int32(int32_t* value) {
    uint64_t raw;
    if (!Unsigned(5, &raw) || raw > UINT32_MAX) return false;
    const uint32_t bits = static_cast<uint32_t>(raw);
    *value = static_cast<int32_t>((bits >> 1) ^ (~(bits & 1) + 1));
    return true;
  }

  bool Int64(int64_t* value) {
    uint64_t raw;
    if (!Unsigned(10, &raw)) return false;
    *value = static_cast<int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
    return true;
  }

  bool Skip(size_t count) {
    if (count > static_cast<size_t>(end_ - at_)) return false;
    at_ += count;
    return true;
  }

  // Hands out where the next `count` bytes lie.
  bool Bytes(size_t count, const uint8_t** bytes) {
    *bytes = at_;
    return Skip(count);
  }

  // Hands out the next `count` bytes as a reader of their own.
  bool Take(size_t count, VarintReader* part) {
    if (count > static_cast<size_t>(end_ - at_)) return false;
    *part = VarintReader(at_, at_ + count);
    at_ += count;
    return true;
  }

 private:
  bool Unsigned(int bytes_max, uint64_t* value) {
    if (at_ != end_ && *at_ < 0x80) {  // most numbers are one byte
      *value = *at_++;
      return true;
    }
    uint64_t result = 0;
    for (int i = 0; i < bytes_max; i++) {
      if (at_ == end_) return false;
      const uint8_t byte = *at_++;
      if (i == 9 && byte > 1) return false;  // the tenth byte holds the 64th bit alone
      result |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  const uint8_t* at_;
  const uint8_t* end_;
};

}  // namespace lograft
