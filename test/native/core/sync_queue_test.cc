// SyncQueue with an injected sync function: order of results, one sync per file and group, errors
// of one file, and an end that waits or discards.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "../../../native/core/sync_queue.h"
#include "check.h"

namespace lograft::test {
namespace {

constexpr int kBadFile = 66;

std::atomic<int> calls{0};
std::mutex gate;

int FakeSync(int fd) {
  const std::lock_guard<std::mutex> lock(gate);
  calls++;
  return fd == kBadFile ? EIO : 0;
}

void Ignore(void*) {}

std::vector<int32_t> TakeAll(SyncQueue* queue, size_t count) {
  std::vector<int32_t> results(count);
  size_t have = 0;
  while (have < count) {
    have += queue->TakeResults(results.data() + have, count - have);
    if (have < count) usleep(200);
  }
  return results;
}

void TestGroups() {
  calls = 0;
  SyncQueue queue(&FakeSync, &Ignore, nullptr);
  CHECK_EQUAL(queue.Start(), 0);
  {
    // The first group is held inside its sync while a second one gathers.
    const std::lock_guard<std::mutex> lock(gate);
    queue.Push(1);
    while (queue.counters().requests == 0) usleep(100);
    usleep(20000);
    for (const int fd : {2, kBadFile, 2, 3, kBadFile, 3, 3}) queue.Push(fd);
  }
  const std::vector<int32_t> results = TakeAll(&queue, 8);
  CHECK((results == std::vector<int32_t>{0, 0, EIO, 0, 0, EIO, 0, 0}));
  CHECK_EQUAL(calls.load(), 4);
  const SyncCounters counters = queue.counters();
  CHECK_EQUAL(counters.requests, 8);
  CHECK_EQUAL(counters.groups, 2);
  CHECK_EQUAL(counters.syncs, 4);
  CHECK_EQUAL(counters.errors, 1);
}

// Who asked while the failing sync ran did not know of it; who asks afterwards does.
void TestErrorForTheIgnorant() {
  calls = 0;
  SyncQueue queue(&FakeSync, &Ignore, nullptr);
  CHECK_EQUAL(queue.Start(), 0);
  {
    const std::lock_guard<std::mutex> lock(gate);
    queue.Push(kBadFile);
    usleep(20000);
    queue.Push(kBadFile);
    queue.Push(1);
  }
  const std::vector<int32_t> results = TakeAll(&queue, 3);
  CHECK((results == std::vector<int32_t>{EIO, EIO, 0}));
  CHECK_EQUAL(calls.load(), 2);
  queue.Push(kBadFile);
  CHECK_EQUAL(TakeAll(&queue, 1)[0], EIO);
  CHECK_EQUAL(calls.load(), 3);
}

void TestFinishWorksOff() {
  SyncQueue queue(&FakeSync, &Ignore, nullptr);
  CHECK_EQUAL(queue.Start(), 0);
  for (int i = 0; i < 1000; i++) queue.Push(i);
  queue.Finish(false);
  while (!queue.HasEnded()) usleep(100);
  CHECK_EQUAL(TakeAll(&queue, 1000).size(), 1000);
}

void TestDestroyedAtWork() {
  for (int i = 0; i < 50; i++) {
    SyncQueue queue(&FakeSync, &Ignore, nullptr);
    CHECK_EQUAL(queue.Start(), 0);
    for (int fd = 0; fd < i; fd++) queue.Push(fd);
  }
}

}  // namespace

void TestSyncQueue() {
  TestGroups();
  TestErrorForTheIgnorant();
  TestFinishWorksOff();
  TestDestroyedAtWork();
}

}  // namespace lograft::test
