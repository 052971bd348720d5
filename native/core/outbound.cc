#include "outbound.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../platform/platform.h"

namespace lograft {
namespace {

constexpr size_t kChunkBytes = 16 * 1024;
constexpr size_t kPartsMax = 64;
constexpr size_t kSliceBytes = 64 * 1024;
// One sendfile call: long enough to be cheap, short enough not to hold the loop.
constexpr size_t kSendfileBytesMax = 512 * 1024;
// Read from the disk at a time; enough for the next read to be under way while this is sent.
constexpr size_t kColdBytesMax = 1024 * 1024;

}  // namespace

void OutboundQueue::Append(const uint8_t* bytes, size_t length) {
  while (length > 0) {
    Item* chunk = OpenChunk(length);
    const size_t part = std::min(length, chunk->buffer.capacity() - chunk->end);
    std::memcpy(chunk->buffer.data() + chunk->end, bytes, part);
    chunk->end += part;
    memory_bytes_ += part;
    bytes += part;
    length -= part;
  }
}

int OutboundQueue::AppendRange(int fd, uint64_t position, size_t length) {
  if (length < kSendfileBytesMin) {
    const int error = ReadIntoChunks(fd, &position, &length);
    if (error != 0) return error;
  }
  if (length == 0) return 0;
  const int copy = platform::Duplicate(fd);
  if (copy < 0) return copy;
  Item item;
  item.file = copy;
  item.position = position;
  item.length = length;
  item.is_copying = !platform::kHasSendfile;
  items_.push_back(std::move(item));
  range_bytes_ += length;
  return 0;
}

FlushResult OutboundQueue::Flush(int socket, size_t budget, int* error) {
  size_t total = 0;
  while (!IsEmpty()) {
    if (total >= budget) return FlushResult::kBudget;
    bool is_partial = false;
    const bool is_range = items_[head_].file >= 0;
    if (is_range && IsCold(&items_[head_])) {
      counters_->cold_ranges++;
      return FlushResult::kCold;
    }
    const ssize_t sent = is_range ? SendRange(socket, &is_partial) : SendBytes(socket, &is_partial);
    if (sent == -EAGAIN || sent == -EWOULDBLOCK) return FlushResult::kBlocked;
    if (sent < 0) {
      *error = static_cast<int>(-sent);
      return *error == ENODATA ? FlushResult::kShort : FlushResult::kFailed;
    }
    total += static_cast<size_t>(sent);
    if (is_partial) return FlushResult::kBlocked;
  }
  return FlushResult::kEmpty;
}

bool OutboundQueue::IsCold(Item* item) const {
  if (item->position < item->warm_until) return false;
  const size_t next = std::min(item->length, kSendfileBytesMax);
  if (!platform::IsResident(item->file, item->position, next)) return true;
  item->warm_until = item->position + next;
  return false;
}

OutboundQueue::ColdRange OutboundQueue::Cold() const {
  const Item& item = items_[head_];
  return {item.file, item.position, std::min(item.length, kColdBytesMax)};
}

void OutboundQueue::Warmed() {
  Item& item = items_[head_];
  item.warm_until = item.position + std::min(item.length, kColdBytesMax);
}

void OutboundQueue::Clear() {
  for (Item& item : items_) {
    if (item.file >= 0) close(item.file);
  }
  items_.clear();
  head_ = 0;
  memory_bytes_ = 0;
  range_bytes_ = 0;
}

// The chunk at the end of the queue if it has room, or a new one.
OutboundQueue::Item* OutboundQueue::OpenChunk(size_t wanted) {
  if (!IsEmpty()) {
    Item& last = items_.back();
    if (last.file < 0 && last.end < last.buffer.capacity()) return &last;
  }
  Item item;
  item.buffer = pool_->Take(std::clamp(wanted, kChunkBytes, size_t{1} << 20));
  items_.push_back(std::move(item));
  return &items_.back();
}

// Takes what can be read at once off the front of the range; 0 or a negative errno.
int OutboundQueue::ReadIntoChunks(int fd, uint64_t* position, size_t* length) {
  while (*length > 0) {
    Item* chunk = OpenChunk(*length);
    const size_t part = std::min(*length, chunk->buffer.capacity() - chunk->end);
    const int64_t got =
        platform::ReadResident(fd, chunk->buffer.data() + chunk->end, part, *position);
    const size_t taken = got < 0 ? 0 : static_cast<size_t>(got);
    chunk->end += taken;
    memory_bytes_ += taken;
    counters_->copied_range_bytes += taken;
    *position += taken;
    *length -= taken;
    if (chunk->begin == chunk->end) items_.pop_back();
    if (got == 0) return -ENODATA;
    if (got < 0) return got == -EAGAIN ? 0 : static_cast<int>(got);
  }
  return 0;
}

// Sends the bytes up to the next range in one call.
ssize_t OutboundQueue::SendBytes(int socket, bool* is_partial) {
  iovec parts[kPartsMax];
  size_t count = 0;
  size_t wanted = 0;
  size_t next = head_;
  for (; next < items_.size() && count < kPartsMax && items_[next].file < 0; next++) {
    Item& item = items_[next];
    parts[count++] = {item.buffer.data() + item.begin, item.end - item.begin};
    wanted += item.end - item.begin;
  }
  const bool range_follows = next < items_.size() && items_[next].file >= 0;
  const ssize_t sent = platform::Send(socket, parts, count, range_follows);
  counters_->send_calls++;
  if (sent < 0) return sent;
  *is_partial = static_cast<size_t>(sent) < wanted;
  counters_->bytes_out += static_cast<uint64_t>(sent);
  DropSent(static_cast<size_t>(sent));
  return sent;
}

// Sends from the range at the head; -ENODATA when its file is shorter than was promised.
ssize_t OutboundQueue::SendRange(int socket, bool* is_partial) {
  Item& item = items_[head_];
  if (!item.is_copying) {
    const size_t wanted = std::min(item.length, kSendfileBytesMax);
    const ssize_t sent = platform::SendFile(socket, item.file, item.position, wanted);
    counters_->sendfile_calls++;
    if (sent != -EINVAL && sent != -ENOSYS) {
      if (sent == 0) return -ENODATA;
      if (sent < 0) return sent;
      *is_partial = static_cast<size_t>(sent) < wanted;
      counters_->bytes_out += static_cast<uint64_t>(sent);
      counters_->sendfile_bytes += static_cast<uint64_t>(sent);
      range_bytes_ -= static_cast<size_t>(sent);
      item.position += static_cast<uint64_t>(sent);
      item.length -= static_cast<size_t>(sent);
      if (item.length == 0) PopHead();
      return sent;
    }
    item.is_copying = true;  // some file systems cannot be spliced from
  }
  const int error = CopySlice();
  return error != 0 ? error : SendBytes(socket, is_partial);
}

// Moves the first slice of the range at the head into memory, in front of it.
int OutboundQueue::CopySlice() {
  Item slice;
  {
    Item& range = items_[head_];
    const size_t wanted = std::min(range.length, kSliceBytes);
    slice.buffer = pool_->Take(wanted);
    const int64_t got =
        platform::ReadAll(range.file, slice.buffer.data(), wanted, range.position);
    if (got < 0) return static_cast<int>(got);
    if (static_cast<size_t>(got) < wanted) return -ENODATA;
    slice.end = wanted;
    range.position += wanted;
    range.length -= wanted;
    range_bytes_ -= wanted;
    memory_bytes_ += wanted;
    counters_->copied_range_bytes += wanted;
    if (range.length == 0) {
      close(range.file);
      range = std::move(slice);
      return 0;
    }
  }
  if (head_ > 0) {
    items_[--head_] = std::move(slice);
  } else {
    items_.insert(items_.begin(), std::move(slice));
  }
  return 0;
}

void OutboundQueue::DropSent(size_t count) {
  memory_bytes_ -= count;
  while (count > 0) {
    Item& item = items_[head_];
    const size_t part = std::min(count, item.end - item.begin);
    item.begin += part;
    count -= part;
    if (item.begin == item.end) PopHead();
  }
}

void OutboundQueue::PopHead() {
  Item& item = items_[head_++];
  if (item.file >= 0) {
    close(item.file);
    item.file = -1;
  }
  item.buffer.Release();
  if (IsEmpty()) {
    items_.clear();
    head_ = 0;
  } else if (head_ >= 256 && head_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

}  // namespace lograft
