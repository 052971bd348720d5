// Two CarryBuffers that share a pool, against plain byte vectors: whatever is appended, offered,
// moved and cleared, the bytes are the same, and room follows what arrived.
#include "../../../native/core/carry_buffer.h"

#include <cstring>
#include <vector>

#include "../../native/core/check.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

constexpr size_t kBytesMax = 48 * 1024;

struct Pair {
  CarryBuffer buffer;
  std::vector<uint8_t> model;
  explicit Pair(BufferPool* pool) : buffer(pool) {}

  void Check() const {
    CHECK(buffer.size() == model.size());
    std::vector<uint8_t> bytes(model.size());
    buffer.CopyTo(bytes.data());
    CHECK(bytes == model);
  }
};

void Append(Pair* pair, size_t length) {
  const uint8_t* bytes = PatternAt(pair->model.size());
  pair->buffer.Append(bytes, length);
  pair->model.insert(pair->model.end(), bytes, bytes + length);
}

void Fill(Pair* pair, size_t length) {
  size_t room = 0;
  uint8_t* into = pair->buffer.Room(&room);
  CHECK(room >= 1);
  CHECK(room <= std::max(2 * pair->model.size(), BufferPool::kSizeMin));
  const uint8_t* bytes = PatternAt(pair->model.size());
  const size_t count = std::min(length, room);
  std::memcpy(into, bytes, count);
  pair->buffer.Filled(count);
  pair->model.insert(pair->model.end(), bytes, bytes + count);
}

void Step(uint8_t op, size_t length, Pair* one, Pair* other) {
  switch (op / 2 % 6) {
    case 0:
      return Append(one, length);
    case 1:
      return Fill(one, length);
    case 2:
      return Fill(one, kPatternBytes / 2);
    case 3:
      one->buffer.Clear();
      return one->model.clear();
    case 4:
      one->buffer.TakeFrom(&other->buffer);
      one->model.swap(other->model);
      return other->model.clear();
    default:
      return one->Check();
  }
}

}  // namespace

void FuzzCarryBuffer(Input in) {
  BufferPool pool;
  Pair first(&pool);
  Pair second(&pool);
  while (!in.IsAtEnd() && first.model.size() + second.model.size() < kBytesMax) {
    const uint8_t op = in.U8();
    const size_t length = (op & 0x80) != 0 ? in.U16() : in.U8();
    const bool is_first = (op & 1) == 0;
    Step(op, length, is_first ? &first : &second, is_first ? &second : &first);
    CHECK(first.buffer.size() == first.model.size());
    CHECK(pool.unused_bytes() <= BufferPool::kUnusedBytesMax);
  }
  first.Check();
  second.Check();
}

}  // namespace lograft::fuzz
