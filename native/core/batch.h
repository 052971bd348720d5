// One record batch of Kafka's format, magic 2: header fields, validation and stamping.
// Pure functions over bytes that may be hostile: nothing is read outside [bytes, bytes + length).
//
//    0         8          12         16  17         21
//   +-----------+----------+----------+---+----------+------------+-------------------+
//   | base      | batch    | leader   | 2 | crc      | attributes | last offset delta |
//   | offset i64| length   | epoch    |   |          | i16        | i32               |
//   +-----------+----------+----------+---+----------+------------+-------------------+
//    27              35             43             51          53         57       61
//   +---------------+--------------+--------------+-----------+----------+--------+----------
//   | base          | max          | producer     | producer  | base     | record | records
//   | timestamp i64 | timestamp i64| id i64       | epoch i16 | sequence | count  | ...
//   +---------------+--------------+--------------+-----------+----------+--------+----------
//
// The byte at 16 is the magic. The batch length counts from 12 on, the CRC covers all from 21 on.
//
// Base offset and leader epoch lie in front of the CRC's range: a leader stamps them without
// touching the checksum, and followers store identical bytes.
//
// A record: length varint | attributes i8 | timestamp delta varlong | offset delta varint |
//   key length varint (-1 none) key | value length varint (-1 none) value |
//   header count varint { key length varint, key, value length varint (-1 none), value }
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

constexpr size_t kBatchHeaderBytes = 61;
constexpr size_t kBatchLengthEnd = 12;  // the bytes that the length field does not count

// The order of both enums is part of the border to TypeScript (src/native/batch.ts).
enum class BatchFault : int {
  kNone,
  kTruncated,
  kBadLength,
  kBadMagic,
  kBadCrc,
  kBadCount,
  kBadDelta,
  kBadAttributes,
  kBadTimestamp,
  kBadSequence,
  kBadRecord,
  kCount,
};

enum BatchField : int {
  kFieldSize,
  kFieldBaseOffset,
  kFieldLeaderEpoch,
  kFieldAttributes,
  kFieldLastOffsetDelta,
  kFieldRecordCount,
  kFieldBaseTimestamp,
  kFieldMaxTimestamp,
  kFieldProducerId,
  kFieldProducerEpoch,
  kFieldBaseSequence,
  kFieldCrc,
  kFieldCount,
};

enum BatchRules : uint32_t {
  kRulesBroker = 0,
  kRulesClient = 1,
};

// Reads the header alone; `fields` (kFieldCount doubles) are filled unless the fault is kTruncated
// or kBadMagic. The batch itself may be longer than `length`.
BatchFault ReadBatchHeader(const uint8_t* bytes, size_t length, double* fields);

// Checks a whole batch. With kRulesClient a maxTimestamp that differs from the records' own is
// corrected in place, the CRC with it.
BatchFault ValidateBatch(uint8_t* bytes, size_t length, uint32_t rules, double* fields);

// The caller guarantees kBatchHeaderBytes at `bytes`.
void StampBatch(uint8_t* bytes, int64_t base_offset, int32_t leader_epoch);

// Returns false when the batch's length field does not fit in `length`.
bool StampAppendTime(uint8_t* bytes, size_t length, int64_t wall_ms);

}  // namespace lograft
