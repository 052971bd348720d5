#include "args.h"

#include <uv.h>

namespace lograft::bind {
namespace {

constexpr double kSafeIntegerMax = 9007199254740991.0;

}  // namespace

int32_t Args::Int32(size_t index) {
  return static_cast<int32_t>(Integer(index, INT32_MIN));
}

uint32_t Args::Uint32(size_t index) {
  const int64_t value = Integer(index);
  if (is_ok_ && value > UINT32_MAX) Fail(true, "number does not fit 32 bits");
  return static_cast<uint32_t>(value);
}

int64_t Args::Integer(size_t index, int64_t min) {
  double value = 0;
  if (napi_get_value_double(info_.Env(), info_[index], &value) != napi_ok) {
    Fail(false, "expected a number");
    return 0;
  }
  const bool is_in_range =
      value >= static_cast<double>(min) && value <= kSafeIntegerMax && value >= -kSafeIntegerMax;
  if (!is_in_range || value != static_cast<double>(static_cast<int64_t>(value))) {
    Fail(true, "expected a safe integer in range");
    return 0;
  }
  return static_cast<int64_t>(value);
}

bool Args::Bool(size_t index) {
  bool value = false;
  if (napi_get_value_bool(info_.Env(), info_[index], &value) != napi_ok) {
    Fail(false, "expected a boolean");
  }
  return value;
}

std::string Args::String(size_t index) {
  if (!info_[index].IsString()) {
    Fail(false, "expected a string");
    return "";
  }
  std::string text = info_[index].As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) Fail(false, "a path has no NUL");
  return text;
}

Napi::Function Args::Function(size_t index) {
  if (!info_[index].IsFunction()) {
    Fail(false, "expected a function");
    return Napi::Function();
  }
  return info_[index].As<Napi::Function>();
}

Bytes Args::ViewOf(napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(info_.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array) {
    Fail(false, "expected a Uint8Array");
    return {};
  }
  return {static_cast<uint8_t*>(data), length};
}

Bytes Args::Range(size_t index) {
  const Bytes whole = View(index);
  const int64_t start = Integer(index + 1);
  const int64_t length = Integer(index + 2);
  if (!is_ok_) return {};
  const size_t size = whole.length;
  if (static_cast<uint64_t>(start) > size || static_cast<uint64_t>(length) > size - start) {
    Fail(true, "the range does not lie in the bytes");
    return {};
  }
  return {whole.data + start, static_cast<size_t>(length)};
}

Bytes Args::From(size_t index) {
  const Bytes whole = View(index);
  const int64_t start = Integer(index + 1);
  if (!is_ok_) return {};
  if (static_cast<uint64_t>(start) > whole.length) {
    Fail(true, "the start does not lie in the bytes");
    return {};
  }
  return {whole.data + start, whole.length - static_cast<size_t>(start)};
}

void* Args::ArrayData(size_t index, napi_typedarray_type type, size_t length_min) {
  napi_typedarray_type actual;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(info_.Env(), info_[index], &actual, &length,
                                                      &data, nullptr, nullptr);
  if (status == napi_ok && actual == type && length >= length_min) return data;
  Fail(false, "expected a typed array of the agreed type and length");
  return nullptr;
}

void Args::Fail(bool is_range, const char* message) {
  if (!is_ok_) return;  // the first one is thrown
  is_ok_ = false;
  if (is_range) {
    Napi::RangeError::New(info_.Env(), message).ThrowAsJavaScriptException();
  } else {
    Napi::TypeError::New(info_.Env(), message).ThrowAsJavaScriptException();
  }
}

void ThrowErrno(Napi::Env env, int error, const char* syscall, const std::string& path) {
  const int translated = uv_translate_sys_error(error);
  const std::string code = uv_err_name(translated);
  std::string message = code + ": " + uv_strerror(translated) + ", " + syscall;
  if (!path.empty()) message += " '" + path + "'";
  Napi::Error thrown = Napi::Error::New(env, message);
  thrown.Set("code", Napi::String::New(env, code));
  thrown.Set("errno", Napi::Number::New(env, translated));
  thrown.Set("syscall", Napi::String::New(env, syscall));
  if (!path.empty()) thrown.Set("path", Napi::String::New(env, path));
  thrown.ThrowAsJavaScriptException();
}

}  // namespace lograft::bind
