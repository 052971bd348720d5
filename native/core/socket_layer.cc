// SocketLayer: the turn. See socket_layer.h for its order.
#include "socket_layer.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "../platform/platform.h"

namespace lograft {

SocketLayer::SocketLayer(uv_loop_t* loop, SocketHost* host, const SocketLayerOptions& options)
    : loop_(loop), host_(host), options_(options) {}

SocketLayer::~SocketLayer() = default;

Connection* SocketLayer::Find(ConnectionId id) const {
  const size_t slot = id & 0xFFFF;
  if (slot >= slots_.size() || slots_[slot] == nullptr || slots_[slot]->id != id) return nullptr;
  return slots_[slot];
}

void SocketLayer::Queue(EventKind kind, ConnectionId id, int32_t first, int32_t second,
                        int32_t third) {
  inputs_.push_back({kind, id, {0, 0}, first, second, third});
}

void SocketLayer::OnPrepare(uv_prepare_t* handle) {
  static_cast<SocketLayer*>(handle->data)->Pump();
}

void SocketLayer::OnCheck(uv_check_t* handle) { static_cast<SocketLayer*>(handle->data)->Pump(); }

void SocketLayer::Pump() {
  if (is_pumping_ || is_destroyed_) return;
  is_pumping_ = true;
  uv_idle_stop(&wake_);
  FlushDirty();
  while (!is_destroyed_) {
    DeliverInputs();
    if (is_destroyed_) break;
    slab_fill_ = 0;
    if (starved_.empty()) break;
    ServeStarved();
  }
  is_pumping_ = false;
}

// Enters the host until nothing is left to tell. More than once only when the events of a turn do
// not fit one call, or when the flush itself ended or drained a connection.
void SocketLayer::DeliverInputs() {
  while (!inputs_.empty()) {
    const size_t count = FillEvents();
    if (count > 0) {
      event_count_ = count;
      counters_.turns++;
      host_->OnTurn(count, own_frame_.size());
      event_count_ = 0;
      own_frame_.Clear();
      if (is_destroyed_) return;
    }
    FlushDirty();
    FreeDelivered();
  }
}

// Moves inputs into the shared array while there is room.
size_t SocketLayer::FillEvents() {
  size_t count = 0;
  while (!inputs_.empty() && count < kEventsMax) {
    Input& input = inputs_.front();
    if (input.kind == EventKind::kFrame) {
      if (!FillFrames(&input, &count)) return count;
    } else if (input.kind == EventKind::kAccepted || Find(input.id) != nullptr) {
      int32_t* event = options_.events + count++ * kEventStride;
      event[0] = static_cast<int32_t>(input.kind);
      event[1] = static_cast<int32_t>(input.id);
      event[2] = input.first;
      event[3] = input.second;
      event[4] = input.third;
      if (input.kind == EventKind::kClosed) delivered_ends_.push_back(input.id);
    }
    inputs_.pop_front();
  }
  return count;
}

// Cuts a span into frames; false when the call is full and the rest of the span has to wait.
bool SocketLayer::FillFrames(Input* input, size_t* count) {
  Connection* c = Find(input->id);
  if (c == nullptr || c->is_close_requested) return true;
  bool completed = false;
  for (;;) {
    if (*count == kEventsMax) return false;
    const bool was_begun = c->reader.HasBegun();
    Frame frame;
    const FrameResult result = c->reader.Next(options_.slab, &input->span, &frame);
    if (result == FrameResult::kFrame) {
      if (was_begun) counters_.frames_carried++;
      EmitFrame(c, EventKind::kFrame, frame.start, frame.length, count);
      completed = true;
    } else if (result == FrameResult::kOwnBuffer) {
      // Only one such frame fits a call; asked again, the reader gives the same answer.
      if (own_frame_.size() > 0) return false;
      c->reader.TakeOwnBuffer(&own_frame_);
      counters_.frames_big++;
      EmitFrame(c, EventKind::kBigFrame, 0, own_frame_.size(), count);
      completed = true;
    } else {
      NoteFrameProgress(c, completed);
      if (result != FrameResult::kNeedMore) EndForFault(c, result);
      return true;
    }
  }
}

void SocketLayer::EmitFrame(Connection* c, EventKind kind, size_t start, size_t length,
                            size_t* count) {
  int32_t* event = options_.events + (*count)++ * kEventStride;
  event[0] = static_cast<int32_t>(kind);
  event[1] = static_cast<int32_t>(c->id);
  event[2] = static_cast<int32_t>(start);
  event[3] = static_cast<int32_t>(length);
  event[4] = 0;
  counters_.frames_in++;
}

void SocketLayer::EndForFault(Connection* c, FrameResult fault) {
  switch (fault) {
    case FrameResult::kNegative:
      return End(c, CloseReason::kNegativeLength);
    case FrameResult::kEmpty:
      return End(c, CloseReason::kEmptyFrame);
    default:
      return End(c, CloseReason::kFrameTooLarge, c->reader.promised(),
                 static_cast<int32_t>(c->reader.frame_bytes_max()));
  }
}

// Reads those that found the slab full, each once.
void SocketLayer::ServeStarved() {
  std::vector<ConnectionId> served;
  served.swap(starved_);
  for (const ConnectionId id : served) {
    Connection* c = Find(id);
    if (c == nullptr) continue;
    c->is_starved = false;
    if (c->MayRead()) Read(c);
  }
}

void SocketLayer::FlushDirty() {
  // Flushing marks nobody dirty, so the list does not grow meanwhile.
  for (const ConnectionId id : dirty_) {
    Connection* c = Find(id);
    if (c == nullptr) continue;
    c->is_dirty = false;
    if (c->state == Connection::State::kOpen) Flush(c);
    if (c->is_close_requested) End(c, CloseReason::kClosedHere);
  }
  dirty_.clear();
}

void SocketLayer::FreeDelivered() {
  for (const ConnectionId id : delivered_ends_) {
    Connection* c = Find(id);
    if (c != nullptr) Free(c);
  }
  delivered_ends_.clear();
}

int SocketLayer::CopyLeftover(ConnectionId id, int event_index, std::vector<uint8_t>* bytes) {
  Connection* c = Find(id);
  if (c == nullptr || c->state != Connection::State::kOpen || c->is_close_requested) {
    return -ENOTCONN;
  }
  if (!c->outbound.IsEmpty()) return -EBUSY;
  const auto append = [bytes](const uint8_t* from, size_t length) {
    bytes->insert(bytes->end(), from, from + length);
  };
  // Frames of the running call that the host has not seen.
  const size_t next = event_index < 0 ? event_count_ : static_cast<size_t>(event_index) + 1;
  for (size_t i = next; i < event_count_; i++) {
    const int32_t* event = options_.events + i * kEventStride;
    if (static_cast<ConnectionId>(event[1]) != id) continue;
    const bool is_own = event[0] == static_cast<int32_t>(EventKind::kBigFrame);
    if (!is_own && event[0] != static_cast<int32_t>(EventKind::kFrame)) continue;
    const uint32_t length = static_cast<uint32_t>(event[3]);
    const uint8_t header[4] = {static_cast<uint8_t>(length >> 24),
                               static_cast<uint8_t>(length >> 16),
                               static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
    if (!c->reader.is_raw()) append(header, sizeof header);
    if (!is_own) {
      append(options_.slab + event[2], length);
      continue;
    }
    bytes->resize(bytes->size() + length);
    own_frame_.CopyTo(bytes->data() + bytes->size() - length);
  }
  // Then the frame in work, spans not yet cut, and what an earlier owner had left over.
  const size_t held_at = bytes->size();
  bytes->resize(held_at + c->reader.HeldBytes());
  c->reader.CopyHeld(bytes->data() + held_at);
  for (const Input& input : inputs_) {
    if (input.kind != EventKind::kFrame || input.id != id) continue;
    append(options_.slab + input.span.begin, input.span.end - input.span.begin);
  }
  append(c->preload.data() + c->preload_at, c->preload_end - c->preload_at);
  return 0;
}

void SocketLayer::FillCounters(double* into) const {
  const uint64_t values[kSocketCounterCount] = {
      counters_.bytes_in,
      outbound_counters_.bytes_out,
      counters_.frames_in,
      counters_.frames_carried,
      counters_.frames_big,
      counters_.turns,
      counters_.read_calls,
      outbound_counters_.send_calls,
      outbound_counters_.sendfile_calls,
      outbound_counters_.sendfile_bytes,
      outbound_counters_.copied_range_bytes,
      counters_.accepted,
      counters_.opened,
      counters_.closed,
      counters_.connections,
      counters_.read_pauses,
      counters_.accept_backoffs,
      platform::kHasSendfile ? 1u : 0u,
      outbound_counters_.cold_ranges,
  };
  std::transform(values, values + kSocketCounterCount, into,
                 [](uint64_t value) { return static_cast<double>(value); });
}

}  // namespace lograft
