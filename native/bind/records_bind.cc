// Bodies of many records, cut into blocks; blocks sealed as batches; batches told as JSON. Every
// function: JavaScript thread, does not block.
#include <vector>

#include "../core/batch.h"
#include "../core/record_blocks.h"
#include "../core/record_cutter.h"
#include "../core/record_teller.h"
#include "args.h"
#include "env_state.h"
#include "functions.h"

namespace lograft::bind {
namespace {

// Fields of the shared array: these, then three of each share, then the share of each record.
enum CutField : size_t { kPlace, kRecords, kShares, kBytes, kCutHeadFields };
constexpr size_t kShareFields = 3;
constexpr size_t kCutFieldsMin = kCutHeadFields + (kShareFields + 1) * kCutRecordsMax;

void FillFields(const RecordCutter& cutter, CutFault fault, int32_t* fields) {
  fields[kPlace] = static_cast<int32_t>(cutter.place());
  if (fault != CutFault::kNone) return;
  fields[kRecords] = static_cast<int32_t>(cutter.record_count());
  fields[kShares] = static_cast<int32_t>(cutter.shares().size());
  fields[kBytes] = static_cast<int32_t>(cutter.bytes());
  int32_t* at = fields + kCutHeadFields;
  for (const CutShare& share : cutter.shares()) {
    *at++ = share.partition;
    *at++ = static_cast<int32_t>(share.record_count);
    *at++ = static_cast<int32_t>(share.bytes);
  }
  for (size_t i = 0; i < cutter.record_count(); i++) {
    *at++ = static_cast<int32_t>(cutter.share_of(i));
  }
}

Napi::Value SetCutFieldsCall(const Napi::CallbackInfo& info) {
  Args args(info);
  int32_t* fields = args.Array<int32_t>(0, napi_int32_array, kCutFieldsMin);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  state->cut_fields = fields;
  state->cut_fields_owner = Napi::Reference<Napi::Value>::New(info[0], 1);
  return info.Env().Undefined();
}

Napi::Value CutRecordsCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes body = args.Range(0);
  CutRequest request;
  request.is_array = args.Bool(3);
  request.partition_count = args.Int32(4);
  request.partition = args.Int32(5);
  request.any_partition = args.Int32(6);
  request.now_ms = args.Integer(7);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  if (request.partition_count < 1 || body.length > INT32_MAX || state->cut_fields == nullptr) {
    Napi::RangeError::New(info.Env(), "no such body is cut").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const CutFault fault = state->cutter.Cut(body.data, body.length, request);
  FillFields(state->cutter, fault, state->cut_fields);
  return Napi::Number::New(info.Env(), static_cast<int>(fault));
}

Napi::Value TakeBlocksCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes into = args.View(0);
  if (!args.ok()) return info.Env().Undefined();
  const RecordCutter& cutter = EnvState::Of(info.Env())->cutter;
  if (into.length != cutter.bytes()) {
    Napi::RangeError::New(info.Env(), "the blocks have another size").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  cutter.TakeBlocks(into.data);
  return info.Env().Undefined();
}

Napi::Value SealBatchCall(const Napi::CallbackInfo& info) {
  Args args(info);
  if (!info[0].IsArray()) {
    Napi::TypeError::New(info.Env(), "expected an array").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const Napi::Array list = info[0].As<Napi::Array>();
  std::vector<Blocks> blocks;
  size_t bytes = 0;
  blocks.reserve(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Bytes part = args.ViewOf(list.Get(i));
    blocks.push_back({part.data, part.length});
    bytes += part.length;
  }
  const size_t record_count = args.Uint32(1);
  const Bytes into = args.View(2);
  if (!args.ok()) return info.Env().Undefined();
  size_t size = 0;
  if (into.length >= kBatchHeaderBytes + bytes + kRecordGrowthMax * record_count) {
    size = SealBatch(blocks.data(), blocks.size(), record_count, into.data);
  }
  if (size == 0) {
    Napi::RangeError::New(info.Env(), "these are no blocks").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Napi::Number::New(info.Env(), static_cast<double>(size));
}

Napi::Value SetTellFieldsCall(const Napi::CallbackInfo& info) {
  Args args(info);
  double* fields = args.Array<double>(0, napi_float64_array, kTellFieldCount);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  state->tell_fields = fields;
  state->tell_fields_owner = Napi::Reference<Napi::Value>::New(info[0], 1);
  return info.Env().Undefined();
}

Napi::Value TellRecordsCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes batches = args.Range(0);
  TellRequest request;
  request.from = args.Integer(3);
  request.records_max = args.Uint32(4);
  request.is_lines = args.Bool(5);
  if (!args.ok()) return info.Env().Undefined();
  EnvState* state = EnvState::Of(info.Env());
  if (state->tell_fields == nullptr) {
    Napi::Error::New(info.Env(), "nowhere to tell it").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  RecordTeller& teller = state->teller;
  const TellFault fault = teller.Tell(batches.data, batches.length, request);
  state->tell_fields[kToldRecords] = static_cast<double>(teller.record_count());
  state->tell_fields[kToldNextOffset] = static_cast<double>(teller.next_offset());
  state->tell_fields[kToldBytes] = static_cast<double>(teller.size());
  return Napi::Number::New(info.Env(), static_cast<int>(fault));
}

Napi::Value TakeTextCall(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes into = args.Range(0);
  if (!args.ok()) return info.Env().Undefined();
  RecordTeller& teller = EnvState::Of(info.Env())->teller;
  if (into.length != teller.size()) {
    Napi::RangeError::New(info.Env(), "the text has another size").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  teller.TakeText(into.data);
  return info.Env().Undefined();
}

}  // namespace

void RegisterRecords(Napi::Env env, Napi::Object exports) {
  Export<SetCutFieldsCall>(env, exports, "setCutFields");
  Export<CutRecordsCall>(env, exports, "cutRecords");
  Export<TakeBlocksCall>(env, exports, "takeBlocks");
  Export<SealBatchCall>(env, exports, "sealBatch");
  Export<SetTellFieldsCall>(env, exports, "setTellFields");
  Export<TellRecordsCall>(env, exports, "tellRecords");
  Export<TakeTextCall>(env, exports, "takeText");
}

}  // namespace lograft::bind
