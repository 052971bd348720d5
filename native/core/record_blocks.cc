#include "record_blocks.h"

#include <algorithm>
#include <cstring>

#include "batch.h"
#include "crc32c.h"
#include "endian.h"
#include "varint_writer.h"

namespace lograft {
namespace {

struct Sealing {
  uint8_t* at;
  size_t count = 0;
  int64_t base_timestamp = -1;
  int64_t max_timestamp = -1;
};

void WriteRecord(Sealing* batch, int64_t timestamp, const uint8_t* tail, size_t tail_bytes) {
  if (batch->count == 0) batch->base_timestamp = timestamp;
  batch->max_timestamp = std::max(batch->max_timestamp, timestamp);
  const int64_t timestamp_delta =
      static_cast<int64_t>(static_cast<uint64_t>(timestamp) -
                           static_cast<uint64_t>(batch->base_timestamp));
  const int64_t offset_delta = static_cast<int64_t>(batch->count++);
  const size_t body = 1 + VarintBytes(timestamp_delta) + VarintBytes(offset_delta) + tail_bytes;
  uint8_t* at = WriteVarint(batch->at, static_cast<int64_t>(body));
  *at++ = 0;
  at = WriteVarint(at, timestamp_delta);
  at = WriteVarint(at, offset_delta);
  std::memcpy(at, tail, tail_bytes);
  batch->at = at + tail_bytes;
}

bool WriteRecords(const Blocks& blocks, size_t record_count, Sealing* batch) {
  const uint8_t* p = blocks.bytes;
  const uint8_t* const end = p + blocks.length;
  while (p != end) {
    if (static_cast<size_t>(end - p) < kBlockHeadBytes) return false;
    const int64_t timestamp = ReadI64(p);
    const size_t tail_bytes = ReadU32(p + 8);
    p += kBlockHeadBytes;
    if (tail_bytes > static_cast<size_t>(end - p)) return false;
    if (batch->count == record_count) return false;
    WriteRecord(batch, timestamp, p, tail_bytes);
    p += tail_bytes;
  }
  return true;
}

}  // namespace

size_t SealBatch(const Blocks* list, size_t list_length, size_t record_count, uint8_t* into) {
  Sealing batch{into + kBatchHeaderBytes};
  for (size_t i = 0; i < list_length; i++) {
    if (!WriteRecords(list[i], record_count, &batch)) return 0;
  }
  if (batch.count != record_count || record_count == 0) return 0;
  const size_t size = static_cast<size_t>(batch.at - into);
  StampBatch(into, 0, 0);
  WriteU32(into + 8, static_cast<uint32_t>(size - kBatchLengthEnd));
  into[16] = 2;  // magic
  WriteU16(into + 21, 0);
  WriteU32(into + 23, static_cast<uint32_t>(record_count - 1));
  WriteU64(into + 27, static_cast<uint64_t>(batch.base_timestamp));
  WriteU64(into + 35, static_cast<uint64_t>(batch.max_timestamp));
  WriteU64(into + 43, UINT64_MAX);  // no producer, no epoch, no sequence
  WriteU16(into + 51, UINT16_MAX);
  WriteU32(into + 53, UINT32_MAX);
  WriteU32(into + 57, static_cast<uint32_t>(record_count));
  WriteU32(into + 17, Crc32c(0, into + 21, size - 21));
  return size;
}

}  // namespace lograft
