// Recycled memory for connections: bytes of frames that are not complete, and bytes that the kernel
// has not taken. Sizes are powers of two, so that a buffer fits the next user; what lies unused is
// bounded by one number. One thread (the owner of the pool); the pool outlives its buffers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

namespace lograft {

class BufferPool;

// Owns memory; gives it back when it dies. Empty (no memory) by default and after Release.
class PoolBuffer {
 public:
  PoolBuffer() = default;
  PoolBuffer(BufferPool* pool, uint8_t* data, size_t capacity)
      : pool_(pool), data_(data), capacity_(capacity) {}
  PoolBuffer(PoolBuffer&& other) noexcept { *this = std::move(other); }
  PoolBuffer& operator=(PoolBuffer&& other) noexcept {
    if (this == &other) return *this;
    Release();
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }
  ~PoolBuffer() { Release(); }

  inline void Release();

  uint8_t* data() const { return data_; }
  size_t capacity() const { return capacity_; }

 private:
  BufferPool* pool_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
};

class BufferPool {
 public:
  static constexpr size_t kSizeMin = size_t{1} << 12;
  static constexpr size_t kUnusedBytesMax = size_t{16} << 20;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() {
    for (auto& list : unused_) {
      for (uint8_t* data : list) std::free(data);
    }
  }

  // A buffer of `size` bytes or more.
  PoolBuffer Take(size_t size) {
    size_t bin = 0;
    while (bin < kBins && SizeOf(bin) < size) bin++;
    if (bin == kBins) return PoolBuffer(this, Allocate(size), size);
    if (unused_[bin].empty()) return PoolBuffer(this, Allocate(SizeOf(bin)), SizeOf(bin));
    uint8_t* data = unused_[bin].back();
    unused_[bin].pop_back();
    unused_bytes_ -= SizeOf(bin);
    return PoolBuffer(this, data, SizeOf(bin));
  }

  void Give(uint8_t* data, size_t capacity) {
    for (size_t bin = 0; bin < kBins; bin++) {
      if (SizeOf(bin) != capacity || unused_bytes_ + capacity > kUnusedBytesMax) continue;
      unused_[bin].push_back(data);
      unused_bytes_ += capacity;
      return;
    }
    std::free(data);
  }

  size_t unused_bytes() const { return unused_bytes_; }

 private:
  static constexpr size_t kBins = 11;  // 4 KiB to 4 MiB
  static constexpr size_t SizeOf(size_t bin) { return kSizeMin << bin; }

  // Without memory a process cannot go on (Node itself ends the same way).
  static uint8_t* Allocate(size_t size) {
    void* data = std::malloc(size);
    if (data == nullptr) std::abort();
    return static_cast<uint8_t*>(data);
  }

  std::array<std::vector<uint8_t*>, kBins> unused_;
  size_t unused_bytes_ = 0;
};

inline void PoolBuffer::Release() {
  if (data_ != nullptr) pool_->Give(data_, capacity_);
  pool_ = nullptr;
  data_ = nullptr;
  capacity_ = 0;
}

}  // namespace lograft
