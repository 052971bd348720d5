// OutboundQueue over a socket pair whose reader is slow and random: bytes and file ranges arrive in
// the order they were queued, with sendfile and without.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "../../../native/core/outbound.h"
#include "../../../native/platform/platform.h"
#include "check.h"

namespace lograft::test {
namespace {

constexpr size_t kFileBytes = 3 * 1000 * 1000;

int MakeFile(const std::vector<uint8_t>& content) {
  char path[] = "/tmp/lograft-core-XXXXXX";
  const int fd = mkstemp(path);
  CHECK(fd >= 0);
  unlink(path);
  CHECK_EQUAL(platform::WriteAll(fd, content.data(), content.size(), 0), 0);
  return fd;
}

struct Pair {
  int left = -1;
  int right = -1;
  Pair() {
    int ends[2];
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    left = ends[0];
    right = ends[1];
    fcntl(left, F_SETFL, O_NONBLOCK);
    fcntl(right, F_SETFL, O_NONBLOCK);
  }
  ~Pair() {
    close(left);
    if (right >= 0) close(right);
  }
};

void QueueSomething(Random* random, OutboundQueue* queue, int file,
                    const std::vector<uint8_t>& content, std::vector<uint8_t>* expected) {
  const size_t kind = random->Below(3);
  if (kind == 0) {
    const std::vector<uint8_t> bytes = random->Bytes(random->Below(40000));
    queue->Append(bytes.data(), bytes.size());
    expected->insert(expected->end(), bytes.begin(), bytes.end());
    return;
  }
  const size_t length = random->Below(kind == 1 ? 60000 : 900000);
  const size_t position = random->Below(content.size() - length);
  CHECK_EQUAL(queue->AppendRange(file, position, length), 0);
  const auto from = content.begin() + static_cast<ptrdiff_t>(position);
  expected->insert(expected->end(), from, from + static_cast<ptrdiff_t>(length));
}

// What the owner of a queue does beside its loop.
void WarmUp(OutboundQueue* queue) {
  const OutboundQueue::ColdRange cold = queue->Cold();
  std::vector<uint8_t> bytes(cold.length);
  platform::ReadAll(cold.file, bytes.data(), bytes.size(), cold.position);
  queue->Warmed();
}

void TestOrder(uint64_t seed, const std::vector<uint8_t>& content, int file) {
  Random random(seed);
  Pair pair;
  BufferPool pool;
  OutboundCounters counters;
  OutboundQueue queue(&pool, &counters);
  std::vector<uint8_t> expected;
  std::vector<uint8_t> received;
  std::vector<uint8_t> buffer(100000);
  for (int step = 0; step < 60 || !queue.IsEmpty(); step++) {
    if (step < 60) QueueSomething(&random, &queue, file, content, &expected);
    int error = 0;
    const FlushResult result = queue.Flush(pair.left, 1 + random.Below(500000), &error);
    CHECK(result != FlushResult::kFailed && result != FlushResult::kShort);
    if (result == FlushResult::kCold) WarmUp(&queue);
    CHECK(queue.IsEmpty() == (queue.bytes() == 0));
    const ssize_t got = read(pair.right, buffer.data(), 1 + random.Below(buffer.size()));
    if (got > 0) received.insert(received.end(), buffer.data(), buffer.data() + got);
  }
  for (ssize_t got; (got = read(pair.right, buffer.data(), buffer.size())) > 0;) {
    received.insert(received.end(), buffer.data(), buffer.data() + got);
  }
  CHECK(received == expected);
  CHECK_EQUAL(counters.bytes_out, expected.size());
  CHECK(!platform::kHasSendfile || counters.sendfile_bytes > 0);
  CHECK_EQUAL(queue.memory_bytes(), 0);
}

void TestShortFile(int file) {
  Pair pair;
  BufferPool pool;
  OutboundCounters counters;
  OutboundQueue queue(&pool, &counters);
  CHECK_EQUAL(queue.AppendRange(file, kFileBytes, 20), -ENODATA);
  CHECK(queue.IsEmpty());
  CHECK_EQUAL(queue.AppendRange(file, kFileBytes - 10, 70000), 0);
  int error = 0;
  FlushResult result;
  do {
    result = queue.Flush(pair.left, 1 << 20, &error);
    if (result == FlushResult::kCold) WarmUp(&queue);
  } while (result == FlushResult::kBlocked || result == FlushResult::kCold);
  CHECK(result == FlushResult::kShort);
}

// Bytes that the page cache lacks are asked for before they are sent, however few they are.
void TestCold(const std::vector<uint8_t>& content, int file, size_t length) {
  CHECK_EQUAL(fsync(file), 0);
  CHECK_EQUAL(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
  // A file system that keeps its files in memory has nothing cold.
  if (platform::IsResident(file, 1000, length)) return;
  Pair pair;
  BufferPool pool;
  OutboundCounters counters;
  OutboundQueue queue(&pool, &counters);
  queue.Append(reinterpret_cast<const uint8_t*>("head"), 4);
  CHECK_EQUAL(queue.AppendRange(file, 1000, length), 0);
  CHECK_EQUAL(queue.bytes(), 4 + length);
  std::vector<uint8_t> received;
  std::vector<uint8_t> buffer(100000);
  int error = 0;
  for (FlushResult result = FlushResult::kBlocked; result != FlushResult::kEmpty;) {
    result = queue.Flush(pair.left, 1 << 20, &error);
    CHECK(result != FlushResult::kFailed && result != FlushResult::kShort);
    if (result == FlushResult::kCold) WarmUp(&queue);
    for (ssize_t got; (got = read(pair.right, buffer.data(), buffer.size())) > 0;) {
      received.insert(received.end(), buffer.data(), buffer.data() + got);
    }
  }
  // Asking for a few bytes may have brought them already.
  CHECK(counters.cold_ranges >= 1 || length < kSendfileBytesMin);
  CHECK(std::memcmp(received.data(), "head", 4) == 0);
  CHECK(std::memcmp(received.data() + 4, content.data() + 1000, length) == 0);
  CHECK_EQUAL(received.size(), 4 + length);
}

void TestClosedPeer() {
  Pair pair;
  close(pair.right);
  pair.right = -1;
  BufferPool pool;
  OutboundCounters counters;
  OutboundQueue queue(&pool, &counters);
  queue.Append(reinterpret_cast<const uint8_t*>("x"), 1);
  int error = 0;
  CHECK(queue.Flush(pair.left, 1000, &error) == FlushResult::kFailed);
  CHECK_EQUAL(error, EPIPE);
}

}  // namespace

void TestOutbound() {
  Random random(3);
  const std::vector<uint8_t> content = random.Bytes(kFileBytes);
  const int file = MakeFile(content);
  for (uint64_t seed = 1; seed <= 8; seed++) TestOrder(seed, content, file);
  for (const size_t length : {100, 60000, 70000, 2500000}) TestCold(content, file, length);
  TestShortFile(file);
  TestClosedPeer();
  close(file);
}

}  // namespace lograft::test
