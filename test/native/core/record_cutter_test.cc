// Bodies of many records: what is cut, what is refused and where, and bytes that lie in memory of
// exactly their size, so that one read too far is seen. What each record becomes is compared with
// TypeScript in test/gateway/http/record-bodies.test.ts.
#include "../../../native/core/record_cutter.h"

#include <cstring>
#include <string>
#include <vector>

#include "../../../native/core/batch.h"
#include "../../../native/core/endian.h"
#include "../../../native/core/record_blocks.h"
#include "check.h"

namespace lograft::test {
namespace {

CutFault Cut(RecordCutter* cutter, const std::string& body, bool is_array = false) {
  CutRequest request;
  request.is_array = is_array;
  request.partition_count = 3;
  request.any_partition = 1;
  request.now_ms = 7;
  const std::vector<uint8_t> exact(body.begin(), body.end());
  return cutter->Cut(exact.data(), exact.size(), request);
}

std::vector<uint8_t> BlocksOf(const RecordCutter& cutter) {
  std::vector<uint8_t> blocks(cutter.bytes());
  cutter.TakeBlocks(blocks.data());
  return blocks;
}

void TestShares() {
  RecordCutter cutter;
  const std::string body =
      "{\"value\":\"a\"}\n\r\n{\"value\":\"b\",\"partition\":2,\"timestamp\":9}\r\n"
      "{\"value\":\"c\"}";
  CHECK(Cut(&cutter, body) == CutFault::kNone);
  CHECK_EQUAL(cutter.record_count(), 3);
  CHECK_EQUAL(cutter.shares().size(), 2);
  CHECK_EQUAL(cutter.shares()[0].partition, 1);
  CHECK_EQUAL(cutter.shares()[0].record_count, 2);
  CHECK_EQUAL(cutter.shares()[1].partition, 2);
  CHECK_EQUAL(cutter.share_of(1), 1);
  const std::vector<uint8_t> blocks = BlocksOf(cutter);
  // No key, one byte, no headers.
  const std::vector<uint8_t> first = {0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 4, 1, 2, 'a', 0};
  CHECK_EQUAL(blocks.size(), 3 * first.size());
  CHECK(std::equal(first.begin(), first.end(), blocks.begin()));
  CHECK_EQUAL(blocks[16 + 14], 'c');
  CHECK_EQUAL(blocks[32 + 7], 9);
}

void TestFaults() {
  RecordCutter cutter;
  CHECK(Cut(&cutter, "") == CutFault::kEmpty);
  CHECK(Cut(&cutter, "\n\n{\"value\":\"\xFF\"}") == CutFault::kNotUtf8);
  CHECK(Cut(&cutter, "{\"value\":1}\n\n{\"value\":1,}") == CutFault::kNotJson);
  CHECK_EQUAL(cutter.place(), 3);
  CHECK(Cut(&cutter, "{\"value\":1}\n{\"Value\":1}") == CutFault::kNotRecord);
  CHECK_EQUAL(cutter.place(), 2);
  CHECK(Cut(&cutter, "[{\"value\":1},{\"value\":1,\"partition\":3}]", true) ==
        CutFault::kUnknownPartition);
  CHECK_EQUAL(cutter.place(), 1);
  CHECK(Cut(&cutter, "{\"value\":1,\"partition\":1.0}") == CutFault::kUnusual);
  for (const size_t levels : {kJsonDepthMax, kJsonDepthMax + 1, size_t{1} << 20}) {
    const std::string deep(levels, '[');
    const std::string body = "{\"value\":" + deep + std::string(levels, ']') + "}";
    const bool is_taken = levels <= kJsonDepthMax;
    CHECK(Cut(&cutter, body) == (is_taken ? CutFault::kNone : CutFault::kUnusual));
    CHECK(Cut(&cutter, "{\"value\":" + deep) != CutFault::kNone);
  }
}

// Every prefix of a body with everything in it, and every change of one byte.
void TestDamage() {
  const std::string body =
      " {\"key\":\"\\ud83d\\ude00\\ud800\",\"value\":{\"a\":[1.5e-3,true,null,\"\\\\\"]},"
      "\"offset\":[{}],\"headers\":[{\"key\":\"h\",\"value\":\"/w==\",\"encoding\":\"base64\"}]}"
      "\r\n"
      "{\"\\u0076alue\":\"\xC3\xA9\xF0\x9F\x98\x80\",\"headers\":{\"a\":1,\"b\":\"\"}}";
  RecordCutter cutter;
  CHECK(Cut(&cutter, body) == CutFault::kNone);
  for (size_t length = 0; length < body.size(); length++) {
    Cut(&cutter, body.substr(0, length));
    Cut(&cutter, "[" + body.substr(0, length), true);
  }
  Random random(5);
  for (size_t at = 0; at < body.size(); at++) {
    for (int i = 0; i < 20; i++) {
      std::string other = body;
      other[at] = static_cast<char>(random.Next());
      if (Cut(&cutter, other) == CutFault::kNone) BlocksOf(cutter);
    }
  }
}

void TestSeal() {
  RecordCutter cutter;
  CHECK(Cut(&cutter, "{\"value\":\"a\",\"timestamp\":9007199254740991}\n{\"value\":\"b\"}") ==
        CutFault::kNone);
  const std::vector<uint8_t> one = BlocksOf(cutter);
  const Blocks blocks = {one.data(), one.size()};
  const std::vector<Blocks> list = {blocks, {nullptr, 0}, blocks};
  std::vector<uint8_t> batch(kBatchHeaderBytes + 2 * one.size() + 4 * kRecordGrowthMax);
  const size_t size = SealBatch(list.data(), list.size(), 4, batch.data());
  CHECK(size > kBatchHeaderBytes && size <= batch.size());
  double fields[kFieldCount];
  CHECK(ValidateBatch(batch.data(), size, kRulesClient, fields) == BatchFault::kNone);
  CHECK_EQUAL(fields[kFieldRecordCount], 4);
  CHECK_EQUAL(fields[kFieldMaxTimestamp], (int64_t{1} << 53) - 1);
  // Other counts, and blocks that end too early.
  CHECK_EQUAL(SealBatch(list.data(), list.size(), 3, batch.data()), 0);
  CHECK_EQUAL(SealBatch(list.data(), list.size(), 5, batch.data()), 0);
  for (size_t length = 1; length < one.size(); length++) {
    const std::vector<uint8_t> shorter(one.begin(), one.begin() + static_cast<long>(length));
    const Blocks cut = {shorter.data(), length};
    const size_t sealed = SealBatch(&cut, 1, 2, batch.data());
    CHECK_EQUAL(sealed, 0);
  }
}

}  // namespace

void TestRecordCutter() {
  TestShares();
  TestFaults();
  TestDamage();
  TestSeal();
}

}  // namespace lograft::test
