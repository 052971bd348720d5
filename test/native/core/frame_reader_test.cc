// FrameReader with several connections in one small slab: whatever the sizes of slab, reads and
// frames, exactly the frames that were sent come out, and memory follows the bytes that arrived.
// One of them is raw: its bytes come out as they came in, whatever they would mean as frames.
#include <cstring>
#include <deque>

#include "../../../native/core/endian.h"
#include "../../../native/core/frame_reader.h"
#include "check.h"

namespace lograft::test {
namespace {

constexpr uint32_t kFrameBytesMax = 100 * 1000;

struct Sender {
  std::vector<uint8_t> stream;
  std::deque<std::vector<uint8_t>> expected;
  size_t sent = 0;
  bool is_raw = false;
  size_t taken = 0;  // raw: bytes that came out
};

Sender MakeSender(Random* random, size_t slab_bytes) {
  Sender sender;
  const size_t sizes[] = {8, 300, slab_bytes / 2 + 2, slab_bytes, 3 * slab_bytes};
  for (int i = 0; i < 40; i++) {
    const size_t length = 1 + random->Below(sizes[random->Below(5)]);
    const std::vector<uint8_t> body = random->Bytes(length);
    uint8_t header[4];
    WriteU32(header, static_cast<uint32_t>(length));
    sender.stream.insert(sender.stream.end(), header, header + 4);
    sender.stream.insert(sender.stream.end(), body.begin(), body.end());
    sender.expected.push_back(body);
  }
  return sender;
}

size_t Receive(Random* random, Sender* sender, const iovec* parts, size_t count) {
  size_t budget = std::min(sender->stream.size() - sender->sent, 1 + random->Below(9000));
  size_t total = 0;
  for (size_t i = 0; i < count && budget > 0; i++) {
    const size_t part = std::min(parts[i].iov_len, budget);
    std::memcpy(parts[i].iov_base, sender->stream.data() + sender->sent, part);
    sender->sent += part;
    budget -= part;
    total += part;
  }
  return total;
}

void Expect(Sender* sender, const uint8_t* bytes, size_t length) {
  if (sender->is_raw) {
    CHECK(length > 0 && sender->taken + length <= sender->sent);
    CHECK(std::memcmp(bytes, sender->stream.data() + sender->taken, length) == 0);
    sender->taken += length;
    return;
  }
  CHECK(!sender->expected.empty());
  const std::vector<uint8_t>& body = sender->expected.front();
  CHECK_EQUAL(length, body.size());
  CHECK(std::memcmp(bytes, body.data(), length) == 0);
  sender->expected.pop_front();
}

void TakeFrames(BufferPool* pool, FrameReader* reader, const std::vector<uint8_t>& slab,
                Span span, Sender* sender) {
  for (;;) {
    Frame frame;
    const FrameResult result = reader->Next(slab.data(), &span, &frame);
    if (result == FrameResult::kFrame) {
      Expect(sender, slab.data() + frame.start, frame.length);
    } else if (result == FrameResult::kOwnBuffer) {
      CarryBuffer own(pool);
      reader->TakeOwnBuffer(&own);
      std::vector<uint8_t> bytes(own.size());
      own.CopyTo(bytes.data());
      Expect(sender, bytes.data(), bytes.size());
    } else {
      CHECK(result == FrameResult::kNeedMore);
      CHECK_EQUAL(span.end - span.begin, 0);
      if (!sender->is_raw) return;
      CHECK_EQUAL(sender->taken, sender->sent);
      CHECK_EQUAL(reader->HeldBytes(), 0);
      CHECK(!reader->HasBegun());
      return;
    }
  }
}

void TestRandomStreams(uint64_t seed, size_t slab_bytes) {
  Random random(seed);
  BufferPool pool;
  std::vector<uint8_t> slab(slab_bytes);
  std::vector<Sender> senders;
  std::vector<FrameReader> readers;
  for (int i = 0; i < 3; i++) {
    senders.push_back(MakeSender(&random, slab_bytes));
    readers.emplace_back(&pool);
    readers.back().set_frame_bytes_max(kFrameBytesMax);
  }
  senders[1].is_raw = true;
  CHECK(readers[1].SetRaw());
  struct Pending {
    size_t who;
    Span span;
  };
  for (bool is_done = false; !is_done;) {
    is_done = true;
    size_t fill = 0;
    std::vector<Pending> pending;
    for (size_t who = 0; who < senders.size(); who++) {
      if (senders[who].sent < senders[who].stream.size()) is_done = false;
      iovec parts[2];
      const size_t count = readers[who].PlanRead(slab.data(), fill, slab.size(),
                                                 1 + random.Below(slab.size()), parts);
      CHECK(count > 0 || fill > 0);  // an empty slab always has room
      if (count == 0) continue;
      const size_t got = Receive(&random, &senders[who], parts, count);
      if (got == 0) continue;
      const Span span = readers[who].CommitRead(slab.data(), fill, got);
      CHECK(span.end <= slab.size());
      if (span.begin == span.end && !readers[who].HasOwnBuffer()) continue;
      fill = span.end;
      pending.push_back({who, span});
    }
    for (const Pending& p : pending) {
      TakeFrames(&pool, &readers[p.who], slab, p.span, &senders[p.who]);
    }
  }
  for (const Sender& sender : senders) {
    CHECK(sender.is_raw ? sender.taken == sender.stream.size() : sender.expected.empty());
  }
  CHECK(readers[1].SetRaw());   // again: nothing happens
  CHECK(!readers[0].SetRaw());  // too late
}

FrameResult FirstVerdict(int32_t promised) {
  BufferPool pool;
  FrameReader reader(&pool);
  reader.set_frame_bytes_max(1000);
  uint8_t bytes[4];
  WriteU32(bytes, static_cast<uint32_t>(promised));
  Span span = {0, 4};
  Frame frame;
  return reader.Next(bytes, &span, &frame);
}

// A promised length of 100 MB with a few bytes behind it costs a few kilobytes.
void TestNoMemoryForPromises() {
  BufferPool pool;
  std::vector<uint8_t> slab(4096);
  FrameReader reader(&pool);
  reader.set_frame_bytes_max(200 * 1000 * 1000);
  WriteU32(slab.data(), 100 * 1000 * 1000);
  Span span = {0, 14};
  Frame frame;
  CHECK(reader.Next(slab.data(), &span, &frame) == FrameResult::kNeedMore);
  iovec parts[2];
  CHECK_EQUAL(reader.PlanRead(slab.data(), 0, slab.size(), slab.size(), parts), 1);
  CHECK(parts[0].iov_len <= 8192);
  CHECK_EQUAL(reader.HeldBytes(), 14);
}

}  // namespace

void TestFrameReader() {
  for (uint64_t seed = 1; seed <= 40; seed++) TestRandomStreams(seed, 4096);
  for (uint64_t seed = 1; seed <= 10; seed++) TestRandomStreams(seed, 16384);
  CHECK(FirstVerdict(-1) == FrameResult::kNegative);
  CHECK(FirstVerdict(INT32_MIN) == FrameResult::kNegative);
  CHECK(FirstVerdict(0) == FrameResult::kEmpty);
  CHECK(FirstVerdict(1000) == FrameResult::kNeedMore);
  CHECK(FirstVerdict(1001) == FrameResult::kTooLarge);
  CHECK(FirstVerdict(INT32_MAX) == FrameResult::kTooLarge);
  TestNoMemoryForPromises();
}

}  // namespace lograft::test
