// Records that wait for their place in a batch, and the batch that is made of them. All that a
// record says without knowing its place is finished in its block; blocks simply lie behind each
// other, so those of several requests become one batch without being looked into again:
//
//   timestamp i64 | tail length u32 | key length varint, key | value length, value | headers …
//                                   '------------------------- tail ------------------------'
//
// src/records/record-blocks.ts writes the same. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

constexpr size_t kBlockHeadBytes = 12;
// What a record may take in a batch beyond its block: its length, the attributes and two deltas,
// less the head of the block, which does not join it.
constexpr size_t kRecordGrowthMax = 5 + 1 + 10 + 5 - kBlockHeadBytes;

struct Blocks {
  const uint8_t* bytes = nullptr;
  size_t length = 0;
};

// Writes one uncompressed batch of all of them, in order, and returns its size. Takes `into` to
// have room for a batch header, the blocks and kRecordGrowthMax for each of `record_count`.
// 0: a block does not fit its bytes, or there are not `record_count` of them.
size_t SealBatch(const Blocks* list, size_t list_length, size_t record_count, uint8_t* into);

}  // namespace lograft
