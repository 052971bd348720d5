#include "batch.h"

#include <algorithm>

#include "crc32c.h"
#include "endian.h"
#include "varint.h"

namespace lograft {
namespace {

constexpr size_t kMagicAt = 16;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;
constexpr size_t kMaxTimestampAt = 35;
constexpr uint8_t kMagic = 2;

constexpr int kCodecMask = 0x07;
constexpr int kCodecMax = 4;  // none, gzip, snappy, lz4, zstd
constexpr int kLogAppendTimeBit = 0x08;
constexpr int kTransactionalBit = 0x10;
constexpr int kControlBit = 0x20;
constexpr int kDeleteHorizonBit = 0x40;
constexpr int kKnownBits = 0x7F;

constexpr int64_t kSafeIntegerMax = (int64_t{1} << 53) - 1;
constexpr int64_t kNoTimestamp = -1;

struct Header {
  size_t size;
  int64_t base_offset;
  int32_t leader_epoch;
  uint32_t crc;
  int attributes;
  int32_t last_offset_delta;
  int64_t base_timestamp;
  int64_t max_timestamp;
  int64_t producer_id;
  int16_t producer_epoch;
  int32_t base_sequence;
  int32_t record_count;
};

bool IsSafe(int64_t value) { return value >= kNoTimestamp && value <= kSafeIntegerMax; }

BatchFault ParseHeader(const uint8_t* p, size_t length, Header* header) {
  if (length <= kMagicAt) return BatchFault::kTruncated;
  // Magic before length: older formats keep it at the same place but may be shorter.
  if (p[kMagicAt] != kMagic) return BatchFault::kBadMagic;
  const int32_t batch_length = ReadI32(p + 8);
  if (batch_length < static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthEnd)) {
    return BatchFault::kBadLength;
  }
  if (length < kBatchHeaderBytes) return BatchFault::kTruncated;
  header->size = static_cast<size_t>(batch_length) + kBatchLengthEnd;
  header->base_offset = ReadI64(p);
  header->leader_epoch = ReadI32(p + 12);
  header->crc = ReadU32(p + kCrcAt);
  header->attributes = ReadU16(p + kAttributesAt);
  header->last_offset_delta = ReadI32(p + 23);
  header->base_timestamp = ReadI64(p + 27);
  header->max_timestamp = ReadI64(p + kMaxTimestampAt);
  header->producer_id = ReadI64(p + 43);
  header->producer_epoch = ReadI16(p + 51);
  header->base_sequence = ReadI32(p + 53);
  header->record_count = ReadI32(p + 57);
  return BatchFault::kNone;
}

void FillFields(const Header& header, double* fields) {
  fields[kFieldSize] = static_cast<double>(header.size);
  fields[kFieldBaseOffset] = static_cast<double>(header.base_offset);
  fields[kFieldLeaderEpoch] = header.leader_epoch;
  fields[kFieldAttributes] = header.attributes;
  fields[kFieldLastOffsetDelta] = header.last_offset_delta;
  fields[kFieldRecordCount] = header.record_count;
  fields[kFieldBaseTimestamp] = static_cast<double>(header.base_timestamp);
  fields[kFieldMaxTimestamp] = static_cast<double>(header.max_timestamp);
  fields[kFieldProducerId] = static_cast<double>(header.producer_id);
  fields[kFieldProducerEpoch] = header.producer_epoch;
  fields[kFieldBaseSequence] = header.base_sequence;
  fields[kFieldCrc] = header.crc;
}

uint32_t ComputeCrc(const uint8_t* bytes, size_t size) {
  return Crc32c(0, bytes + kAttributesAt, size - kAttributesAt);
}

BatchFault CheckBroker(const Header& h) {
  if ((h.attributes & ~kKnownBits) != 0) return BatchFault::kBadAttributes;
  if ((h.attributes & kCodecMask) > kCodecMax) return BatchFault::kBadAttributes;
  if (h.record_count < 0) return BatchFault::kBadCount;
  // Compaction leaves holes, so there may be fewer records than offsets, never more.
  if (h.last_offset_delta < 0) return BatchFault::kBadDelta;
  if (h.record_count > 0 && h.last_offset_delta < h.record_count - 1) return BatchFault::kBadDelta;
  if (h.producer_id > kSafeIntegerMax) return BatchFault::kBadSequence;
  if (!IsSafe(h.max_timestamp)) return BatchFault::kBadTimestamp;
  return BatchFault::kNone;
}

BatchFault CheckClient(const Header& h) {
  constexpr int kRefused = kTransactionalBit | kControlBit | kDeleteHorizonBit;
  if ((h.attributes & kRefused) != 0) return BatchFault::kBadAttributes;
  if (h.record_count < 1) return BatchFault::kBadCount;
  if (h.last_offset_delta != h.record_count - 1) return BatchFault::kBadDelta;
  if ((h.attributes & kLogAppendTimeBit) != 0) return BatchFault::kBadTimestamp;
  if (!IsSafe(h.base_timestamp)) return BatchFault::kBadTimestamp;
  if (h.producer_id < -1) return BatchFault::kBadSequence;
  if (h.producer_id >= 0 && (h.producer_epoch < 0 || h.base_sequence < 0)) {
    return BatchFault::kBadSequence;
  }
  return BatchFault::kNone;
}

// A varint length followed by that many bytes; -1 (nothing) only where `may_be_null`.
bool SkipBytes(VarintReader* in, bool may_be_null) {
  int32_t length;
  if (!in->Int32(&length)) return false;
  if (length < 0) return may_be_null && length == -1;
  return in->Skip(static_cast<size_t>(length));
}

bool SkipHeaders(VarintReader* in) {
  int32_t count;
  if (!in->Int32(&count) || count < 0) return false;
  // Each step consumes at least two bytes, so a lying count ends with the record.
  for (int32_t i = 0; i < count; i++) {
    if (!SkipBytes(in, false) || !SkipBytes(in, true)) return false;
  }
  return true;
}

BatchFault WalkRecord(VarintReader* in, int32_t index, int64_t base_timestamp,
                      int64_t* timestamp) {
  int32_t length;
  if (!in->Int32(&length) || length < 0) return BatchFault::kBadRecord;
  VarintReader record(nullptr, nullptr);
  if (!in->Take(static_cast<size_t>(length), &record)) return BatchFault::kBadRecord;
  int64_t timestamp_delta;
  int32_t offset_delta;
  if (!record.Skip(1) || !record.Int64(&timestamp_delta) || !record.Int32(&offset_delta)) {
    return BatchFault::kBadRecord;
  }
  if (offset_delta != index) return BatchFault::kBadDelta;
  if (__builtin_add_overflow(base_timestamp, timestamp_delta, timestamp)) {
    return BatchFault::kBadTimestamp;
  }
  if (!IsSafe(*timestamp)) return BatchFault::kBadTimestamp;
  if (!SkipBytes(&record, true) || !SkipBytes(&record, true) || !SkipHeaders(&record)) {
    return BatchFault::kBadRecord;
  }
  return record.IsAtEnd() ? BatchFault::kNone : BatchFault::kBadRecord;
}

BatchFault WalkRecords(const uint8_t* bytes, const Header& h, int64_t* max_timestamp) {
  VarintReader in(bytes + kBatchHeaderBytes, bytes + h.size);
  *max_timestamp = kNoTimestamp;
  for (int32_t index = 0; index < h.record_count; index++) {
    if (in.IsAtEnd()) return BatchFault::kBadCount;
    int64_t timestamp;
    const BatchFault fault = WalkRecord(&in, index, h.base_timestamp, &timestamp);
    if (fault != BatchFault::kNone) return fault;
    *max_timestamp = std::max(*max_timestamp, timestamp);
  }
  return in.IsAtEnd() ? BatchFault::kNone : BatchFault::kBadCount;
}

void RewriteCrc(uint8_t* bytes, size_t size) { WriteU32(bytes + kCrcAt, ComputeCrc(bytes, size)); }

BatchFault CheckClientRecords(uint8_t* bytes, const Header& h, double* fields) {
  if ((h.attributes & kCodecMask) != 0) {
    return IsSafe(h.max_timestamp) ? BatchFault::kNone : BatchFault::kBadTimestamp;
  }
  int64_t max_timestamp;
  const BatchFault fault = WalkRecords(bytes, h, &max_timestamp);
  if (fault != BatchFault::kNone || max_timestamp == h.max_timestamp) return fault;
  WriteU64(bytes + kMaxTimestampAt, static_cast<uint64_t>(max_timestamp));
  RewriteCrc(bytes, h.size);
  fields[kFieldMaxTimestamp] = static_cast<double>(max_timestamp);
  fields[kFieldCrc] = ReadU32(bytes + kCrcAt);
  return BatchFault::kNone;
}

}  // namespace

BatchFault ReadBatchHeader(const uint8_t* bytes, size_t length, double* fields) {
  Header header;
  const BatchFault fault = ParseHeader(bytes, length, &header);
  if (fault == BatchFault::kNone) FillFields(header, fields);
  return fault;
}

BatchFault ValidateBatch(uint8_t* bytes, size_t length, uint32_t rules, double* fields) {
  Header header;
  BatchFault fault = ParseHeader(bytes, length, &header);
  if (fault != BatchFault::kNone) return fault;
  FillFields(header, fields);
  if (header.size > length) return BatchFault::kTruncated;
  if (ComputeCrc(bytes, header.size) != header.crc) return BatchFault::kBadCrc;
  if ((rules & kRulesClient) != 0) {
    fault = CheckClient(header);
    if (fault != BatchFault::kNone) return fault;
    fault = CheckClientRecords(bytes, header, fields);
    if (fault != BatchFault::kNone) return fault;
    // A client's own base offset means nothing; its attributes are checked with the rest below.
    header.max_timestamp = ReadI64(bytes + kMaxTimestampAt);
  } else if (header.base_offset < 0 || header.base_offset > kSafeIntegerMax - INT32_MAX) {
    return BatchFault::kBadDelta;
  }
  return CheckBroker(header);
}

void StampBatch(uint8_t* bytes, int64_t base_offset, int32_t leader_epoch) {
  WriteU64(bytes, static_cast<uint64_t>(base_offset));
  WriteU32(bytes + kBatchLengthEnd, static_cast<uint32_t>(leader_epoch));
}

bool StampAppendTime(uint8_t* bytes, size_t length, int64_t wall_ms) {
  Header header;
  if (ParseHeader(bytes, length, &header) != BatchFault::kNone || header.size > length) {
    return false;
  }
  const int attributes = header.attributes | kLogAppendTimeBit;
  WriteU16(bytes + kAttributesAt, static_cast<uint16_t>(attributes));
  WriteU64(bytes + kMaxTimestampAt, static_cast<uint64_t>(wall_ms));
  RewriteCrc(bytes, header.size);
  return true;
}

}  // namespace lograft
