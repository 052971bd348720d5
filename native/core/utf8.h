// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lograft {

// Bytes of the character at `p`, or 0 when none begins there that ends before `end`.
inline size_t Utf8CharacterBytes(const uint8_t* p, const uint8_t* end) {
  const uint8_t lead = *p;
  if (lead < 0x80) return 1;
  const size_t size = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (size == 0 || static_cast<size_t>(end - p) < size) return 0;
  // Where overlong forms, surrogates and what lies above the last plane would begin.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < size; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
  }
  return size;
}

inline bool IsUtf8(const uint8_t* p, size_t length) {
  const uint8_t* const end = p + length;
  while (p != end) {
    uint64_t word;
    if (static_cast<size_t>(end - p) >= sizeof word) {
      std::memcpy(&word, p, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        p += sizeof word;
        continue;
      }
    }
    const size_t size = Utf8CharacterBytes(p, end);
    if (size == 0) return false;
    p += size;
  }
  return true;
}

// At most four bytes; returns where they end. A surrogate is the caller's to replace.
inline uint8_t* WriteUtf8(uint8_t* into, uint32_t c) {
  if (c < 0x80) {
    *into++ = static_cast<uint8_t>(c);
    return into;
  }
  if (c < 0x800) {
    *into++ = static_cast<uint8_t>(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      *into++ = static_cast<uint8_t>(0xE0 | c >> 12);
    } else {
      *into++ = static_cast<uint8_t>(0xF0 | c >> 18);
      *into++ = static_cast<uint8_t>(0x80 | (c >> 12 & 0x3F));
    }
    *into++ = static_cast<uint8_t>(0x80 | (c >> 6 & 0x3F));
  }
  *into++ = static_cast<uint8_t>(0x80 | (c & 0x3F));
  return into;
}

}  // namespace lograft
