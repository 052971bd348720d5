// SyncQueue with an injected sync function: order of results, one sync per file and group, errors
// of one file, writes before the syncs of their group, and an end that waits or discards.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

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

std::string written;

int FakeWrite(int fd, const uint8_t* bytes, size_t length, uint64_t position) {
  const std::lock_guard<std::mutex> lock(gate);
  if (fd == kBadFile) return ENOSPC;
  // Nothing was synced before: a sync covers the writes of its group.
  written += std::to_string(calls) + ":" + std::to_string(position) + ":";
  written.append(bytes, bytes + length);
  return 0;
}

std::vector<uint8_t> Bytes(const char* text) { return {text, text + strlen(text)}; }

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
  SyncQueue queue(&FakeSync, &FakeWrite, &Ignore, nullptr);
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
  SyncQueue queue(&FakeSync, &FakeWrite, &Ignore, nullptr);
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

void TestWrites() {
  calls = 0;
  written.clear();
  SyncQueue queue(&FakeSync, &FakeWrite, &Ignore, nullptr);
  CHECK_EQUAL(queue.Start(), 0);
  {
    const std::lock_guard<std::mutex> lock(gate);
    queue.Push(1);
    while (queue.counters().requests == 0) usleep(100);
    usleep(20000);
    queue.PushWrite(2, 10, Bytes("ab"));
    queue.Push(2);
    queue.PushWrite(kBadFile, 0, Bytes("x"));
    queue.PushWrite(2, 12, Bytes("c"));
  }
  queue.AwaitIdle();
  std::vector<int32_t> results(8);
  CHECK_EQUAL(queue.TakeResults(results.data(), 8), 5);
  results.resize(5);
  CHECK((results == std::vector<int32_t>{0, 0, 0, ENOSPC, 0}));
  CHECK((written == "1:10:ab1:12:c"));
  CHECK_EQUAL(calls.load(), 2);
  queue.AwaitIdle();
}

void TestFinishWorksOff() {
  SyncQueue queue(&FakeSync, &FakeWrite, &Ignore, nullptr);
  CHECK_EQUAL(queue.Start(), 0);
  for (int i = 0; i < 1000; i++) queue.Push(i);
  queue.Finish(false);
  while (!queue.HasEnded()) usleep(100);
  CHECK_EQUAL(TakeAll(&queue, 1000).size(), 1000);
}

void TestDestroyedAtWork() {
  for (int i = 0; i < 50; i++) {
    SyncQueue queue(&FakeSync, &FakeWrite, &Ignore, nullptr);
    CHECK_EQUAL(queue.Start(), 0);
    for (int fd = 0; fd < i; fd++) queue.Push(fd);
  }
}

}  // namespace

void TestSyncQueue() {
  TestGroups();
  TestErrorForTheIgnorant();
  TestWrites();
  TestFinishWorksOff();
  TestDestroyedAtWork();
}

}  // namespace lograft::test
