#include "read_ahead.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "../platform/platform.h"

namespace lograft {
namespace {

constexpr size_t kPieceBytes = 128 * 1024;

}  // namespace

int ReadAhead::Start() {
  const int error = platform::StartThread(&thread_, &ReadAhead::ThreadMain, this);
  is_started_ = error == 0;
  return error;
}

void ReadAhead::Push(uint32_t id, int fd, uint64_t position, size_t length) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back({id, fd, position, length});
  }
  changed_.notify_one();
}

std::vector<uint32_t> ReadAhead::TakeDone() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(done_, {});
}

void ReadAhead::Join() {
  if (!is_started_) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  pthread_join(thread_, nullptr);
  is_started_ = false;
  for (const Part& part : waiting_) close(part.fd);
  waiting_.clear();
}

// Read-ahead thread.
void* ReadAhead::ThreadMain(void* self) {
  static_cast<ReadAhead*>(self)->Run();
  return nullptr;
}

// Read-ahead thread.
void ReadAhead::Run() {
  std::vector<uint8_t> bytes(kPieceBytes);
  for (;;) {
    Part part;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || is_ending_; });
      if (is_ending_) return;
      part = waiting_.front();
      waiting_.pop_front();
    }
    platform::WillRead(part.fd, part.position, part.length);
    for (size_t at = 0; at < part.length; at += kPieceBytes) {
      const size_t wanted = std::min(kPieceBytes, part.length - at);
      const int64_t got = platform::ReadAll(part.fd, bytes.data(), wanted, part.position + at);
      if (got < static_cast<int64_t>(wanted)) break;
    }
    close(part.fd);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      done_.push_back(part.id);
    }
    notify_(context_);
  }
}

}  // namespace lograft
