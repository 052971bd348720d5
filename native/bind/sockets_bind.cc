// Socket layers for JavaScript. Everything here runs on the JavaScript thread: calls from
// TypeScript, and OnTurn from the loop. Calls only queue work; JavaScript is entered from OnTurn
// alone, so no handler runs inside another.
#include <uv.h>

#include "../core/socket_layer.h"
#include "args.h"
#include "env_state.h"
#include "functions.h"

namespace lograft::bind {
namespace {

class Sockets final : public Resource, public SocketHost {
 public:
  Sockets(EnvState* owner, const SocketLayerOptions& options)
      : Resource(owner, Kind::kSocketLayer), layer(owner->loop(), this, options) {}

  void Start(Napi::Value slab, Napi::Value events, Napi::Function on_turn) {
    slab_ = Napi::Reference<Napi::Value>::New(slab, 1);
    events_ = Napi::Reference<Napi::Value>::New(events, 1);
    on_turn_ = Napi::Persistent(on_turn);
    layer.Start();
  }

  void Shutdown() override { layer.Destroy(); }

  void OnTurn(size_t count, size_t own_bytes) override {
    Napi::Env env = owner_->env();
    Napi::HandleScope scope(env);
    owner_->Call(on_turn_, {Napi::Number::New(env, static_cast<double>(count)),
                            Napi::Number::New(env, static_cast<double>(own_bytes))});
  }

  void OnAllClosed() override {
    Napi::HandleScope scope(owner_->env());
    owner_->Closed(this);
  }

  SocketLayer layer;

 private:
  // Keep the memory alive that the layer writes to.
  Napi::Reference<Napi::Value> slab_;
  Napi::Reference<Napi::Value> events_;
  Napi::FunctionReference on_turn_;
};

// The layer of argument 0; nullptr with an exception thrown when it was destroyed.
SocketLayer* LayerOf(Args* args) {
  const uint32_t handle = args->Uint32(0);
  if (!args->ok()) return nullptr;
  Resource* resource = EnvState::Of(args->env())->Find(handle, Resource::Kind::kSocketLayer);
  if (resource != nullptr) return &static_cast<Sockets*>(resource)->layer;
  ThrowErrno(args->env(), EBADF, "socket layer");
  return nullptr;
}

Napi::Value Number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

Napi::Value Open(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayerOptions options = {};
  const Bytes slab = args.View(0);
  options.slab = slab.data;
  options.slab_bytes = slab.length;
  options.events = args.Array<int32_t>(1, napi_int32_array, kEventsMax * kEventStride);
  const int64_t frame_bytes_max = args.Integer(2, 1);
  options.outbound_bytes_max = static_cast<size_t>(args.Integer(3, 1));
  const Napi::Function on_turn = args.Function(4);
  if (!args.ok()) return info.Env().Undefined();
  options.frame_bytes_max =
      static_cast<uint32_t>(frame_bytes_max > INT32_MAX ? INT32_MAX : frame_bytes_max);
  EnvState* state = EnvState::Of(info.Env());
  auto sockets = std::make_unique<Sockets>(state, options);
  sockets->Start(info[0], info[1], on_turn);
  return Number(info, state->Add(std::move(sockets)));
}

Napi::Value Listen(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const std::string host = args.String(1);
  const int32_t port = args.Int32(2);
  const bool is_handoff = args.Bool(3);
  const int32_t backlog = args.Int32(4);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  const int listener = layer->Listen(host, port, is_handoff, backlog);
  if (listener >= 0) return Number(info, listener);
  ThrowErrno(info.Env(), -listener, "listen", host + ":" + std::to_string(port));
  return info.Env().Undefined();
}

Napi::Value ListenerPort(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const int32_t listener = args.Int32(1);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  return Number(info, layer->ListenerPort(listener));
}

Napi::Value Unlisten(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const int32_t listener = args.Int32(1);
  if (args.ok() && layer != nullptr) layer->Unlisten(listener);
  return info.Env().Undefined();
}

Napi::Value Connect(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const std::string host = args.String(1);
  const int32_t port = args.Int32(2);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  ConnectionId id = 0;
  const int error = layer->Connect(host, port, &id);
  if (error == 0) return Number(info, id);
  ThrowErrno(info.Env(), -error, "connect", host + ":" + std::to_string(port));
  return info.Env().Undefined();
}

Napi::Value Adopt(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const int32_t fd = args.Int32(1);
  const Bytes leftover = args.IsUndefined(2) ? Bytes{} : args.View(2);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  ConnectionId id = 0;
  const int error = layer->Adopt(fd, leftover.data, leftover.length, &id);
  if (error == 0) return Number(info, id);
  ThrowErrno(info.Env(), -error, "adopt");
  return info.Env().Undefined();
}

Napi::Value DetachLeftover(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  const int32_t event_index = args.Int32(2);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  std::vector<uint8_t> bytes;
  const int error = layer->CopyLeftover(id, event_index, &bytes);
  if (error == 0) return Napi::Buffer<uint8_t>::Copy(info.Env(), bytes.data(), bytes.size());
  ThrowErrno(info.Env(), -error, "detach");
  return info.Env().Undefined();
}

Napi::Value Detach(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  const int fd = layer->Detach(id);
  if (fd >= 0) return Number(info, fd);
  ThrowErrno(info.Env(), -fd, "detach");
  return info.Env().Undefined();
}

Napi::Value Write(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  const Bytes bytes = args.View(2);
  const int64_t start = args.Integer(3);
  const int64_t end = args.Integer(4);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  if (start > end || static_cast<uint64_t>(end) > bytes.length) {
    Napi::RangeError::New(info.Env(), "the range does not lie in the bytes")
        .ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  layer->Write(id, bytes.data + start, static_cast<size_t>(end - start));
  return info.Env().Undefined();
}

Napi::Value WriteRange(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  const int32_t fd = args.Int32(2);
  const int64_t position = args.Integer(3);
  const int64_t length = args.Integer(4);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  layer->WriteRange(id, fd, static_cast<uint64_t>(position), static_cast<size_t>(length));
  return info.Env().Undefined();
}

Napi::Value OutboundBytes(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  return Number(info, static_cast<double>(layer->OutboundBytes(id)));
}

// A number of one connection: sizes and times are int32 in the core.
template <void (SocketLayer::*kSet)(ConnectionId, uint32_t), int64_t kLeast>
Napi::Value SetNumber(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  const int64_t value = args.Integer(2, kLeast);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  (layer->*kSet)(id, static_cast<uint32_t>(value > INT32_MAX ? INT32_MAX : value));
  return info.Env().Undefined();
}

Napi::Value SetRaw(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  const int error = layer->SetRaw(id);
  if (error != 0) ThrowErrno(info.Env(), -error, "setRaw");
  return info.Env().Undefined();
}

Napi::Value SetHalfOpen(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  if (args.ok() && layer != nullptr) layer->SetHalfOpen(id);
  return info.Env().Undefined();
}

Napi::Value SetReading(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  const bool is_reading = args.Bool(2);
  if (args.ok() && layer != nullptr) layer->SetReading(id, is_reading);
  return info.Env().Undefined();
}

Napi::Value RemoteAddress(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  return Napi::String::New(info.Env(), layer->RemoteAddress(id));
}

Napi::Value CloseConnection(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const ConnectionId id = args.Uint32(1);
  if (args.ok() && layer != nullptr) layer->Close(id);
  return info.Env().Undefined();
}

Napi::Value SetRef(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const bool is_ref = args.Bool(1);
  if (args.ok() && layer != nullptr) layer->SetRef(is_ref);
  return info.Env().Undefined();
}

Napi::Value TakeBigFrame(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const Bytes into = args.View(1);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  if (into.length < layer->own_frame_bytes()) {
    Napi::RangeError::New(info.Env(), "the frame does not fit").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  layer->CopyOwnFrame(into.data);
  return info.Env().Undefined();
}

Napi::Value Counters(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  double* into = args.Array<double>(1, napi_float64_array, kSocketCounterCount);
  if (args.ok() && layer != nullptr) layer->FillCounters(into);
  return info.Env().Undefined();
}

Napi::Value Destroy(const Napi::CallbackInfo& info) {
  Args args(info);
  SocketLayer* layer = LayerOf(&args);
  const uint32_t handle = args.Uint32(0);
  if (!args.ok() || layer == nullptr) return info.Env().Undefined();
  layer->Destroy();
  EnvState::Of(info.Env())->Forget(handle);
  return info.Env().Undefined();
}

Napi::Value ErrnoName(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t error = args.Int32(0);
  if (!args.ok()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), uv_err_name(uv_translate_sys_error(error)));
}

}  // namespace

void RegisterSockets(Napi::Env env, Napi::Object exports) {
  Export<Open>(env, exports, "socketsOpen");
  Export<Listen>(env, exports, "socketsListen");
  Export<ListenerPort>(env, exports, "socketsListenerPort");
  Export<Unlisten>(env, exports, "socketsUnlisten");
  Export<Connect>(env, exports, "socketsConnect");
  Export<Adopt>(env, exports, "socketsAdopt");
  Export<DetachLeftover>(env, exports, "socketsDetachLeftover");
  Export<Detach>(env, exports, "socketsDetach");
  Export<Write>(env, exports, "socketsWrite");
  Export<WriteRange>(env, exports, "socketsWriteRange");
  Export<OutboundBytes>(env, exports, "socketsOutboundBytes");
  Export<SetNumber<&SocketLayer::SetFrameBytesMax, 1>>(env, exports, "socketsSetFrameBytesMax");
  Export<SetNumber<&SocketLayer::SetFrameDeadline, 0>>(env, exports, "socketsSetFrameDeadline");
  Export<SetNumber<&SocketLayer::SetSendBuffer, 1>>(env, exports, "socketsSetSendBuffer");
  Export<SetHalfOpen>(env, exports, "socketsSetHalfOpen");
  Export<SetRaw>(env, exports, "socketsSetRaw");
  Export<SetReading>(env, exports, "socketsSetReading");
  Export<RemoteAddress>(env, exports, "socketsRemoteAddress");
  Export<CloseConnection>(env, exports, "socketsClose");
  Export<SetRef>(env, exports, "socketsSetRef");
  Export<TakeBigFrame>(env, exports, "socketsTakeBigFrame");
  Export<Counters>(env, exports, "socketsCounters");
  Export<Destroy>(env, exports, "socketsDestroy");
  Export<ErrnoName>(env, exports, "errnoName");
}

}  // namespace lograft::bind
