// Cuts a body of many records, lines of JSON or an array of JSON, into finished blocks
// (record_blocks.h), grouped by the partition that each record goes to:
//
//   {"key": "k", "value": {"a": 1}, "headers": {"h": "v"}, "partition": 0, "timestamp": 5}
//
// Text is its UTF-8; what has an encoding of base64 is its bytes; any other JSON is kept as it was
// written, digit by digit. Its one promise: what is cut here is what src/gateway/http/
// record-bodies.ts makes of the same bytes, and what that refuses is refused here. A few things
// that it takes and that nobody sends are kUnusual and left to it, as is every word about a fault.
//
// Nothing is kept between two calls but room. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "json.h"

namespace lograft {

constexpr size_t kCutRecordsMax = 10000;
constexpr size_t kCutHeadersMax = 1000;

// The order is part of the border to TypeScript (src/native/record-cutter.ts).
enum class CutFault : int {
  kNone,
  kNotUtf8,
  kNotJson,
  kNotRecord,
  kTooMany,
  kEmpty,
  kUnknownPartition,
  kUnusual,
  kCount,
};

struct CutRequest {
  bool is_array = false;
  int32_t partition_count = 1;
  // For records that name none; negative: by key.
  int32_t partition = -1;
  // For records without a key; negative: they are left to others.
  int32_t any_partition = -1;
  // For records without a timestamp.
  int64_t now_ms = 0;
};

// The records of one partition, in their order.
struct CutShare {
  int32_t partition;
  uint32_t record_count;
  size_t bytes;
};

class RecordCutter {
 public:
  // What the last call found stays until the next one; `bytes` need not.
  CutFault Cut(const uint8_t* bytes, size_t length, const CutRequest& request);

  // After a fault: the line, from 1, or the index in the array, of the first record that has it.
  size_t place() const { return place_; }

  // In the order in which their partitions appear.
  const std::vector<CutShare>& shares() const { return shares_; }
  size_t record_count() const { return records_.size(); }
  // Index of the share that record `i` of the body went to.
  uint32_t share_of(size_t i) const { return records_[i].share; }
  size_t bytes() const { return bytes_; }
  // Writes bytes() bytes: the blocks of the first share, then those of the next one.
  void TakeBlocks(uint8_t* into) const;

 private:
  struct Record {
    int64_t timestamp;
    size_t tail_at;
    uint32_t tail_bytes;
    uint32_t share;
  };
  // The members of a record, the last one of each name.
  struct Members {
    JsonSlice key, key_encoding, value, value_encoding, headers, partition, timestamp;
  };
  // A key as it lies in tails_, for it chooses the partition.
  struct Key {
    bool is_nothing = true;
    size_t at = 0;
    size_t length = 0;
  };

  void Begin(const CutRequest& request);
  CutFault CutLines(const uint8_t* p, const uint8_t* end);
  CutFault CutArray(const uint8_t* p, const uint8_t* end);
  CutFault CutRecord(JsonReader* reader);
  static CutFault ReadMembers(JsonReader* reader, Members* members);
  static JsonSlice* MemberNamed(const JsonSlice& name, Members* members, JsonSlice* ignored);

  CutFault WriteField(const JsonSlice& value, const JsonSlice& encoding, Key* key);
  void WriteText(const JsonSlice& text);
  // False: it is not the base64 that it should be.
  bool WriteDecoded(const JsonSlice& text, bool is_base64);
  CutFault WriteHeaders(const JsonSlice& headers);
  CutFault WriteHeaderObject(const JsonSlice& headers, size_t count);
  CutFault WriteHeaderList(const JsonSlice& headers);
  CutFault WriteHeader(const JsonSlice& entry);
  CutFault Place(const Members& members, const Key& key, size_t tail_at);
  CutFault ChoosePartition(const JsonSlice& named, const Key& key, int32_t* partition);

  // Room for `length` more bytes of tails; what is written there is kept by Written().
  uint8_t* Room(size_t length);
  void Written(const uint8_t* end) { tails_length_ = static_cast<size_t>(end - tails_.get()); }
  void WriteLength(int64_t length);

  CutRequest request_;
  size_t place_ = 0;
  size_t unknown_place_ = 0;  // of the first record for a partition that is not there
  bool has_unknown_ = false;
  size_t bytes_ = 0;
  std::unique_ptr<uint8_t[]> tails_;
  size_t tails_length_ = 0;
  size_t tails_room_ = 0;
  std::vector<Record> records_;
  std::vector<CutShare> shares_;
  std::vector<int32_t> share_of_partition_;
};

}  // namespace lograft
