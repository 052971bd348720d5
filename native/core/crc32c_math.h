// Arithmetic on reflected polynomials modulo CRC32C's: bit 31 is x^0, bit 0 is x^31. Everything
// here is computed by the compiler, so that no table or constant has to be believed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lograft::crc_math {

constexpr uint32_t kPolynomial = 0x82F63B78u;
constexpr uint32_t kOne = 0x80000000u;

constexpr uint32_t TimesX(uint32_t a) { return (a & 1) != 0 ? (a >> 1) ^ kPolynomial : a >> 1; }

constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int bit = 31; bit >= 0; bit--) {
    if (((b >> bit) & 1) != 0) product ^= a;
    a = TimesX(a);
  }
  return product;
}

// x^exponent modulo the polynomial, by squaring.
constexpr uint32_t PowerOfX(uint64_t exponent) {
  uint32_t result = kOne;
  uint32_t square = kOne >> 1;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = Multiply(result, square);
    square = Multiply(square, square);
  }
  return result;
}

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b]: the checksum register after byte b and k zero bytes (slicing by eight).
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; bit++) value = TimesX(value);
    tables[0][byte] = value;
  }
  for (size_t k = 1; k < 8; k++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

}  // namespace lograft::crc_math
