// Bytes on the heap of exactly the length that is passed, so that one read too far is seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace lograft::fuzz {

class Exact {
 public:
  explicit Exact(size_t size) : size_(size), bytes_(new uint8_t[size]) {}
  Exact(const uint8_t* bytes, size_t size) : Exact(size) {
    if (size > 0) std::memcpy(data(), bytes, size);
  }
  explicit Exact(const Exact& other) : Exact(other.data(), other.size_) {}
  uint8_t* data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  bool Equals(const Exact& other) const {
    return size_ == other.size_ &&
           (size_ == 0 || std::memcmp(data(), other.data(), size_) == 0);
  }

 private:
  const size_t size_;
  const std::unique_ptr<uint8_t[]> bytes_;
};

}  // namespace lograft::fuzz
