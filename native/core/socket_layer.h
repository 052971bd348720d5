// The connections of one libuv loop: reads, frames, gathered sends, back-pressure, deadlines. Uses
// libuv and the platform layer, knows nothing of JavaScript. Loop thread only.
//
// One loop iteration:
//
//   prepare ─▶ Pump        what happened outside the poll phase (timers, immediates)
//   poll    ─▶ OnPoll*     readable: at most one read per connection, into the shared slab
//                          writable: the outbound queue goes on
//   check   ─▶ Pump        find frames, enter the host ONCE with all events, flush all connections
//                          that were written to, free what ended
//
// When the slab is full, the remaining readable connections are *starved*: Pump serves each of them
// once after the host has seen the slab, so a busy connection cannot keep others waiting.
//
// Nothing is freed while the host runs: a connection that ends becomes kEnding, its closed event is
// queued behind its frames, and it is taken apart after that event was delivered. Ids carry a
// generation, so a late id finds nothing.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "buffer_pool.h"
#include "connection.h"
#include "read_ahead.h"

namespace lograft {

constexpr size_t kEventsMax = 4096;
constexpr size_t kEventStride = 5;

// The order of these is part of the border to TypeScript (src/native/sockets.ts).
enum class EventKind : int32_t {
  kFrame,
  kBigFrame,
  kOpened,
  kAccepted,
  kClosed,
  kDrained,
  kReadEnded,  // the peer sends no more, but may still read: half-open connections only
  kCount,
};

enum class CloseReason : int32_t {
  kClosedHere,
  kPeerClosed,
  kFrameTooLarge,  // length, bound
  kNegativeLength,
  kEmptyFrame,
  kDeadline,  // ms
  kOutboundOverflow,
  kRangeEndedEarly,
  kErrno,  // errno
  kCount,
};

struct SocketCounters {
  uint64_t bytes_in = 0;
  uint64_t frames_in = 0;
  uint64_t frames_carried = 0;
  uint64_t frames_big = 0;
  uint64_t turns = 0;
  uint64_t read_calls = 0;
  uint64_t accepted = 0;
  uint64_t opened = 0;
  uint64_t closed = 0;
  uint64_t connections = 0;
  uint64_t read_pauses = 0;
  uint64_t accept_backoffs = 0;
};
constexpr size_t kSocketCounterCount = 19;  // these, the outbound ones and kHasSendfile

class SocketHost {
 public:
  virtual ~SocketHost() = default;
  // `count` events lie in the shared array; `own_bytes` > 0: one of them is a frame in a buffer of
  // its own, to be copied out with CopyOwnFrame.
  virtual void OnTurn(size_t count, size_t own_bytes) = 0;
  // After Destroy: every handle is closed; the layer may be deleted.
  virtual void OnAllClosed() = 0;
};

struct SocketLayerOptions {
  uint8_t* slab;
  size_t slab_bytes;
  int32_t* events;  // kEventsMax * kEventStride
  uint32_t frame_bytes_max;
  size_t outbound_bytes_max;
};

class SocketLayer {
 public:
  SocketLayer(uv_loop_t* loop, SocketHost* host, const SocketLayerOptions& options);
  ~SocketLayer();
  SocketLayer(const SocketLayer&) = delete;
  SocketLayer& operator=(const SocketLayer&) = delete;

  // Begins to take part in the loop.
  void Start();

  // A listener's id (>= 0) or a negative errno. EINVAL: not a numeric address.
  int Listen(const std::string& host, int port, bool is_handoff, int backlog);
  int ListenerPort(int listener_id) const;
  void Unlisten(int listener_id);

  // Never fails but with -EINVAL for a bad address or -EMFILE when no slot is free; everything else
  // arrives as a closed event. `id` is set on success.
  int Connect(const std::string& host, int port, ConnectionId* id);
  // Owns `fd` from here on, also on failure. Returns 0 or a negative errno.
  int Adopt(int fd, const uint8_t* leftover, size_t length, ConnectionId* id);

  // What was read of a connection and not delivered. `event_index` is the event that the host is
  // looking at, or -1 outside OnTurn. Returns 0, -ENOTCONN (ended) or -EBUSY (outbound not empty).
  int CopyLeftover(ConnectionId id, int event_index, std::vector<uint8_t>* bytes);
  // Gives the socket away: a descriptor or a negative errno as above.
  int Detach(ConnectionId id);

  void Write(ConnectionId id, const uint8_t* bytes, size_t length);
  void WriteRange(ConnectionId id, int fd, uint64_t position, size_t length);
  size_t OutboundBytes(ConnectionId id) const;

  void SetFrameBytesMax(ConnectionId id, uint32_t bytes);
  // From here on each span that is read is one frame event. 0, or -EBUSY: bytes were already taken
  // for frames.
  int SetRaw(ConnectionId id);
  void SetFrameDeadline(ConnectionId id, uint32_t ms);
  void SetSendBuffer(ConnectionId id, uint32_t bytes);
  void SetReading(ConnectionId id, bool is_reading);
  // When the peer has sent its last byte, the host hears of it and closes when it has answered.
  void SetHalfOpen(ConnectionId id);
  std::string RemoteAddress(ConnectionId id) const;
  void Close(ConnectionId id);

  void SetRef(bool is_ref);
  size_t own_frame_bytes() const { return own_frame_.size(); }
  void CopyOwnFrame(uint8_t* into) const { own_frame_.CopyTo(into); }
  void FillCounters(double* into) const;

  // Closes everything; no more events. OnAllClosed follows from the loop.
  void Destroy();
  bool is_destroyed() const { return is_destroyed_; }

 private:
  struct Listener {
    uv_poll_t poll = {};
    SocketLayer* layer = nullptr;
    int id = 0;
    int fd = -1;
    int port = 0;
    bool is_handoff = false;
    bool is_backing_off = false;
  };

  // Something to deliver, in the order it happened.
  struct Input {
    EventKind kind;  // kFrame: a span of the slab, to be cut into frames
    ConnectionId id;
    Span span;
    int32_t first;
    int32_t second;
    int32_t third;
  };

  // socket_layer.cc: turns
  static void OnPrepare(uv_prepare_t* handle);
  static void OnCheck(uv_check_t* handle);
  void Pump();
  void DeliverInputs();
  size_t FillEvents();
  bool FillFrames(Input* input, size_t* count);
  void EmitFrame(Connection* c, EventKind kind, size_t start, size_t length, size_t* count);
  void EndForFault(Connection* c, FrameResult fault);
  void ServeStarved();
  void FlushDirty();
  void FreeDelivered();

  // socket_io.cc: one connection
  static void OnConnectionPoll(uv_poll_t* handle, int status, int events);
  void FinishConnect(Connection* c);
  bool Read(Connection* c);
  ssize_t ReadInto(Connection* c, iovec* parts, int count);
  void Flush(Connection* c);
  FlushResult Send(Connection* c, int* error);
  void UpdatePoll(Connection* c);
  void MarkDirty(Connection* c);
  void MarkStarved(Connection* c);
  void AfterQueued(Connection* c);
  void End(Connection* c, CloseReason reason, int32_t first = 0, int32_t second = 0);
  void Free(Connection* c);
  void SendLast(Connection* c);
  void LetGo(Connection* c);
  void NoteFrameProgress(Connection* c, bool completed);
  void RemoveSlot(Connection* c);

  // socket_cold.cc: bytes that have to come from the disk
  static void OnReadDone(uv_async_t* handle);
  bool StartReadAhead(Connection* c);
  bool MayReadAhead();

  // socket_open.cc: how connections come to be, timer, handles
  static void OnListenerPoll(uv_poll_t* handle, int status, int events);
  static void OnTimer(uv_timer_t* handle);
  static void OnOwnHandleClosed(uv_handle_t* handle);
  void AcceptSome(Listener* listener);
  int OpenListener(const sockaddr* address, int backlog, Listener* listener);
  void CloseListener(Listener* listener);
  void BackOff(Listener* listener);
  Connection* AddConnection(Connection::State state);
  int Attach(Connection* c, int fd);
  bool CheckDeadlines();
  bool ResumeListeners();
  void RunTimerEvery(uint32_t ms);
  void ApplyRef(uv_poll_t* handle);
  void Wake();
  void HandleClosed();

  Connection* Find(ConnectionId id) const;
  void Queue(EventKind kind, ConnectionId id, int32_t first = 0, int32_t second = 0,
             int32_t third = 0);

  uv_loop_t* const loop_;
  SocketHost* const host_;
  const SocketLayerOptions options_;
  uv_prepare_t prepare_ = {};
  uv_idle_t wake_ = {};  // active while something waits for the next Pump
  uv_check_t check_ = {};
  uv_timer_t timer_ = {};
  uv_async_t read_done_ = {};             // used with read_ahead_
  std::unique_ptr<ReadAhead> read_ahead_;  // made when first needed
  size_t reads_ahead_ = 0;                 // parts asked for and not told
  size_t open_handles_ = 0;
  bool is_ref_ = true;
  bool is_pumping_ = false;
  bool is_destroyed_ = false;
  uint32_t timer_interval_ms_ = 0;  // 0: the timer does not run

  BufferPool pool_;
  SocketCounters counters_;
  OutboundCounters outbound_counters_;

  // Slots of connections; `generations_[slot]` belongs to the next or present user of it.
  std::vector<Connection*> slots_;
  std::vector<uint16_t> generations_;
  std::deque<uint16_t> free_slots_;  // first in, first out: an id comes again as late as possible
  std::vector<Listener*> listeners_;

  size_t slab_fill_ = 0;
  std::deque<Input> inputs_;
  size_t event_count_ = 0;  // events of the call that is running, 0 outside
  CarryBuffer own_frame_{&pool_};  // the frame with a buffer of its own in that call
  std::vector<ConnectionId> dirty_;
  std::vector<ConnectionId> starved_;
  std::vector<ConnectionId> delivered_ends_;
};

}  // namespace lograft
