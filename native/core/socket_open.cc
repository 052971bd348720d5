// SocketLayer: how connections come to be, the timer, and the end of the layer. See socket_layer.h.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../platform/platform.h"
#include "socket_layer.h"

namespace lograft {
namespace {

constexpr size_t kConnectionsMax = 32 * 1024;
// New slots are preferred up to here, so that an id is not used again for a long time.
constexpr size_t kSlotsBeforeReuse = 1024;
constexpr int kAcceptsPerTurn = 64;
constexpr uint32_t kAcceptBackoffMs = 100;
// Descriptors that clients leave for files and peers: a log that cannot roll refuses records.
constexpr int kSpareDescriptors = 64;
constexpr uint32_t kTimerMsMin = 5;
constexpr uint32_t kTimerMsMax = 1000;

// The system gives out the lowest number that is free, so a high one means that few are left.
bool IsSpare(int fd) {
  const int limit = platform::DescriptorsMax();
  return fd >= limit - std::min(kSpareDescriptors, limit / 4);
}

// Numeric addresses only: looking names up would block the loop.
bool ParseAddress(const std::string& host, int port, sockaddr_storage* address) {
  const std::string& numeric = host == "localhost" ? "127.0.0.1" : host;
  if (port < 0 || port > 0xFFFF) return false;
  auto* v4 = reinterpret_cast<sockaddr_in*>(address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(address);
  return uv_ip4_addr(numeric.c_str(), port, v4) == 0 || uv_ip6_addr(numeric.c_str(), port, v6) == 0;
}

socklen_t AddressBytes(const sockaddr* address) {
  return address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

int PortOf(const sockaddr* address) {
  return ntohs(address->sa_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in*>(address)->sin_port
                   : reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
}

// Errors of accept that concern one connection, not the listener.
bool IsOfOneConnection(int error) {
  return error == ECONNABORTED || error == EPROTO || error == EPERM || error == ENETDOWN ||
         error == EHOSTUNREACH || error == ENETUNREACH || error == ETIMEDOUT;
}

}  // namespace

void SocketLayer::Start() {
  uv_prepare_init(loop_, &prepare_);
  uv_check_init(loop_, &check_);
  uv_idle_init(loop_, &wake_);
  uv_timer_init(loop_, &timer_);
  prepare_.data = check_.data = wake_.data = timer_.data = this;
  open_handles_ = 4;
  uv_prepare_start(&prepare_, &SocketLayer::OnPrepare);
  uv_check_start(&check_, &SocketLayer::OnCheck);
  // Only sockets, and work that waits for the next Pump, keep the loop alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&check_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
}

int SocketLayer::Listen(const std::string& host, int port, bool is_handoff, int backlog) {
  sockaddr_storage address = {};
  if (!ParseAddress(host, port, &address)) return -EINVAL;
  auto listener = std::make_unique<Listener>();
  listener->layer = this;
  listener->is_handoff = is_handoff;
  listener->id = static_cast<int>(listeners_.size());
  const int error =
      OpenListener(reinterpret_cast<const sockaddr*>(&address), backlog, listener.get());
  if (error != 0) {
    if (listener->fd >= 0) close(listener->fd);
    return error;
  }
  listeners_.push_back(listener.release());
  return listeners_.back()->id;
}

int SocketLayer::OpenListener(const sockaddr* address, int backlog, Listener* listener) {
  listener->fd = platform::OpenSocket(address->sa_family);
  if (listener->fd < 0) return listener->fd;
  const int on = 1;
  setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener->fd, address, AddressBytes(address)) != 0) return -errno;
  if (listen(listener->fd, backlog) != 0) return -errno;
  sockaddr_storage bound = {};
  socklen_t bound_bytes = sizeof bound;
  auto* bound_address = reinterpret_cast<sockaddr*>(&bound);
  if (getsockname(listener->fd, bound_address, &bound_bytes) != 0) return -errno;
  listener->port = PortOf(bound_address);
  const int error = uv_poll_init(loop_, &listener->poll, listener->fd);
  if (error != 0) return error;
  open_handles_++;
  listener->poll.data = listener;
  ApplyRef(&listener->poll);
  // Fails only when another handle watches the descriptor, and uv_poll_init has ruled that out.
  uv_poll_start(&listener->poll, UV_READABLE, &SocketLayer::OnListenerPoll);
  return 0;
}

int SocketLayer::ListenerPort(int listener_id) const {
  const size_t index = static_cast<size_t>(listener_id);
  return index < listeners_.size() && listeners_[index] != nullptr ? listeners_[index]->port : -1;
}

void SocketLayer::Unlisten(int listener_id) {
  const size_t index = static_cast<size_t>(listener_id);
  if (index >= listeners_.size() || listeners_[index] == nullptr) return;
  CloseListener(listeners_[index]);
}

void SocketLayer::CloseListener(Listener* listener) {
  listeners_[static_cast<size_t>(listener->id)] = nullptr;
  const int fd = listener->fd;
  uv_close(reinterpret_cast<uv_handle_t*>(&listener->poll), [](uv_handle_t* handle) {
    Listener* closed = static_cast<Listener*>(handle->data);
    SocketLayer* layer = closed->layer;
    delete closed;
    layer->HandleClosed();
  });
  close(fd);
}

void SocketLayer::OnListenerPoll(uv_poll_t* handle, int status, int) {
  Listener* listener = static_cast<Listener*>(handle->data);
  if (status < 0) return listener->layer->BackOff(listener);
  listener->layer->AcceptSome(listener);
}

void SocketLayer::AcceptSome(Listener* listener) {
  for (int i = 0; i < kAcceptsPerTurn; i++) {
    if (counters_.connections >= kConnectionsMax) return BackOff(listener);
    const int fd = platform::Accept(listener->fd);
    if (fd == -EAGAIN || fd == -EWOULDBLOCK) return;
    if (fd < 0 && IsOfOneConnection(-fd)) continue;
    // Out of descriptors or memory: the rest waits in the backlog rather than spinning here.
    if (fd < 0) return BackOff(listener);
    if (listener->is_handoff && IsSpare(fd)) {
      close(fd);
      return BackOff(listener);
    }
    counters_.accepted++;
    if (platform::PrepareConnection(fd) != 0) {
      close(fd);  // already reset by its peer
    } else if (listener->is_handoff) {
      Queue(EventKind::kAccepted, static_cast<ConnectionId>(listener->id), fd);
    } else {
      Connection* c = AddConnection(Connection::State::kOpen);
      counters_.opened++;
      Queue(EventKind::kOpened, c->id);
      const int error = Attach(c, fd);
      if (error != 0) End(c, CloseReason::kErrno, -error);
    }
  }
}

void SocketLayer::BackOff(Listener* listener) {
  uv_poll_stop(&listener->poll);
  listener->is_backing_off = true;
  counters_.accept_backoffs++;
  RunTimerEvery(kAcceptBackoffMs);
}

int SocketLayer::Connect(const std::string& host, int port, ConnectionId* id) {
  sockaddr_storage storage = {};
  if (!ParseAddress(host, port, &storage)) return -EINVAL;
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  Connection* c = AddConnection(Connection::State::kConnecting);
  if (c == nullptr) return -EMFILE;
  *id = c->id;
  const int fd = platform::OpenSocket(address->sa_family);
  int error = fd < 0 ? -fd : platform::PrepareConnection(fd);
  if (error == 0 && connect(fd, address, AddressBytes(address)) != 0 && errno != EINPROGRESS) {
    error = errno;
  }
  if (error == 0) {
    error = -Attach(c, fd);
  } else if (fd >= 0) {
    close(fd);
  }
  if (error != 0) End(c, CloseReason::kErrno, error);
  return 0;
}

int SocketLayer::Adopt(int fd, const uint8_t* leftover, size_t length, ConnectionId* id) {
  const int error = platform::PrepareConnection(fd);
  Connection* c = error == 0 ? AddConnection(Connection::State::kOpen) : nullptr;
  if (c == nullptr) {
    close(fd);
    return error == 0 ? -EMFILE : -error;
  }
  *id = c->id;
  if (length > 0) {
    c->preload = pool_.Take(length);
    std::memcpy(c->preload.data(), leftover, length);
    c->preload_end = length;
    MarkStarved(c);
  }
  const int attached = Attach(c, fd);
  if (attached != 0) End(c, CloseReason::kErrno, -attached);
  return 0;
}

// A connection in a slot of its own; nullptr when there is none.
Connection* SocketLayer::AddConnection(Connection::State state) {
  if (counters_.connections >= kConnectionsMax) return nullptr;
  uint16_t slot;
  if (free_slots_.empty() || slots_.size() < kSlotsBeforeReuse) {
    slot = static_cast<uint16_t>(slots_.size());
    slots_.push_back(nullptr);
    generations_.push_back(1);
  } else {
    slot = free_slots_.front();
    free_slots_.pop_front();
  }
  auto* c = new Connection(this, &pool_, &outbound_counters_);
  c->id = (static_cast<ConnectionId>(generations_[slot]) << 16) | slot;
  c->state = state;
  c->reader.set_frame_bytes_max(options_.frame_bytes_max);
  slots_[slot] = c;
  counters_.connections++;
  return c;
}

// Hands the socket to libuv; it belongs to the connection in any case. 0 or a negative errno.
int SocketLayer::Attach(Connection* c, int fd) {
  c->fd = fd;
  const int error = uv_poll_init(loop_, &c->poll, fd);
  if (error != 0) return error;
  c->poll.data = c;
  c->has_poll = true;
  open_handles_++;
  ApplyRef(&c->poll);
  UpdatePoll(c);
  return 0;
}

std::string SocketLayer::RemoteAddress(ConnectionId id) const {
  const Connection* c = Find(id);
  if (c == nullptr || c->fd < 0) return "";
  sockaddr_storage storage = {};
  socklen_t bytes = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (getpeername(c->fd, address, &bytes) != 0) return "";
  char text[INET6_ADDRSTRLEN] = "";
  const bool is_v4 = address->sa_family == AF_INET;
  if (is_v4) {
    uv_ip4_name(reinterpret_cast<sockaddr_in*>(address), text, sizeof text);
  } else {
    uv_ip6_name(reinterpret_cast<sockaddr_in6*>(address), text, sizeof text);
  }
  const std::string host = is_v4 ? text : "[" + std::string(text) + "]";
  return host + ":" + std::to_string(PortOf(address));
}

void SocketLayer::SetFrameDeadline(ConnectionId id, uint32_t ms) {
  Connection* c = Find(id);
  if (c == nullptr) return;
  c->frame_deadline_ms = ms;
  if (ms > 0) RunTimerEvery(std::clamp(ms / 4, kTimerMsMin, kTimerMsMax));
}

// A wish: the connection works with whatever the kernel makes of it.
void SocketLayer::SetSendBuffer(ConnectionId id, uint32_t bytes) {
  const Connection* c = Find(id);
  if (c != nullptr) platform::SetSendBuffer(c->fd, static_cast<int>(bytes));
}

// Starts the timer, or makes it faster.
void SocketLayer::RunTimerEvery(uint32_t ms) {
  if (timer_interval_ms_ != 0 && timer_interval_ms_ <= ms) return;
  timer_interval_ms_ = ms;
  uv_timer_start(&timer_, &SocketLayer::OnTimer, ms, ms);
}

void SocketLayer::OnTimer(uv_timer_t* handle) {
  auto* layer = static_cast<SocketLayer*>(handle->data);
  const bool has_deadlines = layer->CheckDeadlines();
  const bool has_waiting = layer->ResumeListeners();
  if (has_deadlines || has_waiting) return;
  uv_timer_stop(handle);
  layer->timer_interval_ms_ = 0;
}

// Ends connections whose frame takes too long; whether any has a deadline at all.
bool SocketLayer::CheckDeadlines() {
  const uint64_t now = uv_now(loop_);
  bool has_deadlines = false;
  for (Connection* c : slots_) {
    if (c == nullptr || c->frame_deadline_ms == 0) continue;
    has_deadlines = true;
    // While we do not read, the delay is ours.
    if (!c->MayRead() || c->frame_begun_ms == 0) continue;
    if (now - c->frame_begun_ms < c->frame_deadline_ms) continue;
    End(c, CloseReason::kDeadline, static_cast<int32_t>(c->frame_deadline_ms));
  }
  return has_deadlines;
}

// Lets listeners try again; whether one was waiting.
bool SocketLayer::ResumeListeners() {
  bool was_waiting = false;
  for (Listener* listener : listeners_) {
    if (listener == nullptr || !listener->is_backing_off) continue;
    was_waiting = true;
    listener->is_backing_off = false;
    uv_poll_start(&listener->poll, UV_READABLE, &SocketLayer::OnListenerPoll);
  }
  return was_waiting;
}

void SocketLayer::SetRef(bool is_ref) {
  is_ref_ = is_ref;
  for (Connection* c : slots_) {
    if (c != nullptr && c->has_poll) ApplyRef(&c->poll);
  }
  for (Listener* listener : listeners_) {
    if (listener != nullptr) ApplyRef(&listener->poll);
  }
}

void SocketLayer::ApplyRef(uv_poll_t* handle) {
  if (is_ref_) {
    uv_ref(reinterpret_cast<uv_handle_t*>(handle));
  } else {
    uv_unref(reinterpret_cast<uv_handle_t*>(handle));
  }
}

// Makes sure that the loop neither sleeps nor ends before the next Pump.
void SocketLayer::Wake() {
  if (is_pumping_ || is_destroyed_) return;
  uv_idle_start(&wake_, [](uv_idle_t*) {});
}

void SocketLayer::Destroy() {
  if (is_destroyed_) return;
  is_destroyed_ = true;
  if (read_ahead_ != nullptr) {
    read_ahead_->Join();
    uv_close(reinterpret_cast<uv_handle_t*>(&read_done_), &SocketLayer::OnOwnHandleClosed);
  }
  for (Connection*& c : slots_) {
    if (c == nullptr) continue;
    SendLast(c);
    LetGo(c);
    c = nullptr;
  }
  for (Listener* listener : listeners_) {
    if (listener != nullptr) CloseListener(listener);
  }
  for (const Input& input : inputs_) {
    if (input.kind == EventKind::kAccepted) close(input.first);
  }
  inputs_.clear();
  counters_.connections = 0;
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), &SocketLayer::OnOwnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&check_), &SocketLayer::OnOwnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), &SocketLayer::OnOwnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), &SocketLayer::OnOwnHandleClosed);
}

void SocketLayer::OnOwnHandleClosed(uv_handle_t* handle) {
  static_cast<SocketLayer*>(handle->data)->HandleClosed();
}

void SocketLayer::HandleClosed() {
  open_handles_--;
  if (open_handles_ == 0 && is_destroyed_) host_->OnAllClosed();
}

}  // namespace lograft
