// Group commit on one thread of its own: requests that arrive while a group is being made durable
// form the next group, and a file asked for several times in a group is synced once. Results come
// out in the order of the requests. Nothing is retried: who asked for a file before he could know
// that a sync of it had failed is told that error, for another sync would go well without the pages
// that are lost. Writes that would hold up their thread are done here, too: those of a group in
// their order and before its syncs. What a failed write means for later requests is for whoever
// made them to say.
//
//   owner's thread: Start, Push, PushWrite, AwaitIdle, TakeResults, Finish, Join, counters
//   sync thread:    Run, and the call of `notify`
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "write_watch.h"

namespace lograft {

struct SyncCounters {
  uint64_t requests = 0;
  uint64_t groups = 0;
  uint64_t syncs = 0;
  uint64_t errors = 0;
  uint64_t slowest_group_micros = 0;
  uint64_t last_group_micros = 0;
  // Writes that the system made wait.
  uint64_t stalled_writes = 0;
};

class SyncQueue {
 public:
  using SyncFunction = int (*)(int fd);
  using WriteFunction = int (*)(int fd, const uint8_t* bytes, size_t length, uint64_t position);
  using NotifyFunction = void (*)(void* context);

  // `sync` and `write` return 0 or an errno value. `notify` runs on the sync thread after each
  // group and once when the thread ends.
  SyncQueue(SyncFunction sync, WriteFunction write, NotifyFunction notify, void* context)
      : sync_(sync), write_(write), notify_(notify), context_(context) {}
  SyncQueue(const SyncQueue&) = delete;
  SyncQueue& operator=(const SyncQueue&) = delete;
  ~SyncQueue() { Join(); }

  // Begins the thread; returns an errno value.
  int Start();

  void Push(int fd);

  // Takes the bytes: nobody else looks at them any more.
  void PushWrite(int fd, uint64_t position, std::vector<uint8_t> bytes);

  // Blocks until all that was pushed is done; its results wait to be taken.
  void AwaitIdle();

  // Moves up to `max` results (0 or an errno value each) out, oldest first.
  size_t TakeResults(int32_t* results, size_t max);

  // Ends the thread: after all that was pushed, or with `discard` after the sync it is in.
  void Finish(bool discard);

  // Whether the thread has run its last instruction that matters; Join returns at once then.
  bool HasEnded() const;

  void Join();

  SyncCounters counters() const;

 private:
  // A write or, without bytes, a sync.
  struct Request {
    int fd;
    bool is_write;
    uint64_t position;
    std::vector<uint8_t> bytes;
  };

  static void* ThreadMain(void* self);
  void PushRequest(Request request);
  void Run();
  bool IsDiscarding() const;
  void WorkOff(const std::vector<Request>& group, std::vector<int32_t>* results);
  int32_t Write(const Request& request);
  void SyncFiles(const std::vector<int>& files, std::vector<int32_t>* outcomes,
                 size_t group_size);
  int32_t Sync(int fd);

  struct Failure {
    int fd;
    int32_t error;
    // Requests up to this number, counted from 1, were made in ignorance of it.
    uint64_t blind_until;
    // It is known once so many results were taken.
    uint64_t known_after;
  };

  const SyncFunction sync_;
  const WriteFunction write_;
  WriteWatch watch_;  // sync thread only
  const NotifyFunction notify_;
  void* const context_;
  pthread_t thread_ = {};
  bool is_started_ = false;  // owner's thread only

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::condition_variable idle_;
  bool is_working_ = false;
  std::vector<Request> waiting_;
  std::vector<int32_t> finished_;
  std::vector<Failure> failures_;
  uint64_t taken_ = 0;
  // Number of the first request of the group under way.
  uint64_t group_first_ = 1;
  SyncCounters counters_;
  bool is_finishing_ = false;
  bool is_discarding_ = false;
  bool has_ended_ = false;
};

}  // namespace lograft
