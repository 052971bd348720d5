// The addon's state of one environment (main thread or worker); the only place that owns any.
// JavaScript thread of that environment only.
//
// Resources are native objects with libuv handles (socket layers, sync threads). JavaScript knows
// them by number. When the environment ends, an async cleanup hook shuts all of them down and tells
// Node only after their last handle is closed: a worker that ends with an open handle would abort
// the process.
#pragma once

#include <napi.h>
#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "../core/record_cutter.h"
#include "../core/record_teller.h"
#include "../core/write_watch.h"

namespace lograft::bind {

class EnvState;

class Resource {
 public:
  enum class Kind { kSyncThread, kSocketLayer };

  Resource(EnvState* owner, Kind kind) : owner_(owner), kind_(kind) {}
  virtual ~Resource() = default;
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  Kind kind() const { return kind_; }

  // The environment ends: closes everything without entering JavaScript. `owner_->Closed(this)`
  // follows from the loop, never at once. May be called while an ordinary close is under way.
  virtual void Shutdown() = 0;

 protected:
  EnvState* const owner_;

 private:
  const Kind kind_;
};

struct FileCounters {
  uint64_t write_calls = 0;
  uint64_t write_bytes = 0;
  uint64_t slow_writes = 0;
  uint64_t slowest_write_micros = 0;
  uint64_t last_write_micros = 0;
  uint64_t read_calls = 0;
  uint64_t read_bytes = 0;
  uint64_t sync_calls = 0;
};
constexpr size_t kFileCounterCount = 8;
constexpr size_t kSyncCounterCount = 7;
// Requests that may wait for one sync thread: the length of its array of results.
constexpr size_t kSyncQueueMax = 16 * 1024;

class EnvState {
 public:
  explicit EnvState(Napi::Env env);
  ~EnvState();
  EnvState(const EnvState&) = delete;
  EnvState& operator=(const EnvState&) = delete;

  static EnvState* Of(Napi::Env env) { return env.GetInstanceData<EnvState>(); }

  Napi::Env env() const { return env_; }
  uv_loop_t* loop() const { return loop_; }
  bool is_ending() const { return is_ending_; }

  // Takes ownership; returns the resource's number.
  uint32_t Add(std::unique_ptr<Resource> resource);
  // The resource of that number and kind, or nullptr when it was forgotten.
  Resource* Find(uint32_t handle, Resource::Kind kind) const;
  // JavaScript may no longer use the number; the resource lives until it says Closed.
  void Forget(uint32_t handle);
  // Deletes the resource. Its handles are closed.
  void Closed(Resource* resource);

  // Enters JavaScript from the loop; microtasks and ticks run after it. An exception becomes an
  // uncaught one.
  void Call(const Napi::FunctionReference& function, std::initializer_list<napi_value> arguments);

  FileCounters file_counters;
  WriteWatch write_watch;
  double* batch_fields = nullptr;
  Napi::Reference<Napi::Value> batch_fields_owner;
  RecordCutter cutter;
  int32_t* cut_fields = nullptr;
  Napi::Reference<Napi::Value> cut_fields_owner;
  RecordTeller teller;
  double* tell_fields = nullptr;
  Napi::Reference<Napi::Value> tell_fields_owner;

 private:
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void* self);
  void MaybeFinishCleanup();

  const Napi::Env env_;
  uv_loop_t* loop_ = nullptr;
  bool is_ending_ = false;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::vector<Resource*> by_handle_;  // index + 1 is the number
  std::vector<std::unique_ptr<Resource>> resources_;
};

}  // namespace lograft::bind
