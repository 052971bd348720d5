#include "record_cutter.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base64.h"
#include "endian.h"
#include "murmur2.h"
#include "record_blocks.h"
#include "utf8.h"
#include "varint_writer.h"

namespace lograft {
namespace {

// What is kept for the next body; a larger one gives its room back.
constexpr size_t kKeptBytesMax = 1 << 20;
constexpr size_t kRoomMin = 64 << 10;
// Names of an object of headers are compared with each other; with more of them it is unusual.
constexpr size_t kHeaderNamesMax = 32;
constexpr int64_t kSafeIntegerMax = (int64_t{1} << 53) - 1;
constexpr size_t kSafeDigitsMax = 16;
// The longest name of a member, each character of it written as \uxxxx.
constexpr size_t kNameBytesMax = 13 * 6;

bool IsDigit(int c) { return c >= '0' && c <= '9'; }

std::string_view View(const JsonSlice& text) {
  return {reinterpret_cast<const char*>(text.begin), text.size()};
}

// The name's text in at most kNameBytesMax bytes of `into`; empty when it is longer.
std::string_view NameOf(const JsonSlice& name, uint8_t* into) {
  if (!name.has_escapes) return View(name);
  if (name.size() > kNameBytesMax) return {};
  const uint8_t* const end = WriteJsonText(name, into);
  return {reinterpret_cast<const char*>(into), static_cast<size_t>(end - into)};
}

// A whole number from 0 on. 1.0, 1e3 and -0 are whole numbers, too, but nobody writes them.
CutFault ReadCount(const JsonSlice& number, int64_t* count) {
  if (number.kind != JsonKind::kNumber) return CutFault::kNotRecord;
  int64_t value = 0;
  for (const uint8_t* p = number.begin; p != number.end; p++) {
    if (!IsDigit(*p)) return CutFault::kUnusual;
    if (number.size() <= kSafeDigitsMax) value = value * 10 + (*p - '0');
  }
  if (number.size() > kSafeDigitsMax || value > kSafeIntegerMax) return CutFault::kNotRecord;
  *count = value;
  return CutFault::kNone;
}

}  // namespace

void RecordCutter::Begin(const CutRequest& request) {
  request_ = request;
  place_ = 0;
  has_unknown_ = false;
  bytes_ = 0;
  tails_length_ = 0;
  if (tails_room_ > kKeptBytesMax) {
    tails_.reset();
    tails_room_ = 0;
  }
  records_.clear();
  shares_.clear();
  share_of_partition_.assign(static_cast<size_t>(request.partition_count), -1);
}

CutFault RecordCutter::Cut(const uint8_t* bytes, size_t length, const CutRequest& request) {
  Begin(request);
  if (!IsUtf8(bytes, length)) return CutFault::kNotUtf8;
  const uint8_t* const end = bytes + length;
  // A byte order mark at the very start is no part of the text.
  const bool has_mark = length >= 3 && std::memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
  const uint8_t* const begin = has_mark ? bytes + 3 : bytes;
  const CutFault fault = request.is_array ? CutArray(begin, end) : CutLines(begin, end);
  if (fault != CutFault::kNone) return fault;
  if (!has_unknown_) return records_.empty() ? CutFault::kEmpty : CutFault::kNone;
  place_ = unknown_place_;
  return CutFault::kUnknownPartition;
}

CutFault RecordCutter::CutLines(const uint8_t* p, const uint8_t* end) {
  while (p != end) {
    place_++;
    const void* const found = std::memchr(p, '\n', static_cast<size_t>(end - p));
    const uint8_t* const next = found == nullptr ? end : static_cast<const uint8_t*>(found) + 1;
    const uint8_t* line_end = found == nullptr ? end : next - 1;
    if (line_end > p && line_end[-1] == '\r') line_end--;
    if (line_end > p) {
      if (records_.size() == kCutRecordsMax) return CutFault::kTooMany;
      JsonReader reader(p, line_end);
      const CutFault fault = CutRecord(&reader);
      if (fault != CutFault::kNone) return fault;
      if (!reader.IsAtEnd()) return CutFault::kNotJson;
    }
    p = next;
  }
  return CutFault::kNone;
}

CutFault RecordCutter::CutArray(const uint8_t* p, const uint8_t* end) {
  JsonReader reader(p, end);
  if (!reader.Take('[')) return CutFault::kNotJson;
  if (!reader.Take(']')) {
    for (;; place_++) {
      if (records_.size() == kCutRecordsMax) return CutFault::kTooMany;
      const CutFault fault = CutRecord(&reader);
      if (fault != CutFault::kNone) return fault;
      if (reader.Take(']')) break;
      if (!reader.Take(',')) return CutFault::kNotJson;
    }
  }
  return reader.IsAtEnd() ? CutFault::kNone : CutFault::kNotJson;
}

CutFault RecordCutter::CutRecord(JsonReader* reader) {
  Members members;
  Key key;
  const size_t tail_at = tails_length_;
  CutFault fault = ReadMembers(reader, &members);
  if (fault == CutFault::kNone) fault = WriteField(members.key, members.key_encoding, &key);
  if (fault == CutFault::kNone) fault = WriteField(members.value, members.value_encoding, nullptr);
  if (fault == CutFault::kNone) fault = WriteHeaders(members.headers);
  return fault == CutFault::kNone ? Place(members, key, tail_at) : fault;
}

CutFault RecordCutter::ReadMembers(JsonReader* reader, Members* members) {
  if (!reader->Take('{')) return CutFault::kNotRecord;
  if (reader->Take('}')) return CutFault::kNone;
  for (;;) {
    JsonSlice name;
    if (!reader->Name(&name)) return CutFault::kNotJson;
    JsonSlice ignored;
    JsonSlice* const member = MemberNamed(name, members, &ignored);
    if (member == nullptr) return CutFault::kNotRecord;
    if (!reader->Value(member)) {
      return reader->is_deep() ? CutFault::kUnusual : CutFault::kNotJson;
    }
    if (reader->Take('}')) return CutFault::kNone;
    if (!reader->Take(',')) return CutFault::kNotJson;
  }
}

// nullptr: a record has no such member.
JsonSlice* RecordCutter::MemberNamed(const JsonSlice& name, Members* members, JsonSlice* ignored) {
  uint8_t decoded[kNameBytesMax];
  const std::string_view text = NameOf(name, decoded);
  switch (text.size()) {
    case 3:
      return text == "key" ? &members->key : nullptr;
    case 5:
      return text == "value" ? &members->value : nullptr;
    case 6:
      // What a read answers may be sent back as it is.
      return text == "offset" ? ignored : nullptr;
    case 7:
      return text == "headers" ? &members->headers : nullptr;
    case 9:
      if (text == "partition") return &members->partition;
      return text == "timestamp" ? &members->timestamp : nullptr;
    case 11:
      return text == "keyEncoding" ? &members->key_encoding : nullptr;
    case 13:
      return text == "valueEncoding" ? &members->value_encoding : nullptr;
    default:
      return nullptr;
  }
}

// A length and as many bytes, or a length of -1 for nothing.
CutFault RecordCutter::WriteField(const JsonSlice& value, const JsonSlice& encoding, Key* key) {
  if (value.IsNothing()) {
    WriteLength(-1);
    return CutFault::kNone;
  }
  const size_t begin = tails_length_;
  bool is_base64 = false;
  if (!encoding.IsNothing()) {
    if (encoding.kind != JsonKind::kString) return CutFault::kNotRecord;
    if (encoding.has_escapes) return CutFault::kUnusual;
    is_base64 = View(encoding) == "base64";
    if (!is_base64 && View(encoding) != "utf8") return CutFault::kNotRecord;
  }
  if (is_base64) {
    if (value.kind != JsonKind::kString) return CutFault::kNotRecord;
    // Without its padding it is taken, too; what else may be wrong with it is not said here.
    if (!WriteDecoded(value, true)) return CutFault::kUnusual;
  } else if (value.kind == JsonKind::kString) {
    WriteText(value);
  } else {
    WriteLength(static_cast<int64_t>(value.size()));
    uint8_t* const into = Room(value.size());
    std::memcpy(into, value.begin, value.size());
    Written(into + value.size());
  }
  if (key == nullptr) return CutFault::kNone;
  key->is_nothing = false;
  // The length is the first thing of the field: as long as its last byte says.
  key->at = begin;
  while ((tails_[key->at++] & 0x80) != 0) continue;
  key->length = tails_length_ - key->at;
  return CutFault::kNone;
}

void RecordCutter::WriteText(const JsonSlice& text) {
  if (text.has_escapes) {
    WriteDecoded(text, false);
  } else {
    WriteLength(static_cast<int64_t>(text.size()));
    Written(WriteJsonText(text, Room(text.size())));
  }
}

// How long it is shows when it is written: a little further on, where its length fits before it.
bool RecordCutter::WriteDecoded(const JsonSlice& text, bool is_base64) {
  uint8_t* const room = Room(kVarintBytesMax + text.size());
  uint8_t* const from = room + kVarintBytesMax;
  const uint8_t* end = WriteJsonText(text, from);
  if (is_base64) end = DecodeBase64(from, static_cast<size_t>(end - from));
  if (end == nullptr) return false;
  const size_t length = static_cast<size_t>(end - from);
  uint8_t* const into = WriteVarint(room, static_cast<int64_t>(length));
  std::memmove(into, from, length);
  Written(into + length);
  return true;
}

CutFault RecordCutter::WriteHeaders(const JsonSlice& headers) {
  if (headers.IsNothing()) {
    WriteLength(0);
    return CutFault::kNone;
  }
  const bool is_object = headers.kind == JsonKind::kObject;
  if (!is_object && headers.kind != JsonKind::kArray) return CutFault::kNotRecord;
  JsonReader reader(headers.begin + 1, headers.end - 1);
  size_t count = 0;
  // It was read once already: what stands there is what is expected.
  while (!reader.IsAtEnd()) {
    JsonSlice ignored;
    if (count > 0) reader.Take(',');
    if (is_object) reader.Name(&ignored);
    if (!reader.Value(&ignored)) return CutFault::kUnusual;
    if (++count > kCutHeadersMax) return is_object ? CutFault::kUnusual : CutFault::kNotRecord;
  }
  WriteLength(static_cast<int64_t>(count));
  return is_object ? WriteHeaderObject(headers, count) : WriteHeaderList(headers);
}

// {"name": value, …}: each name counts once, and names that are numbers would come first.
CutFault RecordCutter::WriteHeaderObject(const JsonSlice& headers, size_t count) {
  if (count > kHeaderNamesMax) return CutFault::kUnusual;
  struct Name {
    size_t at;
    size_t end;
  } names[kHeaderNamesMax];
  JsonReader reader(headers.begin + 1, headers.end - 1);
  for (size_t i = 0; i < count; i++) {
    JsonSlice name;
    JsonSlice value;
    if (i > 0) reader.Take(',');
    reader.Name(&name);
    reader.Value(&value);
    names[i].at = tails_length_;
    WriteText(name);
    names[i].end = tails_length_;
    const std::string_view written(reinterpret_cast<const char*>(tails_.get()) + names[i].at,
                                   names[i].end - names[i].at);
    // Behind its length.
    if (written.size() > 1 && IsDigit(written[1])) return CutFault::kUnusual;
    for (size_t j = 0; j < i; j++) {
      const std::string_view other(reinterpret_cast<const char*>(tails_.get()) + names[j].at,
                                   names[j].end - names[j].at);
      if (written == other) return CutFault::kUnusual;
    }
    const CutFault fault = WriteField(value, JsonSlice(), nullptr);
    if (fault != CutFault::kNone) return fault;
  }
  return CutFault::kNone;
}

CutFault RecordCutter::WriteHeaderList(const JsonSlice& headers) {
  JsonReader reader(headers.begin + 1, headers.end - 1);
  while (!reader.IsAtEnd()) {
    JsonSlice entry;
    reader.Take(',');
    reader.Value(&entry);
    if (entry.kind != JsonKind::kObject) return CutFault::kNotRecord;
    const CutFault fault = WriteHeader(entry);
    if (fault != CutFault::kNone) return fault;
  }
  return CutFault::kNone;
}

// {"key": …, "value": …, "encoding": …}, and whatever else.
CutFault RecordCutter::WriteHeader(const JsonSlice& entry) {
  JsonSlice key;
  JsonSlice value;
  JsonSlice encoding;
  JsonReader reader(entry.begin + 1, entry.end - 1);
  while (!reader.IsAtEnd()) {
    JsonSlice name;
    JsonSlice ignored;
    uint8_t decoded[kNameBytesMax];
    reader.Take(',');
    reader.Name(&name);
    const std::string_view text = NameOf(name, decoded);
    reader.Value(text == "key"        ? &key
                 : text == "value"    ? &value
                 : text == "encoding" ? &encoding
                                      : &ignored);
  }
  if (key.kind != JsonKind::kString) return CutFault::kNotRecord;
  WriteText(key);
  return WriteField(value, encoding, nullptr);
}

// The record is written: it joins the share of its partition.
CutFault RecordCutter::Place(const Members& members, const Key& key, size_t tail_at) {
  int64_t timestamp = request_.now_ms;
  if (members.timestamp.kind != JsonKind::kNone) {
    const CutFault fault = ReadCount(members.timestamp, &timestamp);
    if (fault != CutFault::kNone) return fault;
  }
  int32_t partition = -1;
  const CutFault fault = ChoosePartition(members.partition, key, &partition);
  if (fault != CutFault::kNone) return fault;
  const size_t tail_bytes = tails_length_ - tail_at;
  uint32_t share = 0;
  if (partition < 0) {
    // A worse fault may follow.
    if (!has_unknown_) unknown_place_ = place_;
    has_unknown_ = true;
  } else {
    int32_t& known = share_of_partition_[static_cast<size_t>(partition)];
    if (known < 0) {
      known = static_cast<int32_t>(shares_.size());
      shares_.push_back({partition, 0, 0});
    }
    share = static_cast<uint32_t>(known);
    shares_[share].record_count++;
    shares_[share].bytes += kBlockHeadBytes + tail_bytes;
    bytes_ += kBlockHeadBytes + tail_bytes;
  }
  records_.push_back({timestamp, tail_at, static_cast<uint32_t>(tail_bytes), share});
  return CutFault::kNone;
}

// -1: there is no such partition.
CutFault RecordCutter::ChoosePartition(const JsonSlice& named, const Key& key,
                                       int32_t* partition) {
  int64_t wanted = request_.partition;
  if (!named.IsNothing()) {
    const CutFault fault = ReadCount(named, &wanted);
    if (fault != CutFault::kNone) return fault;
  } else if (wanted < 0) {
    wanted = key.is_nothing
                 ? request_.any_partition
                 : PartitionOfKey(tails_.get() + key.at, key.length, request_.partition_count);
    if (wanted < 0) return CutFault::kUnusual;
  }
  *partition = wanted < request_.partition_count ? static_cast<int32_t>(wanted) : -1;
  return CutFault::kNone;
}

void RecordCutter::TakeBlocks(uint8_t* into) const {
  std::vector<uint8_t*> ends;
  for (const CutShare& share : shares_) {
    ends.push_back(into);
    into += share.bytes;
  }
  for (const Record& record : records_) {
    uint8_t*& at = ends[record.share];
    WriteU64(at, static_cast<uint64_t>(record.timestamp));
    WriteU32(at + 8, record.tail_bytes);
    std::memcpy(at + kBlockHeadBytes, tails_.get() + record.tail_at, record.tail_bytes);
    at += kBlockHeadBytes + record.tail_bytes;
  }
}

uint8_t* RecordCutter::Room(size_t length) {
  if (tails_room_ - tails_length_ < length) {
    const size_t room = std::max({kRoomMin, 2 * tails_room_, tails_length_ + length});
    std::unique_ptr<uint8_t[]> larger(new uint8_t[room]);
    if (tails_length_ > 0) std::memcpy(larger.get(), tails_.get(), tails_length_);
    tails_ = std::move(larger);
    tails_room_ = room;
  }
  return tails_.get() + tails_length_;
}

void RecordCutter::WriteLength(int64_t length) {
  Written(WriteVarint(Room(kVarintBytesMax), length));
}

}  // namespace lograft
