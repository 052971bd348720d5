// Tells a write that the system made wait (it throttles writers of dirty pages) from one whose
// thread merely lost its processor: only the first has given the processor away by itself. Asking
// that costs as much as a small write, so it is asked for a while after a slow write only. One
// thread's; plain state.
#pragma once

#include <chrono>
#include <cstdint>

#include "../platform/platform.h"

namespace lograft {

constexpr uint64_t kSlowWriteMicros = 2000;

class WriteWatch {
 public:
  void Begin() {
    switches_ = suspects_ > 0 ? platform::VoluntarySwitches() : 0;
    begun_ = std::chrono::steady_clock::now();
  }

  // True when the write since Begin had to wait: it was slow, and not the first slow one.
  bool End() {
    const auto time = std::chrono::steady_clock::now() - begun_;
    micros_ = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(time).count());
    const bool was_suspect = suspects_ > 0;
    if (was_suspect) suspects_--;
    if (micros_ <= kSlowWriteMicros) return false;
    suspects_ = kSuspectsMax;
    return was_suspect && (switches_ < 0 || platform::VoluntarySwitches() != switches_);
  }

  uint64_t micros() const { return micros_; }

 private:
  static constexpr int kSuspectsMax = 64;

  int suspects_ = 0;
  int64_t switches_ = 0;
  uint64_t micros_ = 0;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace lograft
