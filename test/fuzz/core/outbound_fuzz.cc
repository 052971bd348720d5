// OutboundQueue over a socket pair: bytes and file ranges of any size, flushes of any budget, a
// reader of any speed. What is read is what was queued, in that order, and the queue's own count of
// bytes is right at every step. Ranges behind the end of the file end the connection, cleanly.
#include "../../../native/core/outbound.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "../../../native/platform/platform.h"
#include "../../native/core/check.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

constexpr size_t kFileBytes = 400 * 1000;
constexpr size_t kQueuedBytesMax = 500 * 1000;

const std::vector<uint8_t>& Content() {
  static const std::vector<uint8_t> content = [] {
    test::Random random(7);
    return random.Bytes(kFileBytes);
  }();
  return content;
}

int MakeFile() {
  const std::vector<uint8_t>& content = Content();
  const int fd = memfd_create("lograft-fuzz", MFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK(platform::WriteAll(fd, content.data(), content.size(), 0) == 0);
  return fd;
}

class Run {
 public:
  Run() : queue_(&pool_, &counters_) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_) == 0);
  }
  ~Run() {
    close(ends_[0]);
    close(ends_[1]);
  }

  void Play(Input in) {
    while (!in.IsAtEnd() && expected_.size() < kQueuedBytesMax) {
      const uint8_t op = in.U8();
      const size_t argument = in.U16();
      if (!Step(op, argument)) return;
      CHECK(queue_.bytes() + counters_.bytes_out == expected_.size());
      CHECK(queue_.memory_bytes() <= queue_.bytes());
      CHECK(queue_.IsEmpty() == (queue_.bytes() == 0));
    }
    for (int calls = 0; !queue_.IsEmpty(); calls++) {
      CHECK(calls < 10000);
      if (!Flush(SIZE_MAX)) return;
      Receive(SIZE_MAX);
    }
    Receive(SIZE_MAX);
    CHECK(received_ == expected_.size());
    CHECK(counters_.bytes_out == expected_.size());
  }

 private:
  bool Step(uint8_t op, size_t argument) {
    switch (op % 8) {
      case 0:
      case 1:
        Append(op < 128 ? argument % 600 : argument);
        return true;
      case 2:
        return AppendRange(argument * 7, op * 40 + argument % 512);
      case 3:
        return AppendRange(argument * 6, kSendfileBytesMin + argument);
      case 4:
        return Flush(argument + 1);
      case 5:
        return Flush(SIZE_MAX);
      case 6:
        Receive(argument);
        return true;
      default:
        Receive(SIZE_MAX);
        return true;
    }
  }

  void Append(size_t length) {
    const uint8_t* bytes = PatternAt(expected_.size());
    queue_.Append(bytes, length);
    expected_.insert(expected_.end(), bytes, bytes + length);
  }

  // False when the range ends behind the file, which is noticed now or when its turn comes.
  bool AppendRange(size_t position, size_t length) {
    static const int file = MakeFile();
    const int error = queue_.AppendRange(file, position, length);
    is_short_ = length > 0 && position + length > kFileBytes;
    if (length < kSendfileBytesMin) {
      CHECK(error == (is_short_ ? -ENODATA : 0));
      if (is_short_) return false;
    }
    CHECK(error == 0);
    if (is_short_) {
      // Flush until the end of the file has been met; only what lies in front of it was sent.
      for (int calls = 0; Flush(SIZE_MAX); calls++) {
        CHECK(calls < 10000);
        Receive(SIZE_MAX);
      }
      return false;
    }
    const auto from = Content().begin() + static_cast<ptrdiff_t>(position);
    expected_.insert(expected_.end(), from, from + static_cast<ptrdiff_t>(length));
    return true;
  }

  // False when the connection has to end.
  bool Flush(size_t budget) {
    int error = 0;
    switch (queue_.Flush(ends_[0], budget, &error)) {
      case FlushResult::kEmpty:
        CHECK(queue_.IsEmpty());
        return true;
      case FlushResult::kBlocked:
      case FlushResult::kBudget:
        return true;
      case FlushResult::kCold:  // what lies behind the end of the file is never at hand
        queue_.Warmed();
        return true;
      case FlushResult::kShort:
        CHECK(is_short_);
        return false;
      case FlushResult::kFailed:
        break;
    }
    CHECK(error == 0);
    return false;
  }

  void Receive(size_t limit) {
    static uint8_t buffer[64 * 1024];
    while (limit > 0) {
      const ssize_t got = recv(ends_[1], buffer, std::min(limit, sizeof buffer), 0);
      if (got <= 0) return;
      const size_t count = static_cast<size_t>(got);
      const size_t known = expected_.size() - received_;
      const size_t checked = std::min(count, known);
      CHECK(is_short_ || checked == count);
      CHECK(checked == 0 || std::memcmp(buffer, expected_.data() + received_, checked) == 0);
      received_ += checked;
      limit -= count;
    }
  }

  BufferPool pool_;
  OutboundCounters counters_;
  OutboundQueue queue_;
  int ends_[2];
  std::vector<uint8_t> expected_;
  size_t received_ = 0;
  bool is_short_ = false;
};

}  // namespace
void FuzzOutbound(Input in) {
  Run run;
  run.Play(in);
}

}  // namespace lograft::fuzz
