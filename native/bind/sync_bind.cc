// Sync threads for JavaScript. Functions and callbacks run on the JavaScript thread; the one thing
// that happens on the sync thread is `uv_async_send` (in Notify).
#include <uv.h>

#include "../core/sync_queue.h"
#include "../platform/platform.h"
#include "args.h"
#include "env_state.h"
#include "functions.h"

namespace lograft::bind {
namespace {

static_assert(sizeof(SyncCounters) == kSyncCounterCount * sizeof(uint64_t), "all are exported");

class SyncThread final : public Resource {
 public:
  SyncThread(EnvState* owner, int32_t* results)
      : Resource(owner, Kind::kSyncThread),
        results_(results),
        queue_(&platform::SyncData, &platform::WriteAll, &SyncThread::Notify, this) {}

  // Returns an errno value; after a failure only Abandon may follow.
  int Start(Napi::Value results, Napi::Function on_group) {
    results_owner_ = Napi::Reference<Napi::Value>::New(results, 1);
    on_group_ = Napi::Persistent(on_group);
    uv_async_init(owner_->loop(), &async_, &SyncThread::OnNotified);
    async_.data = this;
    // Only waiting requests keep the loop alive.
    uv_unref(reinterpret_cast<uv_handle_t*>(&async_));
    return queue_.Start();
  }

  void Push(int fd) {
    AddWaiting();
    queue_.Push(fd);
  }

  // Copies the bytes: the thread may be at work on them when this environment has ended.
  void PushWrite(int fd, uint64_t position, const Bytes& bytes) {
    AddWaiting();
    queue_.PushWrite(fd, position, {bytes.data, bytes.data + bytes.length});
  }

  // Blocks until nothing is under way; returns how many results it left in the shared array.
  size_t AwaitIdle() {
    queue_.AwaitIdle();
    const size_t count = queue_.TakeResults(results_, kSyncQueueMax);
    TakeWaiting(count);
    return count;
  }

  // Ends after all requests; `on_closed` runs after the last completion.
  void Close(Napi::Function on_closed) {
    on_closed_ = Napi::Persistent(on_closed);
    uv_ref(reinterpret_cast<uv_handle_t*>(&async_));
    queue_.Finish(false);
  }

  // The thread could not be started: closes the handle.
  void Abandon() {
    is_closing_ = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&async_), &SyncThread::OnHandleClosed);
  }

  void Shutdown() override {
    if (is_closing_) return;
    uv_ref(reinterpret_cast<uv_handle_t*>(&async_));
    queue_.Finish(true);
    // The thread may have told its end before this loop was left.
    uv_async_send(&async_);
  }

  SyncCounters counters() const { return queue_.counters(); }

 private:
  // Sync thread.
  static void Notify(void* self) { uv_async_send(&static_cast<SyncThread*>(self)->async_); }

  static void OnNotified(uv_async_t* handle) { static_cast<SyncThread*>(handle->data)->Collect(); }

  void Collect() {
    if (is_closing_) return;
    // Asked before the results are taken: whatever the thread did before its end is then seen.
    const bool has_ended = queue_.HasEnded();
    const size_t count = queue_.TakeResults(results_, kSyncQueueMax);
    if (count > 0) Deliver(count);
    if (!has_ended) return;
    queue_.Join();
    is_closing_ = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&async_), &SyncThread::OnHandleClosed);
  }

  void AddWaiting() {
    if (waiting_++ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(&async_));
  }

  void TakeWaiting(size_t count) {
    waiting_ -= count;
    if (count > 0 && waiting_ == 0 && on_closed_.IsEmpty() && !owner_->is_ending()) {
      uv_unref(reinterpret_cast<uv_handle_t*>(&async_));
    }
  }

  void Deliver(size_t count) {
    TakeWaiting(count);
    Napi::HandleScope scope(owner_->env());
    owner_->Call(on_group_, {Napi::Number::New(owner_->env(), static_cast<double>(count))});
  }

  static void OnHandleClosed(uv_handle_t* handle) {
    auto* self = static_cast<SyncThread*>(handle->data);
    EnvState* owner = self->owner_;
    Napi::HandleScope scope(owner->env());
    if (!self->on_closed_.IsEmpty()) owner->Call(self->on_closed_, {});
    owner->Closed(self);
  }

  int32_t* const results_;
  SyncQueue queue_;
  uv_async_t async_ = {};
  bool is_closing_ = false;
  size_t waiting_ = 0;
  Napi::Reference<Napi::Value> results_owner_;
  Napi::FunctionReference on_group_;
  Napi::FunctionReference on_closed_;
};

SyncThread* Find(Args* args) {
  const uint32_t handle = args->Uint32(0);
  if (!args->ok()) return nullptr;
  Resource* resource = EnvState::Of(args->env())->Find(handle, Resource::Kind::kSyncThread);
  if (resource == nullptr) ThrowErrno(args->env(), EBADF, "sync thread");
  return static_cast<SyncThread*>(resource);
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  Args args(info);
  int32_t* results = args.Array<int32_t>(0, napi_int32_array, kSyncQueueMax);
  const Napi::Function on_group = args.Function(1);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  auto thread = std::make_unique<SyncThread>(state, results);
  SyncThread* opened = thread.get();
  const uint32_t handle = state->Add(std::move(thread));
  const int error = opened->Start(info[0], on_group);
  if (error == 0) return Napi::Number::New(info.Env(), handle);
  state->Forget(handle);
  opened->Abandon();
  ThrowErrno(info.Env(), error, "pthread_create");
  return info.Env().Undefined();
}

Napi::Value Push(const Napi::CallbackInfo& info) {
  Args args(info);
  SyncThread* thread = Find(&args);
  const int32_t fd = args.Int32(1);
  if (args.ok() && thread != nullptr) thread->Push(fd);
  return info.Env().Undefined();
}

Napi::Value Write(const Napi::CallbackInfo& info) {
  Args args(info);
  SyncThread* thread = Find(&args);
  const int32_t fd = args.Int32(1);
  const int64_t position = args.Integer(2);
  const Bytes bytes = args.Range(3);
  if (args.ok() && thread != nullptr) {
    thread->PushWrite(fd, static_cast<uint64_t>(position), bytes);
  }
  return info.Env().Undefined();
}

// Blocks while the thread works.
Napi::Value AwaitIdle(const Napi::CallbackInfo& info) {
  Args args(info);
  SyncThread* thread = Find(&args);
  if (!args.ok() || thread == nullptr) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(thread->AwaitIdle()));
}

Napi::Value Counters(const Napi::CallbackInfo& info) {
  Args args(info);
  SyncThread* thread = Find(&args);
  double* into = args.Array<double>(1, napi_float64_array, kSyncCounterCount);
  if (!args.ok() || thread == nullptr) return info.Env().Undefined();
  const SyncCounters counters = thread->counters();
  into[0] = static_cast<double>(counters.requests);
  into[1] = static_cast<double>(counters.groups);
  into[2] = static_cast<double>(counters.syncs);
  into[3] = static_cast<double>(counters.errors);
  into[4] = static_cast<double>(counters.slowest_group_micros);
  into[5] = static_cast<double>(counters.last_group_micros);
  into[6] = static_cast<double>(counters.stalled_writes);
  return info.Env().Undefined();
}

Napi::Value Close(const Napi::CallbackInfo& info) {
  Args args(info);
  SyncThread* thread = Find(&args);
  const Napi::Function on_closed = args.Function(1);
  if (args.ok() && thread != nullptr) thread->Close(on_closed);
  return info.Env().Undefined();
}

}  // namespace

void RegisterSync(Napi::Env env, Napi::Object exports) {
  Export<Open>(env, exports, "syncThreadOpen");
  Export<Push>(env, exports, "syncThreadPush");
  Export<Write>(env, exports, "syncThreadWrite");
  Export<AwaitIdle>(env, exports, "syncThreadAwaitIdle");
  Export<Counters>(env, exports, "syncThreadCounters");
  Export<Close>(env, exports, "syncThreadClose");
}

}  // namespace lograft::bind
