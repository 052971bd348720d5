#include "sync_queue.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "../platform/platform.h"

namespace lograft {
namespace {

uint64_t MonotonicMicros() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

int SyncQueue::Start() {
  const int error = platform::StartThread(&thread_, &SyncQueue::ThreadMain, this);
  is_started_ = error == 0;
  return error;
}

void SyncQueue::Push(int fd) { PushRequest({fd, false, 0, {}}); }

void SyncQueue::PushWrite(int fd, uint64_t position, std::vector<uint8_t> bytes) {
  PushRequest({fd, true, position, std::move(bytes)});
}

void SyncQueue::PushRequest(Request request) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(request));
    counters_.requests++;
  }
  changed_.notify_one();
}

void SyncQueue::AwaitIdle() {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait(lock, [this] { return (waiting_.empty() && !is_working_) || has_ended_; });
}

size_t SyncQueue::TakeResults(int32_t* results, size_t max) {
  std::lock_guard<std::mutex> lock(mutex_);
  const size_t count = std::min(max, finished_.size());
  std::copy_n(finished_.begin(), count, results);
  finished_.erase(finished_.begin(), finished_.begin() + static_cast<ptrdiff_t>(count));
  taken_ += count;
  for (Failure& failure : failures_) {
    const bool is_news = failure.blind_until == UINT64_MAX && taken_ >= failure.known_after;
    if (is_news) failure.blind_until = counters_.requests;
  }
  return count;
}

void SyncQueue::Finish(bool discard) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_finishing_ = true;
    is_discarding_ = is_discarding_ || discard;
  }
  changed_.notify_one();
}

bool SyncQueue::HasEnded() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return has_ended_;
}

void SyncQueue::Join() {
  if (!is_started_) return;
  Finish(true);
  pthread_join(thread_, nullptr);
  is_started_ = false;
}

SyncCounters SyncQueue::counters() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return counters_;
}

// Sync thread.
void* SyncQueue::ThreadMain(void* self) {
  static_cast<SyncQueue*>(self)->Run();
  return nullptr;
}

// Sync thread.
void SyncQueue::Run() {
  std::vector<Request> group;
  std::vector<int32_t> results;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || is_finishing_; });
      if (waiting_.empty() || is_discarding_) break;
      group.swap(waiting_);
      is_working_ = true;
    }
    const uint64_t begun = MonotonicMicros();
    WorkOff(group, &results);
    const uint64_t micros = MonotonicMicros() - begun;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      finished_.insert(finished_.end(), results.begin(), results.end());
      group_first_ += group.size();
      counters_.groups++;
      counters_.last_group_micros = micros;
      counters_.slowest_group_micros = std::max(counters_.slowest_group_micros, micros);
      is_working_ = false;
    }
    idle_.notify_all();
    group.clear();
    results.clear();
    notify_(context_);
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    has_ended_ = true;
  }
  idle_.notify_all();
  notify_(context_);
}

// Sync thread.
bool SyncQueue::IsDiscarding() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return is_discarding_;
}

// Sync thread. Writes first: a sync of the same group covers them.
void SyncQueue::WorkOff(const std::vector<Request>& group, std::vector<int32_t>* results) {
  results->assign(group.size(), 0);
  std::vector<int> files;
  for (size_t i = 0; i < group.size(); i++) {
    if (group[i].is_write) {
      (*results)[i] = Write(group[i]);
    } else {
      files.push_back(group[i].fd);
    }
  }
  if (files.empty()) return;
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  std::vector<int32_t> outcomes;
  SyncFiles(files, &outcomes, group.size());
  for (size_t i = 0; i < group.size(); i++) {
    if (group[i].is_write) continue;
    const auto at = std::lower_bound(files.begin(), files.end(), group[i].fd) - files.begin();
    (*results)[i] = outcomes[static_cast<size_t>(at)];
  }
}

// Sync thread.
int32_t SyncQueue::Write(const Request& request) {
  if (IsDiscarding()) return ECANCELED;
  watch_.Begin();
  const int32_t outcome =
      write_(request.fd, request.bytes.data(), request.bytes.size(), request.position);
  if (watch_.End()) {
    std::lock_guard<std::mutex> lock(mutex_);
    counters_.stalled_writes++;
  }
  return outcome;
}

// Sync thread. `group_size` is that of the whole group, which the failures are known after.
void SyncQueue::SyncFiles(const std::vector<int>& files, std::vector<int32_t>* outcomes,
                          size_t group_size) {
  outcomes->reserve(files.size());
  uint64_t errors = 0;
  for (const int fd : files) {
    const int32_t outcome = IsDiscarding() ? ECANCELED : Sync(fd);
    if (outcome != 0) errors++;
    outcomes->push_back(outcome);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < files.size(); i++) {
    const int32_t outcome = (*outcomes)[i];
    if (outcome == 0 || outcome == ECANCELED) continue;
    failures_.push_back({files[i], outcome, UINT64_MAX, group_first_ - 1 + group_size});
  }
  counters_.syncs += files.size();
  counters_.errors += errors;
}

// Sync thread.
int32_t SyncQueue::Sync(int fd) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto is_over = [this](const Failure& failure) {
      return failure.blind_until < group_first_;
    };
    failures_.erase(std::remove_if(failures_.begin(), failures_.end(), is_over), failures_.end());
    for (const Failure& failure : failures_)
      if (failure.fd == fd) return failure.error;
  }
  return sync_(fd);
}

}  // namespace lograft
