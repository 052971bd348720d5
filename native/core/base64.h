// Base64 (RFC 4648) with its padding. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lograft {

constexpr uint8_t kNoBase64 = 64;

inline uint8_t Base64Value(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : kNoBase64;
}

// Decodes in place what has its padding, and no other; nullptr for anything else.
inline uint8_t* DecodeBase64(uint8_t* bytes, size_t length) {
  if (length % 4 != 0) return nullptr;
  size_t digits = length;
  for (int i = 0; i < 2 && digits > 0 && bytes[digits - 1] == '='; i++) digits--;
  uint8_t* into = bytes;
  uint32_t bits = 0;
  for (size_t i = 0; i < digits; i++) {
    const uint8_t value = Base64Value(bytes[i]);
    if (value == kNoBase64) return nullptr;
    bits = bits << 6 | value;
    // From the second digit of four on each one completes a byte.
    if (i % 4 != 0) *into++ = static_cast<uint8_t>(bits >> (6 - 2 * (i % 4)));
  }
  return into;
}

// What `length` bytes take when they are encoded.
constexpr size_t Base64Bytes(size_t length) { return (length + 2) / 3 * 4; }

// Writes Base64Bytes(length) and returns how many that is.
inline size_t EncodeBase64(const uint8_t* bytes, size_t length, uint8_t* into) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t* const begin = into;
  for (size_t at = 0; at < length; at += 3) {
    const size_t left = length - at;
    const uint32_t bits = static_cast<uint32_t>(bytes[at]) << 16 |
                          (left > 1 ? static_cast<uint32_t>(bytes[at + 1]) << 8 : 0) |
                          (left > 2 ? bytes[at + 2] : 0);
    for (int shift = 18; shift >= 0; shift -= 6) {
      *into++ = static_cast<uint8_t>(kDigits[bits >> shift & 0x3F]);
    }
    if (left < 3) into[-1] = '=';
    if (left < 2) into[-2] = '=';
  }
  return static_cast<size_t>(into - begin);
}

}  // namespace lograft
