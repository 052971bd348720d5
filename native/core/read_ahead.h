// Reads parts of files into the page cache on a thread of its own, so that a loop that is about to
// send them need not wait for the disk. One part after the other; nothing is kept of what was read,
// and errors are not told: who sends the part will meet them.
//
//   owner's thread:     Start, Push, TakeDone, Join
//   read-ahead thread:  Run, and the call of `notify`
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace lograft {

class ReadAhead {
 public:
  using NotifyFunction = void (*)(void* context);

  // `notify` runs on the read-ahead thread after each part.
  ReadAhead(NotifyFunction notify, void* context) : notify_(notify), context_(context) {}
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead() { Join(); }

  // Begins the thread; returns an errno value.
  int Start();

  // Owns `fd` from here on. `id` comes out of TakeDone.
  void Push(uint32_t id, int fd, uint64_t position, size_t length);

  // Whose parts have been read since the last call.
  std::vector<uint32_t> TakeDone();

  // Ends the thread after the read that it is in; what waits is closed unread.
  void Join();

 private:
  struct Part {
    uint32_t id;
    int fd;
    uint64_t position;
    size_t length;
  };

  static void* ThreadMain(void* self);
  void Run();

  const NotifyFunction notify_;
  void* const context_;
  pthread_t thread_ = {};
  bool is_started_ = false;  // owner's thread only

  std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::deque<Part> waiting_;
  std::vector<uint32_t> done_;
  bool is_ending_ = false;
};

}  // namespace lograft
