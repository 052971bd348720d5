// Reads the arguments of a native call. JavaScript thread only. A wrong argument throws a TypeError
// or RangeError in JavaScript and makes ok() false; the caller returns at once then.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace lograft::bind {

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

class Args {
 public:
  explicit Args(const Napi::CallbackInfo& info) : info_(info) {}

  bool ok() const { return is_ok_; }
  Napi::Env env() const { return info_.Env(); }

  bool IsUndefined(size_t index) const { return info_[index].IsUndefined(); }
  int32_t Int32(size_t index);
  uint32_t Uint32(size_t index);
  // A safe integer; `min` is the smallest allowed.
  int64_t Integer(size_t index, int64_t min = 0);
  bool Bool(size_t index);
  std::string String(size_t index);
  Napi::Function Function(size_t index);

  // A whole Uint8Array.
  Bytes View(size_t index) { return ViewOf(info_[index]); }
  Bytes ViewOf(napi_value value);
  // bytes[start, start + length) from three arguments beginning at `index`.
  Bytes Range(size_t index);
  // bytes[start, its end) from two arguments.
  Bytes From(size_t index);

  template <typename T>
  T* Array(size_t index, napi_typedarray_type type, size_t length_min) {
    return static_cast<T*>(ArrayData(index, type, length_min));
  }

 private:
  void* ArrayData(size_t index, napi_typedarray_type type, size_t length_min);
  void Fail(bool is_range, const char* message);

  const Napi::CallbackInfo& info_;
  bool is_ok_ = true;
};

// Throws an Error like Node's own: code, errno (negative), syscall, and path where there is one.
void ThrowErrno(Napi::Env env, int error, const char* syscall, const std::string& path = "");

}  // namespace lograft::bind
