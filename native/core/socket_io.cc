// SocketLayer: one connection's reads, writes and end. See socket_layer.h.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../platform/platform.h"
#include "socket_layer.h"

namespace lograft {
namespace {

// What one connection may send in one go before others have their turn.
constexpr size_t kFlushBytesMax = size_t{1} << 20;
// Bytes in memory that a connection may queue beyond its bound (one large answer may be due when
// the bound is reached); more closes it.
constexpr size_t kOutboundOvershootMax = size_t{64} << 20;

int TakeSocketError(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

ssize_t CopyParts(const iovec* parts, int count, const uint8_t* from, size_t length) {
  size_t total = 0;
  for (int i = 0; i < count && total < length; i++) {
    const size_t part = std::min(parts[i].iov_len, length - total);
    std::memcpy(parts[i].iov_base, from + total, part);
    total += part;
  }
  return static_cast<ssize_t>(total);
}

}  // namespace

void SocketLayer::OnConnectionPoll(uv_poll_t* handle, int status, int events) {
  Connection* c = static_cast<Connection*>(handle->data);
  SocketLayer* layer = c->layer;
  if (status < 0) c->poll_events = 0;  // libuv has stopped watching
  if (c->state == Connection::State::kConnecting) return layer->FinishConnect(c);
  if (status < 0) {
    // An error state (a reset). Bytes that came before it can still be read.
    if (c->MayRead() && layer->Read(c)) return layer->UpdatePoll(c);
    const int error = TakeSocketError(c->fd);
    return layer->End(c, CloseReason::kErrno, error == 0 ? ECONNRESET : error);
  }
  if ((events & UV_WRITABLE) != 0) layer->Flush(c);
  if ((events & UV_READABLE) != 0 && c->MayRead()) layer->Read(c);
}

void SocketLayer::FinishConnect(Connection* c) {
  const int error = TakeSocketError(c->fd);
  if (error != 0) return End(c, CloseReason::kErrno, error);
  c->state = Connection::State::kOpen;
  counters_.opened++;
  Queue(EventKind::kOpened, c->id);
  Flush(c);
}

// One read. False when nothing was there.
bool SocketLayer::Read(Connection* c) {
  iovec parts[2];
  const size_t count = c->reader.PlanRead(options_.slab, slab_fill_, options_.slab_bytes,
                                          options_.slab_bytes / 2, parts);
  if (count == 0) {
    MarkStarved(c);
    return true;
  }
  const ssize_t got = ReadInto(c, parts, static_cast<int>(count));
  if (got == -EAGAIN || got == -EWOULDBLOCK) return false;
  if (got <= 0) {
    if (got == 0 && c->may_be_half_open) {
      c->is_read_ended = true;
      Queue(EventKind::kReadEnded, c->id);
      UpdatePoll(c);
    } else if (got == 0) {
      End(c, CloseReason::kPeerClosed);
    } else {
      End(c, CloseReason::kErrno, static_cast<int32_t>(-got));
    }
    return true;
  }
  const Span span = c->reader.CommitRead(options_.slab, slab_fill_, static_cast<size_t>(got));
  if (span.begin < span.end || c->reader.HasOwnBuffer()) {
    slab_fill_ = span.end;
    inputs_.push_back({EventKind::kFrame, c->id, span, 0, 0, 0});
  }
  if (c->HasPreload()) MarkStarved(c);
  return true;
}

ssize_t SocketLayer::ReadInto(Connection* c, iovec* parts, int count) {
  if (c->HasPreload()) {
    const ssize_t got =
        CopyParts(parts, count, c->preload.data() + c->preload_at, c->preload_end - c->preload_at);
    c->preload_at += static_cast<size_t>(got);
    if (!c->HasPreload()) c->preload.Release();
    return got;
  }
  ssize_t got;
  do {
    got = readv(c->fd, parts, count);
  } while (got < 0 && errno == EINTR);
  counters_.read_calls++;
  if (got < 0) return -errno;
  counters_.bytes_in += static_cast<uint64_t>(got);
  return got;
}

// The deadline of a frame runs from its first byte, or from the moment we read again.
void SocketLayer::NoteFrameProgress(Connection* c, bool completed) {
  if (!c->reader.HasBegun()) {
    c->frame_begun_ms = 0;
  } else if (completed || c->frame_begun_ms == 0) {
    c->frame_begun_ms = uv_now(loop_);
  }
}

void SocketLayer::Write(ConnectionId id, const uint8_t* bytes, size_t length) {
  Connection* c = Find(id);
  if (c == nullptr || c->is_close_requested || length == 0) return;
  const size_t bound = options_.outbound_bytes_max + kOutboundOvershootMax;
  if (c->outbound.memory_bytes() + length > bound) {
    return End(c, CloseReason::kOutboundOverflow);
  }
  c->outbound.Append(bytes, length);
  AfterQueued(c);
}

void SocketLayer::WriteRange(ConnectionId id, int fd, uint64_t position, size_t length) {
  Connection* c = Find(id);
  if (c == nullptr || c->is_close_requested || length == 0) return;
  const int error = c->outbound.AppendRange(fd, position, length);
  if (error == -ENODATA) return End(c, CloseReason::kRangeEndedEarly);
  if (error != 0) return End(c, CloseReason::kErrno, -error);
  AfterQueued(c);
}

void SocketLayer::AfterQueued(Connection* c) {
  if (c->outbound.bytes() > options_.outbound_bytes_max / 2) c->was_over_half = true;
  MarkDirty(c);
}

size_t SocketLayer::OutboundBytes(ConnectionId id) const {
  const Connection* c = Find(id);
  return c == nullptr ? 0 : c->outbound.bytes();
}

// Sends what the kernel takes and draws the consequences for reading.
void SocketLayer::Flush(Connection* c) {
  int error = 0;
  const FlushResult result = Send(c, &error);
  if (result == FlushResult::kShort) return End(c, CloseReason::kRangeEndedEarly);
  if (result == FlushResult::kFailed) return End(c, CloseReason::kErrno, error);
  const size_t left = c->outbound.bytes();
  if (left == 0 && c->was_over_half) {
    c->was_over_half = false;
    Queue(EventKind::kDrained, c->id);
  }
  if (!c->is_paused_by_outbound && left > options_.outbound_bytes_max) {
    c->is_paused_by_outbound = true;
    counters_.read_pauses++;
  } else if (c->is_paused_by_outbound && left <= options_.outbound_bytes_max / 2) {
    c->is_paused_by_outbound = false;
    if (c->frame_begun_ms != 0) c->frame_begun_ms = uv_now(loop_);
    if (c->HasPreload()) MarkStarved(c);
  }
  UpdatePoll(c);
}

FlushResult SocketLayer::Send(Connection* c, int* error) {
  if (c->is_reading_ahead) return FlushResult::kCold;
  for (;;) {
    const FlushResult result = c->outbound.Flush(c->fd, kFlushBytesMax, error);
    if (result != FlushResult::kCold || StartReadAhead(c)) return result;
    // Without a thread or a descriptor the loop waits for the disk after all.
    c->outbound.Warmed();
  }
}

void SocketLayer::UpdatePoll(Connection* c) {
  if (!c->has_poll || c->state == Connection::State::kEnding) return;
  int events = 0;
  if (c->state == Connection::State::kConnecting) {
    events = UV_WRITABLE;
  } else {
    if (c->MayRead()) events |= UV_READABLE;
    if (!c->outbound.IsEmpty() && !c->is_reading_ahead) events |= UV_WRITABLE;
  }
  if (events == c->poll_events) return;
  const int status = events == 0 ? uv_poll_stop(&c->poll)
                                 : uv_poll_start(&c->poll, events, &SocketLayer::OnConnectionPoll);
  if (status != 0) return End(c, CloseReason::kErrno, -status);
  c->poll_events = events;
}

void SocketLayer::SetReading(ConnectionId id, bool is_reading) {
  Connection* c = Find(id);
  if (c == nullptr) return;
  c->is_paused_by_owner = !is_reading;
  if (is_reading) {
    if (c->frame_begun_ms != 0) c->frame_begun_ms = uv_now(loop_);
    if (c->HasPreload()) MarkStarved(c);
  }
  UpdatePoll(c);
}

void SocketLayer::SetHalfOpen(ConnectionId id) {
  Connection* c = Find(id);
  if (c != nullptr) c->may_be_half_open = true;
}

void SocketLayer::SetFrameBytesMax(ConnectionId id, uint32_t bytes) {
  Connection* c = Find(id);
  if (c != nullptr) c->reader.set_frame_bytes_max(bytes);
}

int SocketLayer::SetRaw(ConnectionId id) {
  Connection* c = Find(id);
  return c == nullptr || c->reader.SetRaw() ? 0 : -EBUSY;
}

void SocketLayer::MarkDirty(Connection* c) {
  if (c->is_dirty) return;
  c->is_dirty = true;
  dirty_.push_back(c->id);
  Wake();
}

void SocketLayer::MarkStarved(Connection* c) {
  if (c->is_starved) return;
  c->is_starved = true;
  starved_.push_back(c->id);
  Wake();
}

void SocketLayer::Close(ConnectionId id) {
  Connection* c = Find(id);
  if (c == nullptr || c->state == Connection::State::kEnding) return;
  c->is_close_requested = true;
  UpdatePoll(c);
  MarkDirty(c);
}

int SocketLayer::Detach(ConnectionId id) {
  Connection* c = Find(id);
  if (c == nullptr || c->state != Connection::State::kOpen || c->is_close_requested) {
    return -ENOTCONN;
  }
  if (!c->outbound.IsEmpty()) return -EBUSY;
  const int fd = c->fd;
  c->fd = -1;
  RemoveSlot(c);
  LetGo(c);
  return fd;
}

// The connection's events come to an end; the rest happens in Free.
void SocketLayer::End(Connection* c, CloseReason reason, int32_t first, int32_t second) {
  if (c->state == Connection::State::kEnding) return;
  c->state = Connection::State::kEnding;
  if (c->has_poll) uv_poll_stop(&c->poll);
  Queue(EventKind::kClosed, c->id, static_cast<int32_t>(reason), first, second);
  Wake();
}

// The closed event was delivered: sends what was still written (the answers to the last frames) as
// far as the kernel takes it, and takes the connection apart.
void SocketLayer::Free(Connection* c) {
  SendLast(c);
  RemoveSlot(c);
  LetGo(c);
  counters_.closed++;
}

void SocketLayer::SendLast(Connection* c) {
  int error = 0;
  if (c->fd >= 0 && !c->outbound.IsEmpty()) c->outbound.Flush(c->fd, kFlushBytesMax, &error);
}

// Closes the socket unless it was given away, and deletes the connection: in the close callback
// when libuv holds its handle.
void SocketLayer::LetGo(Connection* c) {
  const int fd = c->fd;
  c->fd = -1;
  c->outbound.Clear();
  if (c->has_poll) {
    uv_close(reinterpret_cast<uv_handle_t*>(&c->poll), [](uv_handle_t* handle) {
      Connection* closed = static_cast<Connection*>(handle->data);
      SocketLayer* layer = closed->layer;
      delete closed;
      layer->HandleClosed();
    });
  } else {
    delete c;
  }
  // Only now: uv_close has made the loop forget the number, which may be used again at once.
  if (fd >= 0) close(fd);
}

void SocketLayer::RemoveSlot(Connection* c) {
  const uint16_t slot = static_cast<uint16_t>(c->id & 0xFFFF);
  slots_[slot] = nullptr;
  uint16_t& generation = generations_[slot];
  generation = generation == 0x7FFF ? 1 : static_cast<uint16_t>(generation + 1);
  free_slots_.push_back(slot);
  counters_.connections--;
}

}  // namespace lograft
