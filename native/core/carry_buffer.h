// The bytes of a frame whose rest has not come, kept in pieces: each new piece is as large as all
// before it, so memory is at most about twice what arrived, and nothing is copied while it grows.
// One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "buffer_pool.h"

namespace lograft {

class CarryBuffer {
 public:
  explicit CarryBuffer(BufferPool* pool) : pool_(pool) {}

  size_t size() const { return size_; }

  // Free bytes behind the last one, `*room` of them and at least one.
  uint8_t* Room(size_t* room) {
    if (pieces_.empty() || last_used_ == pieces_.back().capacity()) {
      pieces_.push_back(pool_->Take(size_));
      last_used_ = 0;
    }
    *room = pieces_.back().capacity() - last_used_;
    return pieces_.back().data() + last_used_;
  }

  // `count` bytes were put where Room said.
  void Filled(size_t count) {
    last_used_ += count;
    size_ += count;
  }

  void Append(const uint8_t* bytes, size_t length) {
    while (length > 0) {
      size_t room;
      uint8_t* into = Room(&room);
      const size_t part = std::min(room, length);
      std::memcpy(into, bytes, part);
      Filled(part);
      bytes += part;
      length -= part;
    }
  }

  void CopyTo(uint8_t* into) const {
    size_t left = size_;
    for (const PoolBuffer& piece : pieces_) {
      const size_t part = std::min(left, piece.capacity());
      if (part > 0) std::memcpy(into, piece.data(), part);
      into += part;
      left -= part;
    }
  }

  void Clear() {
    pieces_.clear();
    last_used_ = 0;
    size_ = 0;
  }

  // Takes the other's bytes and leaves it empty.
  void TakeFrom(CarryBuffer* other) {
    pieces_.swap(other->pieces_);
    last_used_ = other->last_used_;
    size_ = other->size_;
    other->Clear();
  }

 private:
  BufferPool* const pool_;
  std::vector<PoolBuffer> pieces_;  // all full but the last
  size_t last_used_ = 0;
  size_t size_ = 0;
};

}  // namespace lograft
