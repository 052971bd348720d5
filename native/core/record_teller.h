// Records of batches told as JSON, the way a reader by HTTP gets them:
//
//   {"offset":7,"timestamp":…,"key":"k","value":"v","headers":[{"key":"h","value":"…"}]}
//
// Text is text; what is no UTF-8 is base64 and the record says so. Byte for byte what
// src/handlers/http/record-json.ts makes of the same batches; whatever takes more than that (a
// codec, records that do not fit their batch, a number beyond 2^53) is left to it. For bytes that
// may be hostile. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "varint.h"

namespace lograft {

// The order of both enums is part of the border to TypeScript.
enum class TellFault : int { kNone, kUnusual, kCount };

enum TellField : int { kToldRecords, kToldNextOffset, kToldBytes, kTellFieldCount };

struct TellRequest {
  // Records before it are not told, and no more than so many.
  int64_t from = 0;
  size_t records_max = 0;
  // A record a line; else with commas between them.
  bool is_lines = false;
};

class RecordTeller {
 public:
  // Whole batches that lie one behind the other; a part of one at the end is not looked at. What
  // was found can be asked for until the next call.
  TellFault Tell(const uint8_t* bytes, size_t length, const TellRequest& request);

  size_t record_count() const { return record_count_; }
  // Where to read on.
  int64_t next_offset() const { return next_offset_; }
  // Bytes of the text.
  size_t size() const { return size_; }
  // Hands the text out, size() bytes.
  void TakeText(uint8_t* into);

 private:
  struct Batch;
  struct Field;

  bool TellBatch(const Batch& batch, VarintReader records, const TellRequest& request);
  bool TellRecord(const Batch& batch, VarintReader record, const TellRequest& request);
  bool TellHeaders(VarintReader* record);
  bool ReadField(VarintReader* from, Field* field);

  void WriteField(const char* name, const char* encoding_name, const Field& field);
  void WriteText(const Field& field);
  void WriteBase64(const Field& field);
  void WriteEscape(uint8_t c);
  void WriteNumber(int64_t number);
  void Write(const char* text);
  uint8_t* Room(size_t bytes);

  std::vector<uint8_t> text_;
  size_t size_ = 0;
  size_t record_count_ = 0;
  // There are more records than were asked for.
  bool has_more_ = false;
  int64_t next_offset_ = 0;
};

}  // namespace lograft
