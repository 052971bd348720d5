// RecordCutter and SealBatch: whatever the body, reading stays inside it; what is cut becomes
// batches that the leader accepts from a client, record for record; and the same body a line later,
// or with the cutter used before, is cut alike. Blocks that are no blocks are refused.
//
//   input:  mode u8 | partitions u8 | body
//   mode:   1 an array, 2 its partition is named, 4 no partition for records without a key,
//           8 the rest is blocks, of that many records
#include "../../../native/core/record_cutter.h"

#include <cstring>
#include <vector>

#include "../../../native/core/batch.h"
#include "../../../native/core/record_blocks.h"
#include "../../native/core/check.h"
#include "exact.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

constexpr uint8_t kIsArray = 1;
constexpr uint8_t kIsNamed = 2;
constexpr uint8_t kHasNoAny = 4;
constexpr uint8_t kIsBlocks = 8;

std::vector<uint8_t> Batch(const Blocks& blocks, size_t record_count) {
  std::vector<uint8_t> batch(kBatchHeaderBytes + blocks.length + record_count * kRecordGrowthMax);
  batch.resize(SealBatch(&blocks, 1, record_count, batch.data()));
  return batch;
}

void CheckBatch(std::vector<uint8_t> batch, size_t record_count) {
  double fields[kFieldCount];
  CHECK(ValidateBatch(batch.data(), batch.size(), kRulesClient, fields) == BatchFault::kNone);
  CHECK(fields[kFieldRecordCount] == static_cast<double>(record_count));
  CHECK(fields[kFieldSize] == static_cast<double>(batch.size()));
}

void CheckShares(const RecordCutter& cutter, int32_t partition_count) {
  const Exact blocks(cutter.bytes());
  cutter.TakeBlocks(blocks.data());
  size_t at = 0;
  size_t count = 0;
  for (const CutShare& share : cutter.shares()) {
    CHECK(share.partition >= 0 && share.partition < partition_count);
    CheckBatch(Batch({blocks.data() + at, share.bytes}, share.record_count), share.record_count);
    at += share.bytes;
    count += share.record_count;
  }
  CHECK(at == cutter.bytes());
  CHECK(count == cutter.record_count() && count > 0);
  for (size_t i = 0; i < count; i++) CHECK(cutter.share_of(i) < cutter.shares().size());
}

void FuzzBlocks(const Input& in, size_t record_count) {
  const Exact exact(in.data(), in.size());
  const std::vector<uint8_t> batch = Batch({exact.data(), in.size()}, record_count);
  if (batch.empty()) return;
  CHECK(batch.size() > kBatchHeaderBytes);
  double fields[kFieldCount];
  // The tails may be anything; what stands around them is right.
  std::vector<uint8_t> copy(batch);
  ValidateBatch(copy.data(), copy.size(), kRulesBroker, fields);
  CHECK(fields[kFieldRecordCount] == static_cast<double>(record_count));
}

}  // namespace

void FuzzRecordCutter(Input in) {
  const uint8_t mode = in.U8();
  CutRequest request;
  request.partition_count = 1 + in.U8() % 9;
  request.is_array = (mode & kIsArray) != 0;
  request.partition = (mode & kIsNamed) != 0 ? mode >> 4 : -1;
  request.any_partition = (mode & kHasNoAny) != 0 ? -1 : 0;
  request.now_ms = 1700000000000;
  if ((mode & kIsBlocks) != 0) return FuzzBlocks(in, mode >> 4);
  const Exact exact(in.data(), in.size());
  RecordCutter cutter;
  const CutFault fault = cutter.Cut(exact.data(), in.size(), request);
  CHECK(fault < CutFault::kCount);
  if (fault == CutFault::kNone) CheckShares(cutter, request.partition_count);

  // A line, or white space, in front of it changes nothing but the place.
  const size_t place = cutter.place();
  const bool has_mark = in.size() >= 3 && std::memcmp(in.data(), "\xEF\xBB\xBF", 3) == 0;
  if (has_mark) return;
  const Exact moved(in.size() + 1);
  moved.data()[0] = '\n';
  if (in.size() > 0) std::memcpy(moved.data() + 1, in.data(), in.size());
  CHECK(cutter.Cut(moved.data(), moved.size(), request) == fault);
  const bool is_placed = fault != CutFault::kNone && fault != CutFault::kNotUtf8;
  if (is_placed && !request.is_array) CHECK(cutter.place() == place + 1);
  if (is_placed && request.is_array) CHECK(cutter.place() == place);
}

}  // namespace lograft::fuzz
