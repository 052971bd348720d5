// FrameReaders of two connections in one slab. The input says what each connection sends (frames
// of any length, or raw headers) and how many bytes each read gets; a simple parser of the whole
// stream says what must come out: these frames, in this order, then this verdict. The highest bit
// of `slab` makes the second connection raw: all its bytes come out at once, none is refused.
//
//   input: slab u8 | limit u8 | reads u8 | that many read sizes | commands for both streams
#include "../../../native/core/frame_reader.h"

#include <cstring>
#include <vector>

#include "../../../native/core/endian.h"
#include "../../native/core/check.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

constexpr size_t kStreamBytesMax = 8 * 1024;
constexpr size_t kReadersCount = 2;
constexpr size_t kSmallTurnsMax = 128;

class Connection {
 public:
  Connection(BufferPool* pool, uint32_t limit) : pool_(pool), limit_(limit), reader_(pool) {
    reader_.set_frame_bytes_max(limit);
    stream_.reserve(kStreamBytesMax);
  }

  void SetRaw() { CHECK(reader_.SetRaw()); }

  void AddFrame(size_t length) {
    uint8_t header[4];
    WriteU32(header, static_cast<uint32_t>(length));
    AddBytes(header, 4);
    AddBytes(PatternAt(stream_.size()), length);
  }
  void AddBytes(const uint8_t* bytes, size_t length) {
    stream_.insert(stream_.end(), bytes, bytes + length);
  }

  size_t size() const { return stream_.size(); }
  bool IsOver() const { return is_refused_ || sent_ == stream_.size(); }

  // One read into the slab; false when the slab has no room for this connection now.
  bool Read(std::vector<uint8_t>* slab, size_t* fill, size_t wanted) {
    iovec parts[2];
    const size_t count = reader_.PlanRead(slab->data(), *fill, slab->size(), wanted, parts);
    if (count == 0) {
      CHECK(*fill > 0);  // an empty slab always has room
      return false;
    }
    const size_t got = Receive(parts, count, wanted);
    span_ = reader_.CommitRead(slab->data(), *fill, got);
    CHECK(span_.begin <= span_.end && span_.end <= slab->size());
    *fill = std::max(*fill, span_.end);
    return true;
  }

  void TakeFrames(const std::vector<uint8_t>& slab) {
    while (!is_refused_) {
      Frame frame;
      const FrameResult result = reader_.Next(slab.data(), &span_, &frame);
      if (result == FrameResult::kFrame) {
        CHECK(frame.start + frame.length <= slab.size());
        Expect(slab.data() + frame.start, frame.length);
      } else if (result == FrameResult::kOwnBuffer) {
        CarryBuffer own(pool_);
        reader_.TakeOwnBuffer(&own);
        std::vector<uint8_t> bytes(own.size());
        own.CopyTo(bytes.data());
        Expect(bytes.data(), bytes.size());
      } else if (result == FrameResult::kNeedMore) {
        return CheckHeld();
      } else {
        CHECK(result == Verdict());
        is_refused_ = true;
      }
    }
  }

  // Everything was sent, so what is not refused is taken but for an unfinished rest.
  void CheckEnd() const {
    if (is_refused_) return;
    CHECK(Verdict() == FrameResult::kNeedMore);
  }

 private:
  size_t Receive(const iovec* parts, size_t count, size_t wanted) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
      const size_t part = std::min({parts[i].iov_len, wanted - total, stream_.size() - sent_});
      if (part > 0) std::memcpy(parts[i].iov_base, stream_.data() + sent_, part);
      sent_ += part;
      total += part;
      if (part < parts[i].iov_len) break;
    }
    return total;
  }

  // What the definition says of the bytes behind the last frame, as far as they were sent.
  FrameResult Verdict() const {
    if (reader_.is_raw()) return sent_ > taken_ ? FrameResult::kFrame : FrameResult::kNeedMore;
    if (sent_ - taken_ < 4) return FrameResult::kNeedMore;
    const int32_t promised = ReadI32(stream_.data() + taken_);
    if (promised < 0) return FrameResult::kNegative;
    if (promised == 0) return FrameResult::kEmpty;
    if (static_cast<uint32_t>(promised) > limit_) return FrameResult::kTooLarge;
    return sent_ - taken_ - 4 < static_cast<size_t>(promised) ? FrameResult::kNeedMore
                                                               : FrameResult::kFrame;
  }

  void Expect(const uint8_t* bytes, size_t length) {
    CHECK(Verdict() == FrameResult::kFrame);
    const size_t header = reader_.is_raw() ? 0 : 4;
    CHECK(length == (header == 0 ? sent_ - taken_ : ReadU32(stream_.data() + taken_)));
    CHECK(std::memcmp(bytes, stream_.data() + taken_ + header, length) == 0);
    taken_ += header + length;
  }

  // A connection can be handed over at any time: what is held is what was not taken.
  void CheckHeld() const {
    CHECK(Verdict() == FrameResult::kNeedMore);
    CHECK(span_.begin == span_.end);
    CHECK(reader_.HeldBytes() == sent_ - taken_);
    CHECK(reader_.HasBegun() == (sent_ > taken_));
    // Looked at now and then: a copy at every read would cost more than all the reading.
    if (sent_ % 8 != 0 && sent_ != stream_.size()) return;
    std::vector<uint8_t> held(sent_ - taken_);
    reader_.CopyHeld(held.data());
    CHECK(held.empty() || std::memcmp(held.data(), stream_.data() + taken_, held.size()) == 0);
  }

  BufferPool* const pool_;
  const uint32_t limit_;
  FrameReader reader_;
  std::vector<uint8_t> stream_;
  size_t sent_ = 0;
  size_t taken_ = 0;
  Span span_ = {0, 0};
  bool is_refused_ = false;
};

void AddCommand(Input* in, Connection* to) {
  const uint8_t command = in->U8();
  if (command >= 0xF0) {
    const size_t length = std::min<size_t>(command & 15, in->size());
    to->AddBytes(in->data(), length);
    in->Skip(length);
  } else if (command >= 0xE0) {
    to->AddFrame((in->U16() & 0x1FFF) + 1);
  } else if (command >= 0x80) {
    to->AddFrame(in->U8() * size_t{2} + 1);
  } else {
    to->AddFrame(command / 2 + size_t{1});
  }
}

}  // namespace

void FuzzFrameReader(Input in) {
  BufferPool pool;
  const uint8_t shape = in.U8();
  std::vector<uint8_t> slab(size_t{256} << (shape % 5));
  const uint32_t limit = uint32_t{1} << (in.U8() % 24);
  const size_t reads = in.U8() % 64;
  const uint8_t* sizes = in.data();
  const size_t sizes_count = in.Skip(reads);
  Connection connections[kReadersCount] = {{&pool, limit}, {&pool, limit}};
  if ((shape & 0x80) != 0) connections[1].SetRaw();
  size_t total = 0;
  for (size_t i = 0; !in.IsAtEnd() && total < kStreamBytesMax; i++) {
    AddCommand(&in, &connections[i % kReadersCount]);
    total = connections[0].size() + connections[1].size();
  }
  for (size_t turn = 0; !connections[0].IsOver() || !connections[1].IsOver(); turn++) {
    size_t fill = 0;
    bool has_read[kReadersCount] = {};
    for (size_t who = 0; who < kReadersCount; who++) {
      const size_t at = turn * kReadersCount + who;
      const size_t size = sizes_count == 0 ? 64 : sizes[at % sizes_count];
      // Readers of a byte at a time are tried for a while, not for a whole stream.
      const bool is_long = size >= 128 || turn >= kSmallTurnsMax;
      const size_t wanted = is_long ? (size % 128 + 1) * 64 : size + 1;
      if (connections[who].IsOver()) continue;
      has_read[who] = connections[who].Read(&slab, &fill, wanted);
    }
    for (size_t who = 0; who < kReadersCount; who++) {
      if (has_read[who]) connections[who].TakeFrames(slab);
    }
  }
  for (const Connection& connection : connections) connection.CheckEnd();
}

}  // namespace lograft::fuzz
