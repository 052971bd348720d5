// Assertions and a seeded random source for the C++ core's tests. No framework: a failed check
// names its place and ends the process.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                   \
    }                                                                                 \
  } while (false)

#define CHECK_EQUAL(actual, expected)                                                    \
  do {                                                                                   \
    const auto actual_value = static_cast<long long>(actual);                            \
    const auto expected_value = static_cast<long long>(expected);                        \
    if (actual_value != expected_value) {                                                \
      std::fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, \
                   actual_value, expected_value);                                        \
      std::exit(1);                                                                      \
    }                                                                                    \
  } while (false)

namespace lograft::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // 0 <= value < bound
  size_t Below(size_t bound) { return static_cast<size_t>(Next() % bound); }
  std::vector<uint8_t> Bytes(size_t length) {
    std::vector<uint8_t> bytes(length);
    for (auto& byte : bytes) byte = static_cast<uint8_t>(Next());
    return bytes;
  }

 private:
  uint64_t state_;
};

void TestCrc32c();
void TestBatch();
void TestFrameReader();
void TestOutbound();
void TestRecordCutter();
void TestRecordTeller();
void TestSyncQueue();

}  // namespace lograft::test
