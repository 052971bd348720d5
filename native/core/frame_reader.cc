#include "frame_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "endian.h"

namespace lograft {

int32_t FrameReader::promised() const { return ReadI32(header_); }

bool FrameReader::SetRaw() {
  if (has_read_ && !is_raw_) return false;
  is_raw_ = true;
  return true;
}

size_t FrameReader::PlanRead(uint8_t* slab, size_t fill, size_t size, size_t budget,
                             iovec* parts) {
  const size_t room = size - fill;
  const size_t front = carry_.size();
  if (!IsInBody() || BodyBytes() <= size / 2) {
    const size_t needed = IsInBody() ? BodyBytes() : size / 8;
    if (room < needed) return 0;
    plan_ = front > 0 ? Plan::kIntoPlace : Plan::kPlain;
    // The frame's rest always fits, however small the budget is.
    parts[0] = {slab + fill + front, std::min(room - front, std::max(budget, needed))};
    return 1;
  }
  plan_ = Plan::kIntoCarry;
  const size_t wanted = BodyBytes() - front;
  uint8_t* into = carry_.Room(&carry_room_);
  carry_room_ = std::min({wanted, carry_room_, budget});
  parts[0] = {into, carry_room_};
  if (carry_room_ < wanted || room == 0) return 1;
  parts[1] = {slab + fill, std::min(room, budget)};
  return 2;
}

Span FrameReader::CommitRead(uint8_t* slab, size_t fill, size_t got) {
  has_read_ = true;
  const Plan plan = std::exchange(plan_, Plan::kPlain);
  if (plan == Plan::kPlain) return {fill, fill + got};
  if (plan == Plan::kIntoCarry) {
    const size_t to_carry = std::min(got, carry_room_);
    carry_.Filled(to_carry);
    return {fill, fill + got - to_carry};
  }
  const size_t front = carry_.size();
  if (front + got < BodyBytes()) {
    // Still not complete: only the new bytes are copied, so slow senders cost what they send.
    carry_.Append(slab + fill + front, got);
    return {fill, fill};
  }
  carry_.CopyTo(slab + fill);
  carry_.Clear();
  return {fill, fill + front + got};
}

FrameResult FrameReader::Next(const uint8_t* slab, Span* span, Frame* frame) {
  if (is_raw_) {
    if (span->begin == span->end) return FrameResult::kNeedMore;
    *frame = {span->begin, span->end - span->begin};
    span->begin = span->end;
    return FrameResult::kFrame;
  }
  if (!IsInBody()) {
    const FrameResult result = ReadHeader(slab, span);
    if (result != FrameResult::kFrame) return result;
  }
  const size_t available = span->end - span->begin;
  if (carry_.size() == 0 && available >= BodyBytes()) {
    *frame = {span->begin, BodyBytes()};
    span->begin += BodyBytes();
    Reset();
    return FrameResult::kFrame;
  }
  const size_t part = std::min(available, BodyBytes() - carry_.size());
  carry_.Append(slab + span->begin, part);
  span->begin += part;
  return HasOwnBuffer() ? FrameResult::kOwnBuffer : FrameResult::kNeedMore;
}

bool FrameReader::HasOwnBuffer() const {
  return IsInBody() && carry_.size() > 0 && carry_.size() == BodyBytes();
}

void FrameReader::TakeOwnBuffer(CarryBuffer* into) {
  into->TakeFrom(&carry_);
  Reset();
}

void FrameReader::CopyHeld(uint8_t* into) const {
  if (!HasBegun()) return;
  std::memcpy(into, header_, header_have_);
  carry_.CopyTo(into + header_have_);
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

void FrameReader::Reset() {
  header_have_ = 0;
  carry_.Clear();
}

}  // namespace lograft
