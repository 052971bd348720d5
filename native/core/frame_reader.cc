#include "frame_reader.h"

#include <algorithm>
#include <cstring>

#include "endian.h"

namespace lograft {

int32_t FrameReader::promised() const { return ReadI32(header_); }

size_t FrameReader::PlanRead(uint8_t* slab, size_t fill, size_t size, size_t budget,
                             iovec* parts) {
  const size_t room = size - fill;
  const bool fits_slab = !IsInBody() || BodyBytes() <= size / 2;
  const size_t front = IsInBody() ? carried_ : 0;
  if (fits_slab) {
    const size_t needed = IsInBody() ? BodyBytes() : size / 8;
    if (room < needed) return 0;
    plan_ = front > 0 ? Plan::kIntoPlace : Plan::kPlain;
    // The frame's rest always fits, however small the budget is.
    parts[0] = {slab + fill + front, std::min(room - front, std::max(budget, needed))};
    return 1;
  }
  if (carried_ == carry_.capacity()) GrowCarry();
  plan_ = Plan::kIntoCarry;
  const size_t wanted = BodyBytes() - carried_;
  carry_room_ = std::min({wanted, carry_.capacity() - carried_, budget});
  parts[0] = {carry_.data() + carried_, carry_room_};
  if (carry_room_ < wanted || room == 0) return 1;
  parts[1] = {slab + fill, std::min(room, budget)};
  return 2;
}

Span FrameReader::CommitRead(uint8_t* slab, size_t fill, size_t got) {
  const Plan plan = std::exchange(plan_, Plan::kPlain);
  if (plan == Plan::kPlain) return {fill, fill + got};
  if (plan == Plan::kIntoCarry) {
    const size_t to_carry = std::min(got, carry_room_);
    carried_ += to_carry;
    return {fill, fill + got - to_carry};
  }
  if (carried_ + got < BodyBytes()) {
    // Still not complete: only the new bytes are copied, so slow senders cost what they send.
    Carry(slab + fill + carried_, got);
    return {fill, fill};
  }
  std::memcpy(slab + fill, carry_.data(), carried_);
  const Span span = {fill, fill + carried_ + got};
  carry_.Release();
  carried_ = 0;
  return span;
}

FrameResult FrameReader::Next(const uint8_t* slab, Span* span, Frame* frame) {
  if (!IsInBody()) {
    const FrameResult result = ReadHeader(slab, span);
    if (result != FrameResult::kFrame) return result;
  }
  const size_t available = span->end - span->begin;
  if (carried_ == 0 && available >= BodyBytes()) {
    *frame = {span->begin, BodyBytes()};
    span->begin += BodyBytes();
    Reset();
    return FrameResult::kFrame;
  }
  const size_t part = std::min(available, BodyBytes() - carried_);
  Carry(slab + span->begin, part);
  span->begin += part;
  return HasOwnBuffer() ? FrameResult::kOwnBuffer : FrameResult::kNeedMore;
}

bool FrameReader::HasOwnBuffer() const {
  return IsInBody() && carried_ > 0 && carried_ == BodyBytes();
}

PoolBuffer FrameReader::TakeOwnBuffer(size_t* length) {
  *length = carried_;
  PoolBuffer buffer = std::move(carry_);
  Reset();
  return buffer;
}

void FrameReader::CopyHeld(uint8_t* into) const {
  if (!HasBegun()) return;
  std::memcpy(into, header_, header_have_);
  if (carried_ > 0) std::memcpy(into + header_have_, carry_.data(), carried_);
}

// Returns kFrame when the header is complete and its length is welcome.
FrameResult FrameReader::ReadHeader(const uint8_t* slab, Span* span) {
  const size_t part = std::min(span->end - span->begin, kHeaderBytes - header_have_);
  std::memcpy(header_ + header_have_, slab + span->begin, part);
  header_have_ += part;
  span->begin += part;
  if (header_have_ < kHeaderBytes) return FrameResult::kNeedMore;
  if (promised() < 0) return FrameResult::kNegative;
  if (promised() == 0) return FrameResult::kEmpty;
  if (static_cast<uint32_t>(promised()) > frame_bytes_max_) return FrameResult::kTooLarge;
  return FrameResult::kFrame;
}

void FrameReader::Carry(const uint8_t* bytes, size_t length) {
  while (carry_.capacity() - carried_ < length) GrowCarry();
  if (length > 0) std::memcpy(carry_.data() + carried_, bytes, length);
  carried_ += length;
}

void FrameReader::GrowCarry() {
  PoolBuffer larger = pool_->Take(carry_.capacity() * 2);
  if (carried_ > 0) std::memcpy(larger.data(), carry_.data(), carried_);
  carry_ = std::move(larger);
}

void FrameReader::Reset() {
  header_have_ = 0;
  carried_ = 0;
  carry_.Release();
}

}  // namespace lograft
