// Batches told as JSON: an ordinary one, and bytes that lie in memory of exactly their size, so
// that one read too far is seen. What each record becomes is compared with TypeScript in
// test/native/record-teller.test.ts.
#include "../../../native/core/record_teller.h"

#include <cstring>
#include <string>
#include <vector>

#include "../../../native/core/base64.h"
#include "../../../native/core/batch.h"
#include "../../../native/core/record_blocks.h"
#include "../../../native/core/record_cutter.h"
#include "check.h"

namespace lograft::test {
namespace {

std::vector<uint8_t> BatchOf(const std::string& lines) {
  RecordCutter cutter;
  CutRequest request;
  request.partition_count = 1;
  request.any_partition = 0;
  request.now_ms = 7;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(lines.data());
  CHECK(cutter.Cut(bytes, lines.size(), request) == CutFault::kNone);
  std::vector<uint8_t> blocks(cutter.bytes());
  cutter.TakeBlocks(blocks.data());
  const Blocks list = {blocks.data(), blocks.size()};
  const size_t count = cutter.record_count();
  std::vector<uint8_t> batch(kBatchHeaderBytes + blocks.size() + count * kRecordGrowthMax);
  batch.resize(SealBatch(&list, 1, count, batch.data()));
  return batch;
}

std::string TextOf(RecordTeller* teller) {
  std::string text(teller->size(), ' ');
  teller->TakeText(reinterpret_cast<uint8_t*>(text.data()));
  return text;
}

void TestText() {
  const std::vector<uint8_t> batch = BatchOf(
      "{\"key\":\"k\",\"value\":\"a\\\"\\u0001\\n\",\"headers\":{\"h\":null}}\n"
      "{\"value\":\"/w==\",\"valueEncoding\":\"base64\"}");
  RecordTeller teller;
  CHECK(teller.Tell(batch.data(), batch.size(), {0, 10, true}) == TellFault::kNone);
  CHECK_EQUAL(teller.record_count(), 2);
  CHECK_EQUAL(teller.next_offset(), 2);
  CHECK(TextOf(&teller) ==
        "{\"offset\":0,\"timestamp\":7,\"key\":\"k\",\"value\":\"a\\\"\\u0001\\n\","
        "\"headers\":[{\"key\":\"h\",\"value\":null}]}\n"
        "{\"offset\":1,\"timestamp\":7,\"key\":null,\"value\":\"/w==\","
        "\"valueEncoding\":\"base64\",\"headers\":[]}\n");
  CHECK(teller.Tell(batch.data(), batch.size(), {1, 10, false}) == TellFault::kNone);
  CHECK_EQUAL(teller.record_count(), 1);
  CHECK(TextOf(&teller).rfind("{\"offset\":1", 0) == 0);
  CHECK(teller.Tell(batch.data(), batch.size(), {0, 1, false}) == TellFault::kNone);
  CHECK_EQUAL(teller.record_count(), 1);
  CHECK_EQUAL(teller.next_offset(), 1);
}

void TestParts() {
  const std::vector<uint8_t> whole = BatchOf("{\"value\":\"a\"}\n{\"value\":\"b\"}");
  RecordTeller teller;
  for (size_t length = 0; length < whole.size(); length++) {
    const std::vector<uint8_t> part(whole.begin(), whole.begin() + length);
    CHECK(teller.Tell(part.data(), part.size(), {0, 10, false}) == TellFault::kNone);
    CHECK_EQUAL(teller.record_count(), 0);
  }
  // A record that says to be longer than its batch, and one of a codec.
  std::vector<uint8_t> broken = whole;
  broken[kBatchHeaderBytes] = 0x7E;
  CHECK(teller.Tell(broken.data(), broken.size(), {0, 10, false}) == TellFault::kUnusual);
  broken = whole;
  broken[22] = 1;
  CHECK(teller.Tell(broken.data(), broken.size(), {0, 10, false}) == TellFault::kUnusual);
}

void TestBase64() {
  uint8_t bytes[32];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = static_cast<uint8_t>(i * 0x9D);
  for (size_t length = 1; length <= sizeof bytes; length++) {
    std::vector<uint8_t> text(Base64Bytes(length));
    CHECK_EQUAL(EncodeBase64(bytes, length, text.data()), text.size());
    const uint8_t* const end = DecodeBase64(text.data(), text.size());
    CHECK(end != nullptr);
    CHECK_EQUAL(static_cast<size_t>(end - text.data()), length);
    CHECK(std::memcmp(text.data(), bytes, length) == 0);
  }
}

}  // namespace

void TestRecordTeller() {
  TestText();
  TestParts();
  TestBase64();
}

}  // namespace lograft::test
