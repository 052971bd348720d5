// Strict JSON (RFC 8259) read where it lies: a value becomes a slice of the text it was found in,
// and nothing is allocated. For bytes that may be hostile, and that are UTF-8 already: every step
// checks its bound, nesting costs no stack and has one of its own (kJsonDepthMax). One thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

constexpr size_t kJsonDepthMax = 1000;

enum class JsonKind : uint8_t { kNone, kNull, kTrue, kFalse, kNumber, kString, kObject, kArray };

// A value as it was written; of a string what lies between the quotes.
struct JsonSlice {
  JsonKind kind = JsonKind::kNone;
  bool has_escapes = false;
  const uint8_t* begin = nullptr;
  const uint8_t* end = nullptr;

  size_t size() const { return static_cast<size_t>(end - begin); }
  bool IsNothing() const { return kind == JsonKind::kNone || kind == JsonKind::kNull; }
};

class JsonReader {
 public:
  JsonReader(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  // Whether only white space is left.
  bool IsAtEnd() {
    SkipSpace();
    return at_ == end_;
  }

  // Steps over white space and `c`; false, and not over `c`, when something else comes.
  bool Take(uint8_t c) {
    SkipSpace();
    if (at_ == end_ || *at_ != c) return false;
    at_++;
    return true;
  }

  // False: what comes is no value, or is_deep() says that it is nested too deeply.
  bool Value(JsonSlice* value);
  bool String(JsonSlice* text);
  // A name and its colon.
  bool Name(JsonSlice* name) { return String(name) && Take(':'); }

  bool is_deep() const { return is_deep_; }

 private:
  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) at_++;
  }
  bool Scalar(JsonSlice* value);
  bool Nested();
  bool Escape();
  bool Number();
  size_t Digits();
  bool Word(const char* word, size_t length);

  const uint8_t* at_;
  const uint8_t* end_;
  bool is_deep_ = false;
};

// The first byte that does not simply belong to a string: a quote, a backslash, a control.
const uint8_t* JsonPlainEnd(const uint8_t* p, const uint8_t* end);

// Writes the text of a string that was read above and returns where it ends: at most its size in
// bytes. A surrogate without its other half becomes U+FFFD.
uint8_t* WriteJsonText(const JsonSlice& text, uint8_t* into);

}  // namespace lograft
