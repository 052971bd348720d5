// Entry of the addon: creates the environment's state and registers every function. Runs once in
// each environment that loads it (main thread and workers), on its JavaScript thread.
#include <napi.h>

#include <utility>

#include "bind/env_state.h"
#include "bind/functions.h"
#include "core/batch.h"
#include "core/json.h"
#include "core/outbound.h"
#include "core/record_blocks.h"
#include "core/record_cutter.h"
#include "core/socket_layer.h"

namespace lograft {
namespace {

// What src/native/constants.ts says too; compared there at load.
const std::pair<const char*, size_t> kConstants[] = {
    {"BATCH_HEADER_BYTES", kBatchHeaderBytes},
    {"BATCH_FIELD_COUNT", kFieldCount},
    {"BATCH_FAULT_COUNT", static_cast<size_t>(BatchFault::kCount)},
    {"JSON_DEPTH_MAX", kJsonDepthMax},
    {"CUT_RECORDS_MAX", kCutRecordsMax},
    {"CUT_HEADERS_MAX", kCutHeadersMax},
    {"CUT_FAULT_COUNT", static_cast<size_t>(CutFault::kCount)},
    {"TELL_FAULT_COUNT", static_cast<size_t>(TellFault::kCount)},
    {"TELL_FIELD_COUNT", kTellFieldCount},
    {"BLOCK_HEAD_BYTES", kBlockHeadBytes},
    {"RECORD_GROWTH_MAX", kRecordGrowthMax},
    {"SYNC_QUEUE_MAX", bind::kSyncQueueMax},
    {"EVENTS_MAX", kEventsMax},
    {"EVENT_STRIDE", kEventStride},
    {"EVENT_KIND_COUNT", static_cast<size_t>(EventKind::kCount)},
    {"CLOSE_REASON_COUNT", static_cast<size_t>(CloseReason::kCount)},
    {"SOCKET_COUNTER_COUNT", kSocketCounterCount},
    {"FILE_COUNTER_COUNT", bind::kFileCounterCount},
    {"SYNC_COUNTER_COUNT", bind::kSyncCounterCount},
    {"SENDFILE_BYTES_MIN", kSendfileBytesMin},
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new bind::EnvState(env));
  Napi::Object constants = Napi::Object::New(env);
  for (const auto& [name, value] : kConstants) {
    constants.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  }
  exports.Set("constants", constants);
  bind::RegisterBytes(env, exports);
  bind::RegisterRecords(env, exports);
  bind::RegisterFiles(env, exports);
  bind::RegisterSync(env, exports);
  bind::RegisterSockets(env, exports);
  return exports;
}

NODE_API_MODULE(lograft, Init)

}  // namespace
}  // namespace lograft
