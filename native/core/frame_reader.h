// Cuts one connection's bytes into frames: int32 big-endian length, then that many bytes. Pure: it
// says where the next read should put its bytes and finds the frames in them. One thread.
//
// Bytes are read into a slab shared by all connections. A frame that lies whole in what was read is
// handed out where it lies. One that does not is *carried* until its rest comes:
//
//   not begun ──▶ header (1..4 bytes known) ──▶ body (length known, part of it carried) ──▶ frame
//
// The carried part grows with the bytes that arrived, never to the length that was promised. When
// the frame fits the slab, the next read goes to the place where its rest would lie, and only if it
// completes the frame is the carried part put in front. A frame larger than half the slab is
// completed in the carry buffer and handed out from there.
//
// A *raw* reader cuts nothing: each span is one frame, as it was read, and nothing is carried.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "buffer_pool.h"
#include "carry_buffer.h"

namespace lograft {

enum class FrameResult {
  kFrame,      // `frame` lies in the slab
  kOwnBuffer,  // the frame lies in a buffer of its own: call TakeOwnBuffer
  kNeedMore,   // the span is used up
  kNegative,
  kEmpty,
  kTooLarge,
};

struct Frame {
  size_t start;
  size_t length;
};

// Part of the slab that holds bytes of one connection, not looked at yet.
struct Span {
  size_t begin;
  size_t end;
};

class FrameReader {
 public:
  static constexpr size_t kHeaderBytes = 4;

  explicit FrameReader(BufferPool* pool) : carry_(pool) {}

  void set_frame_bytes_max(uint32_t bytes) { frame_bytes_max_ = bytes; }
  uint32_t frame_bytes_max() const { return frame_bytes_max_; }

  // Bytes are handed out as they come from here on. False: too late, some were taken for frames.
  bool SetRaw();
  bool is_raw() const { return is_raw_; }

  // Whether part of a frame has arrived, the rest not.
  bool HasBegun() const { return header_have_ > 0; }

  // Length field of the frame in work (also after kTooLarge).
  int32_t promised() const;

  // Where the next bytes go. `slab[fill, size)` is free; at most about `budget` bytes are wanted.
  // Returns how many of `parts` (2) are set; 0: the slab is too full, try when it is empty.
  size_t PlanRead(uint8_t* slab, size_t fill, size_t size, size_t budget, iovec* parts);

  // Tells how many bytes the planned read got. Returns the span to look at with Next (it may be
  // empty though a frame is complete); the slab is used up to its end.
  Span CommitRead(uint8_t* slab, size_t fill, size_t got);

  // Takes the next frame of a span, moving its begin. What is left of a frame is carried.
  FrameResult Next(const uint8_t* slab, Span* span, Frame* frame);

  // Whether the next frame is one that TakeOwnBuffer hands out; it moves it to `into`.
  bool HasOwnBuffer() const;
  void TakeOwnBuffer(CarryBuffer* into);

  // All bytes held of a frame that is not complete, its header included.
  size_t HeldBytes() const { return header_have_ + carry_.size(); }
  void CopyHeld(uint8_t* into) const;

 private:
  bool IsInBody() const { return header_have_ == kHeaderBytes; }
  size_t BodyBytes() const { return static_cast<size_t>(promised()); }
  FrameResult ReadHeader(const uint8_t* slab, Span* span);
  void Reset();

  uint32_t frame_bytes_max_ = 0;
  bool is_raw_ = false;
  bool has_read_ = false;  // a read was committed: frames are being cut, unless raw
  uint8_t header_[kHeaderBytes] = {};
  size_t header_have_ = 0;
  CarryBuffer carry_;  // the part of the body that has arrived
  // How the planned read was laid out: behind the slab's fill, behind a gap that the carried part
  // fits, or into the carry buffer (of which `carry_room_` bytes are offered).
  enum class Plan { kPlain, kIntoPlace, kIntoCarry } plan_ = Plan::kPlain;
  size_t carry_room_ = 0;
};

}  // namespace lograft
