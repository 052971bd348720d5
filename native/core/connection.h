// One connection's state inside a SocketLayer; plain data that the layer works on.
#pragma once

#include <uv.h>

#include <cstdint>

#include "buffer_pool.h"
#include "frame_reader.h"
#include "outbound.h"

namespace lograft {

class SocketLayer;

// Names a connection: slot in the low 16 bits, generation (1..32767) above.
using ConnectionId = uint32_t;

struct Connection {
  enum class State {
    kConnecting,
    kOpen,
    kEnding,  // its closed event is queued; freed once that was delivered
  };

  Connection(SocketLayer* owner, BufferPool* pool, OutboundCounters* counters)
      : layer(owner), reader(pool), outbound(pool, counters) {}

  uv_poll_t poll = {};
  SocketLayer* const layer;
  ConnectionId id = 0;
  int fd = -1;
  State state = State::kOpen;
  bool has_poll = false;  // the poll handle is initialised and must be closed by libuv
  int poll_events = 0;    // what libuv watches now

  FrameReader reader;
  OutboundQueue outbound;

  // Bytes read by an earlier owner of the socket, to be looked at before the socket's own.
  PoolBuffer preload;
  size_t preload_at = 0;
  size_t preload_end = 0;

  bool is_paused_by_owner = false;
  bool is_paused_by_outbound = false;
  bool was_over_half = false;       // a drained event is due when the queue is empty
  bool is_dirty = false;            // in the layer's list of connections to flush
  bool is_starved = false;          // in the list of those that found the slab full
  bool is_close_requested = false;  // ends after the next flush
  bool may_be_half_open = false;    // the peer's last byte does not end it
  bool is_read_ended = false;
  bool is_reading_ahead = false;  // the head of its queue is being read from the disk

  uint32_t frame_deadline_ms = 0;  // 0: none
  uint64_t frame_begun_ms = 0;     // loop time at which the frame in work began; 0: none has

  bool HasPreload() const { return preload_at < preload_end; }
  bool MayRead() const {
    return state == State::kOpen && !is_paused_by_owner && !is_paused_by_outbound &&
           !is_close_requested && !is_read_ended;
  }
};

}  // namespace lograft
