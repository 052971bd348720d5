// What one connection still has to send: copied bytes and file ranges, in the order given. Small
// writes are gathered in shared chunks and leave in one call; a range leaves by sendfile, or
// where that does not exist in slices through memory. It never waits for a disk by itself: bytes
// that are not in the page cache are for the owner to have read ahead. One thread.
//
//   items_: [ ...sent | bytes | bytes | range (own descriptor) | bytes | ... ]
//                       ^ head_
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer_pool.h"

namespace lograft {

// Below this size header and payload in one send beat sendfile.
constexpr size_t kSendfileBytesMin = 64 * 1024;

struct OutboundCounters {
  uint64_t bytes_out = 0;
  uint64_t send_calls = 0;
  uint64_t sendfile_calls = 0;
  uint64_t sendfile_bytes = 0;
  uint64_t copied_range_bytes = 0;
  uint64_t cold_ranges = 0;
};

enum class FlushResult {
  kEmpty,    // everything was taken
  kBlocked,  // the kernel takes no more now
  kBudget,   // stopped to let others have their turn
  kCold,     // what comes next has to be read from the disk: see Cold
  kShort,    // a file range ended early
  kFailed,   // see `error`
};

class OutboundQueue {
 public:
  OutboundQueue(BufferPool* pool, OutboundCounters* counters)
      : pool_(pool), counters_(counters) {}
  OutboundQueue(const OutboundQueue&) = delete;
  OutboundQueue& operator=(const OutboundQueue&) = delete;
  ~OutboundQueue() { Clear(); }

  bool IsEmpty() const { return head_ == items_.size(); }

  // Everything queued; and the part of it that lies in memory.
  size_t bytes() const { return memory_bytes_ + range_bytes_; }
  size_t memory_bytes() const { return memory_bytes_; }

  void Append(const uint8_t* bytes, size_t length);

  // Queues a range: small ones are read now, large ones keep a duplicate of `fd`. Returns 0, or a
  // negative errno; the queue cannot be sent to its end then.
  int AppendRange(int fd, uint64_t position, size_t length);

  // Sends until the socket blocks or `budget` bytes are gone. `error` is an errno value.
  FlushResult Flush(int socket, size_t budget, int* error);

  // After kCold: what is to be read before anything goes on; the descriptor stays the queue's. The
  // owner says when that was done, or that it cannot be: the next flush sends it in any case.
  struct ColdRange {
    int file;
    uint64_t position;
    size_t length;
  };
  ColdRange Cold() const;
  void Warmed();

  void Clear();

 private:
  struct Item {
    PoolBuffer buffer;  // bytes [begin, end) of it are due
    size_t begin = 0;
    size_t end = 0;
    int file = -1;  // >= 0: a range instead, this descriptor is owned
    uint64_t position = 0;
    size_t length = 0;
    bool is_copying = false;  // sendfile does not work for this file
    uint64_t warm_until = 0;  // up to here nobody asks again whether the bytes are at hand
  };

  Item* OpenChunk(size_t wanted);
  int ReadIntoChunks(int fd, uint64_t* position, size_t* length);
  bool IsCold(Item* item) const;
  ssize_t SendBytes(int socket, bool* is_partial);
  ssize_t SendRange(int socket, bool* is_partial);
  int CopySlice();
  void DropSent(size_t count);
  void PopHead();

  BufferPool* const pool_;
  OutboundCounters* const counters_;
  std::vector<Item> items_;
  size_t head_ = 0;
  size_t memory_bytes_ = 0;
  size_t range_bytes_ = 0;
};

}  // namespace lograft
