// Positioned file access. Every function: JavaScript thread, and blocks it while the kernel works
// (microseconds for the page cache; `syncFile` and `syncDirectory` wait for the disk).
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "../core/write_watch.h"
#include "../platform/platform.h"
#include "args.h"
#include "env_state.h"
#include "functions.h"

namespace lograft::bind {
namespace {

// True when the system made this write wait.
bool CountWrite(EnvState* state, size_t bytes) {
  const bool has_waited = state->write_watch.End();
  const uint64_t micros = state->write_watch.micros();
  FileCounters& counters = state->file_counters;
  counters.write_calls++;
  counters.write_bytes += bytes;
  counters.last_write_micros = micros;
  counters.slowest_write_micros = std::max(counters.slowest_write_micros, micros);
  if (micros > kSlowWriteMicros) counters.slow_writes++;
  return has_waited;
}

Napi::Value WriteAtCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t fd = args.Int32(0);
  const int64_t position = args.Integer(1);
  const Bytes bytes = args.Range(2);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  state->write_watch.Begin();
  const int error =
      platform::WriteAll(fd, bytes.data, bytes.length, static_cast<uint64_t>(position));
  const bool has_waited = CountWrite(state, bytes.length);
  if (error != 0) ThrowErrno(info.Env(), error, "write");
  return Napi::Boolean::New(info.Env(), has_waited);
}

Napi::Value WriteListAtCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t fd = args.Int32(0);
  const int64_t position = args.Integer(1);
  if (!info[2].IsArray()) {
    Napi::TypeError::New(info.Env(), "expected an array of views").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const Napi::Array views = info[2].As<Napi::Array>();
  std::vector<iovec> parts;
  parts.reserve(views.Length());
  size_t total = 0;
  for (uint32_t i = 0; i < views.Length() && args.ok(); i++) {
    const Bytes view = args.ViewOf(views.Get(i));
    if (view.length == 0) continue;
    parts.push_back({view.data, view.length});
    total += view.length;
  }
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  state->write_watch.Begin();
  const int error =
      platform::WriteAllParts(fd, parts.data(), parts.size(), static_cast<uint64_t>(position));
  CountWrite(state, total);
  if (error != 0) ThrowErrno(info.Env(), error, "write");
  return Napi::Number::New(info.Env(), static_cast<double>(total));
}

Napi::Value ReadAtCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t fd = args.Int32(0);
  const int64_t position = args.Integer(1);
  const Bytes bytes = args.Range(2);
  if (!args.ok()) return info.Env().Undefined();
  const int64_t got =
      platform::ReadAll(fd, bytes.data, bytes.length, static_cast<uint64_t>(position));
  if (got < 0) {
    ThrowErrno(info.Env(), static_cast<int>(-got), "read");
    return info.Env().Undefined();
  }
  FileCounters& counters = EnvState::Of(info.Env())->file_counters;
  counters.read_calls++;
  counters.read_bytes += static_cast<uint64_t>(got);
  return Napi::Number::New(info.Env(), static_cast<double>(got));
}

Napi::Value AllocateCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t fd = args.Int32(0);
  const int64_t from = args.Integer(1);
  const int64_t length = args.Integer(2);
  const bool keep_size = args.Bool(3);
  if (!args.ok() || length == 0) return info.Env().Undefined();
  const int error = platform::Allocate(fd, static_cast<uint64_t>(from),
                                       static_cast<uint64_t>(length), keep_size);
  if (error != 0) ThrowErrno(info.Env(), error, "fallocate");
  return info.Env().Undefined();
}

Napi::Value SyncFileCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t fd = args.Int32(0);
  if (!args.ok()) return info.Env().Undefined();
  const int error = platform::SyncData(fd);
  EnvState::Of(info.Env())->file_counters.sync_calls++;
  if (error != 0) ThrowErrno(info.Env(), error, "fdatasync");
  return info.Env().Undefined();
}

// Throws EAGAIN when another descriptor holds the lock.
Napi::Value LockFileCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.String(0);
  if (!args.ok()) return info.Env().Undefined();
  const int fd = platform::OpenLocked(path);
  if (fd >= 0) return Napi::Number::New(info.Env(), fd);
  ThrowErrno(info.Env(), -fd, "flock", path);
  return info.Env().Undefined();
}

Napi::Value UnlockFileCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t fd = args.Int32(0);
  if (args.ok()) close(fd);
  return info.Env().Undefined();
}

Napi::Value SyncDirectoryCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.String(0);
  if (!args.ok()) return info.Env().Undefined();
  const int error = platform::SyncDirectory(path);
  EnvState::Of(info.Env())->file_counters.sync_calls++;
  if (error != 0) ThrowErrno(info.Env(), error, "fsync", path);
  return info.Env().Undefined();
}

Napi::Value FreeBytesCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.String(0);
  if (!args.ok()) return info.Env().Undefined();
  const int64_t bytes = platform::FreeBytes(path);
  if (bytes >= 0) return Napi::Number::New(info.Env(), static_cast<double>(bytes));
  ThrowErrno(info.Env(), static_cast<int>(-bytes), "statvfs", path);
  return info.Env().Undefined();
}

// As text: no number of JavaScript holds all of it.
Napi::Value UniqueMountIdCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.String(0);
  if (!args.ok()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), std::to_string(platform::UniqueMountId(path)));
}

Napi::Value FileCountersCall(const Napi::CallbackInfo& info) {
  Args args(info);
  double* into = args.Array<double>(0, napi_float64_array, kFileCounterCount);
  if (!args.ok()) return info.Env().Undefined();
  const FileCounters& counters = EnvState::Of(info.Env())->file_counters;
  const uint64_t values[kFileCounterCount] = {
      counters.write_calls,       counters.write_bytes, counters.slow_writes,
      counters.slowest_write_micros, counters.last_write_micros, counters.read_calls,
      counters.read_bytes,        counters.sync_calls,
  };
  std::transform(values, values + kFileCounterCount, into,
                 [](uint64_t value) { return static_cast<double>(value); });
  return info.Env().Undefined();
}

}  // namespace

void RegisterFiles(Napi::Env env, Napi::Object exports) {
  Export<WriteAtCall>(env, exports, "writeAt");
  Export<WriteListAtCall>(env, exports, "writeListAt");
  Export<ReadAtCall>(env, exports, "readAt");
  Export<AllocateCall>(env, exports, "allocate");
  Export<SyncFileCall>(env, exports, "syncFile");
  Export<LockFileCall>(env, exports, "lockFile");
  Export<UnlockFileCall>(env, exports, "unlockFile");
  Export<SyncDirectoryCall>(env, exports, "syncDirectory");
  Export<FreeBytesCall>(env, exports, "freeBytes");
  Export<UniqueMountIdCall>(env, exports, "uniqueMountId");
  Export<FileCountersCall>(env, exports, "fileCounters");
}

}  // namespace lograft::bind
