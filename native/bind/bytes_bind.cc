// CRC32C and record batches. Every function: JavaScript thread, does not block.
#include "../core/batch.h"
#include "../core/crc32c.h"
#include "args.h"
#include "env_state.h"
#include "functions.h"

namespace lograft::bind {
namespace {

Napi::Value Crc32cCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes bytes = args.Range(0);
  const uint32_t seed = args.Uint32(3);
  if (!args.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), Crc32c(seed, bytes.data, bytes.length));
}

// For tests: the same with an implementation chosen by name.
Napi::Value Crc32cWithCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.String(0);
  const Bytes bytes = args.Range(1);
  const uint32_t seed = args.Uint32(4);
  if (!args.ok()) return info.Env().Undefined();
  for (const Crc32cImplementation& implementation : Crc32cImplementations()) {
    if (implementation.name != name) continue;
    return Napi::Number::New(info.Env(), implementation.run(seed, bytes.data, bytes.length));
  }
  Napi::RangeError::New(info.Env(), "this CPU cannot run " + name).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Napi::Value CrcImplementationsCall(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const Crc32cImplementation& implementation : Crc32cImplementations()) {
    names.Set(names.Length(), Napi::String::New(info.Env(), std::string(implementation.name)));
  }
  return names;
}

Napi::Value SetBatchFieldsCall(const Napi::CallbackInfo& info) {
  Args args(info);
  double* fields = args.Array<double>(0, napi_float64_array, kFieldCount);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  state->batch_fields = fields;
  state->batch_fields_owner = Napi::Reference<Napi::Value>::New(info[0], 1);
  return info.Env().Undefined();
}

Napi::Value ValidateBatchCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes bytes = args.Range(0);
  const uint32_t rules = args.Uint32(3);
  if (!args.ok()) return info.Env().Undefined();
  double* fields = EnvState::Of(info.Env())->batch_fields;
  const BatchFault fault = ValidateBatch(bytes.data, bytes.length, rules, fields);
  return Napi::Number::New(info.Env(), static_cast<int>(fault));
}

Napi::Value ReadBatchHeaderCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes bytes = args.Range(0);
  if (!args.ok()) return info.Env().Undefined();
  double* fields = EnvState::Of(info.Env())->batch_fields;
  const BatchFault fault = ReadBatchHeader(bytes.data, bytes.length, fields);
  return Napi::Number::New(info.Env(), static_cast<int>(fault));
}

Napi::Value NoBatchHere(const Napi::CallbackInfo& info) {
  Napi::RangeError::New(info.Env(), "no whole batch is there").ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Napi::Value StampBatchCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes bytes = args.From(0);
  const int64_t base_offset = args.Integer(2);
  const int32_t leader_epoch = args.Int32(3);
  if (!args.ok()) return info.Env().Undefined();
  if (bytes.length < kBatchHeaderBytes) return NoBatchHere(info);
  StampBatch(bytes.data, base_offset, leader_epoch);
  return info.Env().Undefined();
}

Napi::Value StampAppendTimeCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes bytes = args.From(0);
  const int64_t wall_ms = args.Integer(2);
  if (!args.ok()) return info.Env().Undefined();
  if (!StampAppendTime(bytes.data, bytes.length, wall_ms)) return NoBatchHere(info);
  return info.Env().Undefined();
}

}  // namespace

void RegisterBytes(Napi::Env env, Napi::Object exports) {
  Export<Crc32cCall>(env, exports, "crc32c");
  Export<Crc32cWithCall>(env, exports, "crc32cWith");
  Export<CrcImplementationsCall>(env, exports, "crcImplementations");
  Export<SetBatchFieldsCall>(env, exports, "setBatchFields");
  Export<ValidateBatchCall>(env, exports, "validateBatch");
  Export<ReadBatchHeaderCall>(env, exports, "readBatchHeader");
  Export<StampBatchCall>(env, exports, "stampBatch");
  Export<StampAppendTimeCall>(env, exports, "stampAppendTime");
}

}  // namespace lograft::bind
