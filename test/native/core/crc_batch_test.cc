// CRC32C against a bitwise definition, and batch validation against hostile bytes. Buffers have
// exactly the length that is passed, so that the address sanitizer sees any byte read too far.
#include <cstring>
#include <memory>

#include "../../../native/core/batch.h"
#include "../../../native/core/crc32c.h"
#include "../../../native/core/endian.h"
#include "check.h"

namespace lograft::test {
namespace {

// The definition: one bit at a time.
uint32_t SlowCrc32c(uint32_t seed, const uint8_t* bytes, size_t length) {
  uint32_t crc = ~seed;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
  }
  return ~crc;
}

void PutVarint(std::vector<uint8_t>* out, int64_t value) {
  uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; bits >= 0x80; bits >>= 7) out->push_back(static_cast<uint8_t>(bits | 0x80));
  out->push_back(static_cast<uint8_t>(bits));
}

std::vector<uint8_t> MakeRecord(Random* random, int index) {
  std::vector<uint8_t> body = {0};
  PutVarint(&body, index * 3);
  PutVarint(&body, index);
  PutVarint(&body, index % 3 == 0 ? -1 : 4);
  if (index % 3 != 0) body.insert(body.end(), {'k', 'e', 'y', '0'});
  const std::vector<uint8_t> value = random->Bytes(random->Below(300));
  PutVarint(&body, static_cast<int64_t>(value.size()));
  body.insert(body.end(), value.begin(), value.end());
  PutVarint(&body, index % 2);
  if (index % 2 == 1) {
    PutVarint(&body, 1);
    body.push_back('h');
    PutVarint(&body, -1);
  }
  std::vector<uint8_t> record;
  PutVarint(&record, static_cast<int64_t>(body.size()));
  record.insert(record.end(), body.begin(), body.end());
  return record;
}

void SealBatch(std::vector<uint8_t>* batch) {
  WriteU32(batch->data() + 8, static_cast<uint32_t>(batch->size() - kBatchLengthEnd));
  WriteU32(batch->data() + 17, Crc32c(0, batch->data() + 21, batch->size() - 21));
}

std::vector<uint8_t> MakeBatch(Random* random, int count) {
  std::vector<uint8_t> batch(kBatchHeaderBytes);
  for (int i = 0; i < count; i++) {
    const std::vector<uint8_t> record = MakeRecord(random, i);
    batch.insert(batch.end(), record.begin(), record.end());
  }
  uint8_t* p = batch.data();
  p[16] = 2;
  WriteU32(p + 23, static_cast<uint32_t>(count - 1));
  WriteU64(p + 27, 1000);
  WriteU64(p + 35, static_cast<uint64_t>(1000 + (count - 1) * 3));
  WriteU64(p + 43, ~uint64_t{0});
  WriteU32(p + 57, static_cast<uint32_t>(count));
  SealBatch(&batch);
  return batch;
}

BatchFault Validate(const std::vector<uint8_t>& batch, size_t length, uint32_t rules) {
  // A copy of exactly `length` bytes on the heap.
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[length]);
  if (length > 0) std::memcpy(exact.get(), batch.data(), length);
  double fields[kFieldCount];
  return ValidateBatch(exact.get(), length, rules, fields);
}

void TestEveryLength(const std::vector<uint8_t>& batch) {
  for (size_t length = 0; length < batch.size(); length++) {
    CHECK(Validate(batch, length, kRulesClient) == BatchFault::kTruncated);
    CHECK(Validate(batch, length, kRulesBroker) == BatchFault::kTruncated);
  }
  CHECK(Validate(batch, batch.size(), kRulesClient) == BatchFault::kNone);
  CHECK(Validate(batch, batch.size(), kRulesBroker) == BatchFault::kNone);
}

// Every flipped bit behind the length field that is not sealed again is a bad CRC or worse.
void TestEveryFlip(const std::vector<uint8_t>& batch) {
  for (size_t at = 16; at < batch.size(); at++) {
    std::vector<uint8_t> broken = batch;
    broken[at] ^= 0x10;
    CHECK(Validate(broken, broken.size(), kRulesBroker) != BatchFault::kNone);
  }
}

// Sealed again, so that the walk itself meets the garbage: any verdict will do, no bad access.
void TestGarbage(Random* random, const std::vector<uint8_t>& batch) {
  for (int round = 0; round < 20000; round++) {
    std::vector<uint8_t> broken = batch;
    for (size_t flips = 1 + random->Below(4); flips > 0; flips--) {
      broken[21 + random->Below(broken.size() - 21)] = static_cast<uint8_t>(random->Next());
    }
    if (random->Below(4) == 0) broken.resize(kBatchHeaderBytes + random->Below(20));
    SealBatch(&broken);
    Validate(broken, broken.size(), kRulesClient);
    Validate(broken, broken.size(), kRulesBroker);
  }
}

}  // namespace

void TestCrc32c() {
  const auto* digits = reinterpret_cast<const uint8_t*>("123456789");
  Random random(1);
  const std::vector<uint8_t> bytes = random.Bytes(40000);
  for (const Crc32cImplementation& implementation : Crc32cImplementations()) {
    CHECK_EQUAL(implementation.run(0, digits, 9), 0xE3069283u);
    for (int round = 0; round < 400; round++) {
      const size_t start = random.Below(64);
      const size_t length = random.Below(round < 300 ? 1500 : bytes.size() - start);
      const uint32_t seed = static_cast<uint32_t>(random.Next());
      const uint8_t* from = bytes.data() + start;
      const uint32_t expected = SlowCrc32c(seed, from, length);
      CHECK_EQUAL(implementation.run(seed, from, length), expected);
      const size_t cut = random.Below(length + 1);
      const uint32_t first = implementation.run(seed, from, cut);
      CHECK_EQUAL(implementation.run(first, from + cut, length - cut), expected);
    }
  }
}

void TestBatch() {
  Random random(2);
  const std::vector<uint8_t> batch = MakeBatch(&random, 7);
  TestEveryLength(batch);
  TestEveryFlip(batch);
  TestGarbage(&random, batch);
  TestGarbage(&random, MakeBatch(&random, 1));
}

}  // namespace lograft::test
