// SocketLayer: ranges whose bytes have to come from the disk first. While they are read on the
// read-ahead thread nothing of the connection is sent; the loop goes on with the others.
#include <memory>
#include <utility>

#include "../platform/platform.h"
#include "socket_layer.h"

namespace lograft {

// False when that is not possible: there is no thread, or no descriptor.
bool SocketLayer::StartReadAhead(Connection* c) {
  if (!MayReadAhead()) return false;
  const OutboundQueue::ColdRange cold = c->outbound.Cold();
  const int file = platform::Duplicate(cold.file);
  if (file < 0) return false;
  c->is_reading_ahead = true;
  if (reads_ahead_++ == 0 && is_ref_) uv_ref(reinterpret_cast<uv_handle_t*>(&read_done_));
  read_ahead_->Push(c->id, file, cold.position, cold.length);
  return true;
}

void SocketLayer::OnReadDone(uv_async_t* handle) {
  auto* layer = static_cast<SocketLayer*>(handle->data);
  for (const ConnectionId id : layer->read_ahead_->TakeDone()) {
    layer->reads_ahead_--;
    Connection* c = layer->Find(id);
    if (c == nullptr) continue;
    c->is_reading_ahead = false;
    c->outbound.Warmed();
    layer->MarkDirty(c);
  }
  if (layer->reads_ahead_ == 0) uv_unref(reinterpret_cast<uv_handle_t*>(handle));
}

// Whether there is a thread to read ahead; begins it when first asked.
bool SocketLayer::MayReadAhead() {
  if (read_ahead_ != nullptr) return true;
  const auto notify = [](void* self) {
    uv_async_send(&static_cast<SocketLayer*>(self)->read_done_);
  };
  auto thread = std::make_unique<ReadAhead>(notify, this);
  if (thread->Start() != 0) return false;
  if (uv_async_init(loop_, &read_done_, &SocketLayer::OnReadDone) != 0) return false;
  read_done_.data = this;
  open_handles_++;
  uv_unref(reinterpret_cast<uv_handle_t*>(&read_done_));
  read_ahead_ = std::move(thread);
  return true;
}

}  // namespace lograft
