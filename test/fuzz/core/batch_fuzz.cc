// Batch validation under every rule: no byte outside the batch is read or changed, and what a
// leader accepts from a client every replica accepts, stamped as leaders stamp.
//
//   input:  mode u8 | offset u64 | epoch u32 | the batch
//   mode:   1 magic and length are set right, 2 the CRC too, 4 cut at the end, 8 both rules' order
#include "../../../native/core/batch.h"

#include "../../../native/core/crc32c.h"
#include "../../../native/core/endian.h"
#include "../../native/core/check.h"
#include "exact.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

constexpr uint8_t kSetFrame = 1;
constexpr uint8_t kSetCrc = 2;
constexpr uint8_t kCut = 4;
constexpr int64_t kSafeIntegerMax = (int64_t{1} << 53) - 1;

BatchFault Validate(const Exact& batch, uint32_t rules, double* fields) {
  return ValidateBatch(batch.data(), batch.size(), rules, fields);
}

void Repair(const Exact& batch, uint8_t mode) {
  uint8_t* p = batch.data();
  if (batch.size() < kBatchHeaderBytes) return;
  if ((mode & (kSetFrame | kSetCrc)) != 0) {
    p[16] = 2;
    WriteU32(p + 8, static_cast<uint32_t>(batch.size() - kBatchLengthEnd));
  }
  if ((mode & kSetCrc) != 0) WriteU32(p + 17, Crc32c(0, p + 21, batch.size() - 21));
}

// Fields as ReadBatchHeader tells them are those that validation tells.
void CheckFields(const Exact& batch, const double* fields) {
  double header[kFieldCount];
  CHECK(ReadBatchHeader(batch.data(), batch.size(), header) == BatchFault::kNone);
  for (int i = 0; i < kFieldCount; i++) CHECK(header[i] == fields[i]);
  CHECK(fields[kFieldSize] <= static_cast<double>(batch.size()));
}

void CheckBroker(const Exact& original) {
  const Exact batch(original);
  double fields[kFieldCount];
  const BatchFault fault = Validate(batch, kRulesBroker, fields);
  CHECK(fault < BatchFault::kCount);
  CHECK(batch.Equals(original));
  if (fault != BatchFault::kNone) return;
  CheckFields(batch, fields);
  CHECK(fields[kFieldBaseOffset] >= 0 && fields[kFieldLastOffsetDelta] >= 0);
  const size_t size = static_cast<size_t>(fields[kFieldSize]);
  const Exact shorter(batch.data(), size - 1);
  CHECK(Validate(shorter, kRulesBroker, fields) == BatchFault::kTruncated);
}

void CheckAccepted(const Exact& batch, int64_t offset, int32_t epoch, int64_t wall_ms) {
  double fields[kFieldCount];
  const Exact again(batch);
  CHECK(Validate(again, kRulesClient, fields) == BatchFault::kNone);
  CHECK(again.Equals(batch));  // what had to be corrected was corrected the first time
  CHECK(fields[kFieldRecordCount] >= 1);
  CHECK(fields[kFieldLastOffsetDelta] == fields[kFieldRecordCount] - 1);
  StampBatch(again.data(), offset, epoch);
  CHECK(Validate(again, kRulesBroker, fields) == BatchFault::kNone);
  CHECK(fields[kFieldBaseOffset] == static_cast<double>(offset));
  CHECK(fields[kFieldLeaderEpoch] == epoch);
  const Exact timed(again);
  CHECK(StampAppendTime(timed.data(), timed.size(), wall_ms));
  CHECK(Validate(timed, kRulesBroker, fields) == BatchFault::kNone);
  CHECK(fields[kFieldMaxTimestamp] == static_cast<double>(wall_ms));
}

void CheckClient(const Exact& original, int64_t offset, int32_t epoch, int64_t wall_ms) {
  const Exact batch(original);
  double fields[kFieldCount];
  const BatchFault fault = Validate(batch, kRulesClient, fields);
  CHECK(fault < BatchFault::kCount);
  if (fault != BatchFault::kNone) {
    // Refused or not, only maxTimestamp and the CRC may differ, and then together.
    for (size_t at = 0; at < batch.size(); at++) {
      const bool may_differ = (at >= 17 && at < 21) || (at >= 35 && at < 43);
      CHECK(may_differ || batch.data()[at] == original.data()[at]);
    }
    return;
  }
  CheckFields(batch, fields);
  CheckAccepted(batch, offset, epoch, wall_ms);
}

}  // namespace

void FuzzBatch(Input in) {
  const uint8_t mode = in.U8();
  const uint64_t number = in.U64();
  const int32_t epoch = static_cast<int32_t>(in.U32() & INT32_MAX);
  const int64_t offset = static_cast<int64_t>(number % (kSafeIntegerMax - INT32_MAX));
  const size_t cut = (mode & kCut) != 0 ? std::min<size_t>(in.size(), mode >> 4) : 0;
  const Exact whole(in.data(), in.size());
  Repair(whole, mode);
  const Exact batch(whole.data(), whole.size() - cut);
  double fields[kFieldCount];
  ReadBatchHeader(batch.data(), batch.size(), fields);
  CheckBroker(batch);
  CheckClient(batch, offset, epoch, static_cast<int64_t>(number & kSafeIntegerMax));
  // Rules that nobody defined yet are no reason to read too far.
  const Exact other(batch);
  Validate(other, epoch | kRulesClient, fields);
  StampAppendTime(other.data(), other.size(), static_cast<int64_t>(number));
}

}  // namespace lograft::fuzz
