#include "env_state.h"

#include <algorithm>
#include <utility>

namespace lograft::bind {

EnvState::EnvState(Napi::Env env) : env_(env) {
  napi_get_uv_event_loop(env, &loop_);
  napi_add_async_cleanup_hook(env, &EnvState::OnCleanup, this, &cleanup_);
}

EnvState::~EnvState() = default;

uint32_t EnvState::Add(std::unique_ptr<Resource> resource) {
  by_handle_.push_back(resource.get());
  resources_.push_back(std::move(resource));
  return static_cast<uint32_t>(by_handle_.size());
}

Resource* EnvState::Find(uint32_t handle, Resource::Kind kind) const {
  if (handle == 0 || handle > by_handle_.size()) return nullptr;
  Resource* resource = by_handle_[handle - 1];
  return resource != nullptr && resource->kind() == kind ? resource : nullptr;
}

void EnvState::Forget(uint32_t handle) { by_handle_[handle - 1] = nullptr; }

void EnvState::Closed(Resource* resource) {
  std::replace(by_handle_.begin(), by_handle_.end(), resource, static_cast<Resource*>(nullptr));
  const auto found =
      std::find_if(resources_.begin(), resources_.end(),
                   [resource](const auto& owned) { return owned.get() == resource; });
  if (found != resources_.end()) resources_.erase(found);
  MaybeFinishCleanup();
}

void EnvState::Call(const Napi::FunctionReference& function,
                    std::initializer_list<napi_value> arguments) {
  if (is_ending_) return;
  napi_value global;
  napi_value result;
  if (napi_get_global(env_, &global) != napi_ok) return;
  const napi_status status = napi_make_callback(env_, nullptr, global, function.Value(),
                                                arguments.size(), arguments.begin(), &result);
  if (status == napi_ok) return;
  bool is_pending = false;
  napi_value error;
  // A terminating worker fails here without an exception of its own; there is nothing to report.
  if (napi_is_exception_pending(env_, &is_pending) != napi_ok || !is_pending) return;
  if (napi_get_and_clear_last_exception(env_, &error) != napi_ok) return;
  napi_fatal_exception(env_, error);
}

void EnvState::OnCleanup(napi_async_cleanup_hook_handle, void* self) {
  auto* state = static_cast<EnvState*>(self);
  state->is_ending_ = true;
  for (const auto& resource : state->resources_) resource->Shutdown();
  state->MaybeFinishCleanup();
}

void EnvState::MaybeFinishCleanup() {
  if (!is_ending_ || !resources_.empty() || cleanup_ == nullptr) return;
  napi_remove_async_cleanup_hook(std::exchange(cleanup_, nullptr));
}

}  // namespace lograft::bind
