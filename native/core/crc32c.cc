#include "crc32c.h"

#include <cstring>

#include "crc32c_math.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__)
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

namespace lograft {
namespace {

constexpr crc_math::Tables kTables = crc_math::MakeTables();

uint64_t Load64(const uint8_t* p) {
  uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// Eight table look-ups a step, independent of each other.
uint32_t Crc32cTable(uint32_t seed, const uint8_t* p, size_t length) {
  uint32_t crc = ~seed;
  for (; length >= 8; p += 8, length -= 8) {
    const uint64_t word = Load64(p) ^ crc;
    crc = kTables[7][word & 0xFF] ^ kTables[6][(word >> 8) & 0xFF] ^
          kTables[5][(word >> 16) & 0xFF] ^ kTables[4][(word >> 24) & 0xFF] ^
          kTables[3][(word >> 32) & 0xFF] ^ kTables[2][(word >> 40) & 0xFF] ^
          kTables[1][(word >> 48) & 0xFF] ^ kTables[0][word >> 56];
  }
  for (; length > 0; p++, length--) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xFF];
  return ~crc;
}

#if defined(__x86_64__)

// The carry-less product of two reflected 32-bit values, read as a reflected 64-bit one, is the
// product times x; the crc instruction multiplies by x^32. So a factor that is to shift by n bytes
// is x^(8n - 33).
constexpr uint32_t FactorFor(size_t bytes) { return crc_math::PowerOfX(8 * bytes - 33); }

__attribute__((target("sse4.2,pclmul"))) uint64_t Shifted(uint32_t crc, uint32_t factor) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(factor)), 0);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(product));
}

// Three parts of kPart bytes each; the shifted checksums of the first two are folded into the last
// word of the third.
template <size_t kPart>
__attribute__((target("sse4.2,pclmul"))) uint32_t ThreeParts(uint32_t crc, const uint8_t* p) {
  uint64_t a = crc;
  uint64_t b = 0;
  uint64_t c = 0;
  size_t at = 0;
  for (; at < kPart - 8; at += 8) {
    a = _mm_crc32_u64(a, Load64(p + at));
    b = _mm_crc32_u64(b, Load64(p + kPart + at));
    c = _mm_crc32_u64(c, Load64(p + 2 * kPart + at));
  }
  a = _mm_crc32_u64(a, Load64(p + at));
  b = _mm_crc32_u64(b, Load64(p + kPart + at));
  const uint64_t folded = Load64(p + 2 * kPart + at) ^
                          Shifted(static_cast<uint32_t>(a), FactorFor(2 * kPart)) ^
                          Shifted(static_cast<uint32_t>(b), FactorFor(kPart));
  return static_cast<uint32_t>(_mm_crc32_u64(c, folded));
}

constexpr size_t kLongPart = 2048;
constexpr size_t kShortPart = 128;

__attribute__((target("sse4.2,pclmul"))) uint32_t Crc32cSse42(uint32_t seed, const uint8_t* p,
                                                              size_t length) {
  uint32_t crc = ~seed;
  for (; length >= 3 * kLongPart; p += 3 * kLongPart, length -= 3 * kLongPart) {
    crc = ThreeParts<kLongPart>(crc, p);
  }
  for (; length >= 3 * kShortPart; p += 3 * kShortPart, length -= 3 * kShortPart) {
    crc = ThreeParts<kShortPart>(crc, p);
  }
  uint64_t wide = crc;
  for (; length >= 8; p += 8, length -= 8) wide = _mm_crc32_u64(wide, Load64(p));
  crc = static_cast<uint32_t>(wide);
  for (; length > 0; p++, length--) crc = _mm_crc32_u8(crc, *p);
  return ~crc;
}

bool HasHardwareCrc() {
  return __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
}
constexpr Crc32cImplementation kHardware{"sse42", Crc32cSse42};

#elif defined(__aarch64__)

inline uint32_t Crc64Step(uint32_t crc, uint64_t word) {
  __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
  return crc;
}

inline uint32_t Crc8Step(uint32_t crc, uint8_t byte) {
  __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
  return crc;
}

// Parts are long because the join is done in software (two products, some 60 ns).
constexpr size_t kPart = 4096;

uint32_t Crc32cArm(uint32_t seed, const uint8_t* p, size_t length) {
  constexpr uint32_t kShiftOne = crc_math::PowerOfX(8 * kPart);
  constexpr uint32_t kShiftTwo = crc_math::PowerOfX(16 * kPart);
  uint32_t crc = ~seed;
  for (; length >= 3 * kPart; p += 3 * kPart, length -= 3 * kPart) {
    uint32_t a = crc;
    uint32_t b = 0;
    uint32_t c = 0;
    for (size_t at = 0; at < kPart; at += 8) {
      a = Crc64Step(a, Load64(p + at));
      b = Crc64Step(b, Load64(p + kPart + at));
      c = Crc64Step(c, Load64(p + 2 * kPart + at));
    }
    crc = crc_math::Multiply(a, kShiftTwo) ^ crc_math::Multiply(b, kShiftOne) ^ c;
  }
  for (; length >= 8; p += 8, length -= 8) crc = Crc64Step(crc, Load64(p));
  for (; length > 0; p++, length--) crc = Crc8Step(crc, *p);
  return ~crc;
}

bool HasHardwareCrc() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return true;  // every 64-bit Apple CPU has it
#endif
}
constexpr Crc32cImplementation kHardware{"armv8", Crc32cArm};

#else

bool HasHardwareCrc() { return false; }
constexpr Crc32cImplementation kHardware{"none", nullptr};

#endif

}  // namespace

uint32_t Crc32c(uint32_t seed, const uint8_t* bytes, size_t length) {
  static const Crc32cFunction chosen = Crc32cImplementations().front().run;
  return chosen(seed, bytes, length);
}

const std::vector<Crc32cImplementation>& Crc32cImplementations() {
  static const std::vector<Crc32cImplementation> available = [] {
    std::vector<Crc32cImplementation> found;
    if (HasHardwareCrc()) found.push_back(kHardware);
    found.push_back({"table", Crc32cTable});
    return found;
  }();
  return available;
}

}  // namespace lograft
