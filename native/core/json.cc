#include "json.h"

#include <cstring>

#include "utf8.h"

namespace lograft {
namespace {

constexpr uint64_t kEach = 0x0101010101010101u;
constexpr uint32_t kReplacement = 0xFFFD;

// The lowest byte of the result that has its high bit set stands where `word` first has a zero.
uint64_t Zeros(uint64_t word) { return (word - kEach) & ~word; }

bool IsDigit(uint8_t c) { return c >= '0' && c <= '9'; }

// -1: no hexadecimal digit
int HexValue(uint8_t c) {
  if (IsDigit(c)) return c - '0';
  const uint8_t lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

uint32_t HexUnit(const uint8_t* p) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; i++) unit = unit << 4 | static_cast<uint32_t>(HexValue(p[i]));
  return unit;
}

bool IsHighSurrogate(uint32_t unit) { return (unit & 0xFC00) == 0xD800; }
bool IsLowSurrogate(uint32_t unit) { return (unit & 0xFC00) == 0xDC00; }

// The character of the \u at `*p`, and steps over it (and over its other half).
uint32_t UnicodeEscape(const uint8_t** p, const uint8_t* end) {
  const uint32_t unit = HexUnit(*p + 2);
  *p += 6;
  if (IsHighSurrogate(unit) && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
    const uint32_t next = HexUnit(*p + 2);
    if (IsLowSurrogate(next)) {
      *p += 6;
      return 0x10000 + ((unit & 0x3FF) << 10) + (next & 0x3FF);
    }
  }
  return IsHighSurrogate(unit) || IsLowSurrogate(unit) ? kReplacement : unit;
}

uint8_t SimpleEscape(uint8_t c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

}  // namespace

const uint8_t* JsonPlainEnd(const uint8_t* p, const uint8_t* end) {
  uint64_t word;
  while (static_cast<size_t>(end - p) >= sizeof word) {
    std::memcpy(&word, p, sizeof word);
    const uint64_t controls = (word - kEach * 0x20) & ~word;
    const uint64_t found = (Zeros(word ^ kEach * '"') | Zeros(word ^ kEach * '\\') | controls) &
                           kEach * 0x80;
    if (found != 0) return p + (__builtin_ctzll(found) >> 3);
    p += sizeof word;
  }
  while (p != end && *p != '"' && *p != '\\' && *p >= 0x20) p++;
  return p;
}

bool JsonReader::String(JsonSlice* text) {
  if (!Take('"')) return false;
  *text = {JsonKind::kString, false, at_, nullptr};
  for (;;) {
    at_ = JsonPlainEnd(at_, end_);
    if (at_ == end_) return false;
    if (*at_ == '"') break;
    if (*at_ != '\\' || !Escape()) return false;
    text->has_escapes = true;
  }
  text->end = at_++;
  return true;
}

bool JsonReader::Escape() {
  if (end_ - at_ < 2) return false;
  if (at_[1] != 'u') {
    // A zero byte would be found behind the eight.
    if (at_[1] == 0 || std::strchr("\"\\/bfnrt", at_[1]) == nullptr) return false;
    at_ += 2;
    return true;
  }
  if (end_ - at_ < 6) return false;
  for (int i = 2; i < 6; i++) {
    if (HexValue(at_[i]) < 0) return false;
  }
  at_ += 6;
  return true;
}

bool JsonReader::Value(JsonSlice* value) {
  SkipSpace();
  if (at_ == end_) return false;
  if (*at_ != '{' && *at_ != '[') return Scalar(value);
  const uint8_t* const begin = at_;
  const JsonKind kind = *at_ == '{' ? JsonKind::kObject : JsonKind::kArray;
  if (!Nested()) return false;
  *value = {kind, false, begin, at_};
  return true;
}

bool JsonReader::Scalar(JsonSlice* value) {
  const uint8_t* const begin = at_;
  switch (*at_) {
    case '"':
      return String(value);
    case 'n':
      *value = {JsonKind::kNull, false, begin, nullptr};
      if (!Word("null", 4)) return false;
      break;
    case 't':
      *value = {JsonKind::kTrue, false, begin, nullptr};
      if (!Word("true", 4)) return false;
      break;
    case 'f':
      *value = {JsonKind::kFalse, false, begin, nullptr};
      if (!Word("false", 5)) return false;
      break;
    default:
      *value = {JsonKind::kNumber, false, begin, nullptr};
      if (!Number()) return false;
  }
  value->end = at_;
  return true;
}

bool JsonReader::Word(const char* word, size_t length) {
  if (static_cast<size_t>(end_ - at_) < length || std::memcmp(at_, word, length) != 0) return false;
  at_ += length;
  return true;
}

size_t JsonReader::Digits() {
  const uint8_t* const begin = at_;
  while (at_ != end_ && IsDigit(*at_)) at_++;
  return static_cast<size_t>(at_ - begin);
}

bool JsonReader::Number() {
  if (*at_ == '-') at_++;
  const bool begins_with_zero = at_ != end_ && *at_ == '0';
  const size_t whole = Digits();
  if (whole == 0 || (begins_with_zero && whole > 1)) return false;
  if (at_ != end_ && *at_ == '.') {
    at_++;
    if (Digits() == 0) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    at_++;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) at_++;
    if (Digits() == 0) return false;
  }
  return true;
}

// An object or array, level by level; a bit of `objects` says which of the two an open level is.
bool JsonReader::Nested() {
  uint64_t objects[kJsonDepthMax / 64 + 1];
  size_t depth = 0;
  JsonSlice ignored;
  for (;;) {
    SkipSpace();
    if (at_ == end_) return false;
    if (*at_ == '{' || *at_ == '[') {
      if (depth == kJsonDepthMax) {
        is_deep_ = true;
        return false;
      }
      const bool is_object = *at_++ == '{';
      const uint64_t bit = uint64_t{1} << depth % 64;
      uint64_t& word = objects[depth / 64];
      // The first level of a word finds it as the stack left it.
      word = (depth % 64 == 0 ? 0 : word & ~bit) | (is_object ? bit : 0);
      if (!Take(is_object ? '}' : ']')) {
        depth++;
        if (is_object && !Name(&ignored)) return false;
        continue;
      }
    } else if (!Scalar(&ignored)) {
      return false;
    }
    // A value has ended: so have the levels that close behind it.
    for (;;) {
      if (depth == 0) return true;
      const bool is_object = (objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1) != 0;
      if (Take(',')) {
        if (is_object && !Name(&ignored)) return false;
        break;
      }
      if (!Take(is_object ? '}' : ']')) return false;
      depth--;
    }
  }
}

uint8_t* WriteJsonText(const JsonSlice& text, uint8_t* into) {
  if (!text.has_escapes) {
    if (text.size() > 0) std::memcpy(into, text.begin, text.size());
    return into + text.size();
  }
  for (const uint8_t* p = text.begin; p != text.end;) {
    if (*p != '\\') {
      *into++ = *p++;
    } else if (p[1] == 'u') {
      into = WriteUtf8(into, UnicodeEscape(&p, text.end));
    } else {
      *into++ = SimpleEscape(p[1]);
      p += 2;
    }
  }
  return into;
}

}  // namespace lograft
