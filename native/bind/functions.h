// The groups of functions that addon.cc registers; one file each.
#pragma once

#include <napi.h>

namespace lograft::bind {

void RegisterBytes(Napi::Env env, Napi::Object exports);    // CRC and record batches
void RegisterRecords(Napi::Env env, Napi::Object exports);  // bodies of many records
void RegisterFiles(Napi::Env env, Napi::Object exports);    // positioned file access
void RegisterSync(Napi::Env env, Napi::Object exports);     // sync threads
void RegisterSockets(Napi::Env env, Napi::Object exports);  // socket layers

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void Export(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<function>(env, name));
}

}  // namespace lograft::bind
