#include "record_teller.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base64.h"
#include "batch.h"
#include "json.h"
#include "utf8.h"

namespace lograft {
namespace {

constexpr int64_t kSafeMax = int64_t{1} << 53;
constexpr uint32_t kCodecMask = 0x07;
constexpr uint32_t kLogAppendTime = 0x08;
constexpr uint32_t kControl = 0x20;
constexpr size_t kNumberBytesMax = 20;
// \u00xx
constexpr size_t kEscapeBytesMax = 6;
// What is kept of the text's memory for the next call.
constexpr size_t kKeptBytesMax = 1 << 20;

bool IsSafe(int64_t number) { return number > -kSafeMax && number < kSafeMax; }

// A field may be as large as 64 bits are: whether it can be a number of ours is asked first.
bool AreSafe(const double* fields) {
  for (const int field : {kFieldBaseOffset, kFieldBaseTimestamp, kFieldMaxTimestamp}) {
    if (!(std::fabs(fields[field]) < static_cast<double>(kSafeMax))) return false;
  }
  return fields[kFieldLastOffsetDelta] >= 0 && fields[kFieldRecordCount] >= 0;
}

}  // namespace

struct RecordTeller::Batch {
  int64_t base_offset;
  int64_t next_offset;
  int64_t base_timestamp;
  int64_t max_timestamp;
  int32_t record_count;
  uint32_t attributes;
};

struct RecordTeller::Field {
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  bool is_null = true;
};

TellFault RecordTeller::Tell(const uint8_t* bytes, size_t length, const TellRequest& request) {
  size_ = 0;
  record_count_ = 0;
  has_more_ = false;
  next_offset_ = request.from;
  size_t at = 0;
  while (length - at >= kBatchHeaderBytes && record_count_ < request.records_max) {
    double fields[kFieldCount];
    if (ReadBatchHeader(bytes + at, length - at, fields) != BatchFault::kNone) {
      return TellFault::kUnusual;
    }
    const size_t size = static_cast<size_t>(fields[kFieldSize]);
    if (size > length - at) break;
    if (!AreSafe(fields)) return TellFault::kUnusual;
    Batch batch;
    batch.base_offset = static_cast<int64_t>(fields[kFieldBaseOffset]);
    batch.next_offset = batch.base_offset + static_cast<int64_t>(fields[kFieldLastOffsetDelta]) + 1;
    batch.base_timestamp = static_cast<int64_t>(fields[kFieldBaseTimestamp]);
    batch.max_timestamp = static_cast<int64_t>(fields[kFieldMaxTimestamp]);
    batch.record_count = static_cast<int32_t>(fields[kFieldRecordCount]);
    batch.attributes = static_cast<uint32_t>(static_cast<int32_t>(fields[kFieldAttributes]));
    if ((batch.attributes & kControl) == 0) {
      if ((batch.attributes & kCodecMask) != 0) return TellFault::kUnusual;
      const VarintReader records(bytes + at + kBatchHeaderBytes, bytes + at + size);
      if (!TellBatch(batch, records, request)) return TellFault::kUnusual;
      if (has_more_) break;
    }
    next_offset_ = std::max(next_offset_, batch.next_offset);
    at += size;
  }
  return TellFault::kNone;
}

void RecordTeller::TakeText(uint8_t* into) {
  if (size_ > 0) std::memcpy(into, text_.data(), size_);
  if (text_.size() > kKeptBytesMax) std::vector<uint8_t>().swap(text_);
}

// Ends early when there are enough records; false where one does not fit its batch.
bool RecordTeller::TellBatch(const Batch& batch, VarintReader records, const TellRequest& request) {
  for (int32_t i = 0; i < batch.record_count && !has_more_; i++) {
    int32_t length;
    VarintReader record(nullptr, nullptr);
    if (!records.Int32(&length) || length < 0) return false;
    if (!records.Take(static_cast<size_t>(length), &record)) return false;
    if (!TellRecord(batch, record, request)) return false;
  }
  return true;
}

bool RecordTeller::TellRecord(const Batch& batch, VarintReader record, const TellRequest& request) {
  int64_t timestamp_delta;
  int32_t offset_delta;
  Field key;
  Field value;
  const bool is_sound = record.Skip(1) && record.Int64(&timestamp_delta) &&
                        record.Int32(&offset_delta) && ReadField(&record, &key) &&
                        ReadField(&record, &value);
  if (!is_sound || !IsSafe(timestamp_delta) || offset_delta < 0) return false;
  const bool is_append_time = (batch.attributes & kLogAppendTime) != 0;
  const int64_t timestamp =
      is_append_time ? batch.max_timestamp : batch.base_timestamp + timestamp_delta;
  const int64_t offset = batch.base_offset + offset_delta;
  if (!IsSafe(timestamp) || !IsSafe(offset)) return false;
  // What is not told is looked at all the same: it may be wrong.
  const size_t start = size_;
  if (!request.is_lines && record_count_ > 0) Write(",");
  Write("{\"offset\":");
  WriteNumber(offset);
  Write(",\"timestamp\":");
  WriteNumber(timestamp);
  WriteField(",\"key\":", ",\"keyEncoding\":\"base64\"", key);
  WriteField(",\"value\":", ",\"valueEncoding\":\"base64\"", value);
  if (!TellHeaders(&record) || !record.IsAtEnd()) return false;
  Write(request.is_lines ? "}\n" : "}");
  const bool is_wanted = offset >= request.from;
  has_more_ = is_wanted && record_count_ >= request.records_max;
  if (!is_wanted || has_more_) {
    size_ = start;
    return true;
  }
  record_count_++;
  next_offset_ = offset + 1;
  return true;
}

bool RecordTeller::TellHeaders(VarintReader* record) {
  int32_t count;
  if (!record->Int32(&count) || count < 0) return false;
  Write(",\"headers\":[");
  for (int32_t i = 0; i < count; i++) {
    Field key;
    Field value;
    if (!ReadField(record, &key) || !ReadField(record, &value)) return false;
    if (key.is_null || !IsUtf8(key.bytes, key.length)) return false;
    WriteField(i == 0 ? "{\"key\":" : ",{\"key\":", "", key);
    WriteField(",\"value\":", ",\"encoding\":\"base64\"", value);
    Write("}");
  }
  Write("]");
  return true;
}

bool RecordTeller::ReadField(VarintReader* from, Field* field) {
  int32_t length;
  if (!from->Int32(&length) || length < -1) return false;
  field->is_null = length == -1;
  if (field->is_null) return true;
  field->length = static_cast<size_t>(length);
  return from->Bytes(field->length, &field->bytes);
}

void RecordTeller::WriteField(const char* name, const char* encoding, const Field& field) {
  Write(name);
  if (field.is_null) {
    Write("null");
  } else if (IsUtf8(field.bytes, field.length)) {
    WriteText(field);
  } else {
    WriteBase64(field);
    Write(encoding);
  }
}

void RecordTeller::WriteText(const Field& field) {
  Write("\"");
  const uint8_t* p = field.bytes;
  const uint8_t* const end = p + field.length;
  while (p != end) {
    const uint8_t* const plain_end = JsonPlainEnd(p, end);
    const size_t plain = static_cast<size_t>(plain_end - p);
    if (plain > 0) std::memcpy(Room(plain), p, plain);
    size_ += plain;
    p = plain_end;
    if (p != end) WriteEscape(*p++);
  }
  Write("\"");
}

void RecordTeller::WriteEscape(uint8_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr char kNamed[] = "\b\t\n\f\r\"\\";
  static constexpr char kNames[] = "btnfr\"\\";
  const char* const named = c == 0 ? nullptr : std::strchr(kNamed, c);
  uint8_t* const into = Room(kEscapeBytesMax);
  into[0] = '\\';
  if (named != nullptr) {
    into[1] = static_cast<uint8_t>(kNames[named - kNamed]);
    size_ += 2;
    return;
  }
  into[1] = 'u';
  into[2] = into[3] = '0';
  into[4] = static_cast<uint8_t>(kHex[c >> 4]);
  into[5] = static_cast<uint8_t>(kHex[c & 0xF]);
  size_ += kEscapeBytesMax;
}

void RecordTeller::WriteBase64(const Field& field) {
  Write("\"");
  size_ += EncodeBase64(field.bytes, field.length, Room(Base64Bytes(field.length)));
  Write("\"");
}

void RecordTeller::WriteNumber(int64_t number) {
  char* const into = reinterpret_cast<char*>(Room(kNumberBytesMax));
  size_ += static_cast<size_t>(std::to_chars(into, into + kNumberBytesMax, number).ptr - into);
}

void RecordTeller::Write(const char* text) {
  const size_t length = std::strlen(text);
  std::memcpy(Room(length), text, length);
  size_ += length;
}

// Where `bytes` more of the text may be written.
uint8_t* RecordTeller::Room(size_t bytes) {
  if (text_.size() - size_ < bytes) text_.resize(std::max(2 * text_.size(), size_ + bytes));
  return text_.data() + size_;
}

}  // namespace lograft
