// Every CRC32C this CPU can run against the table version: any length, alignment, seed and cut.
#include "../../../native/core/crc32c.h"

#include <cstring>
#include <vector>

#include "../../native/core/check.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

// A little above three long parts: every path of the three-chain versions is taken.
constexpr size_t kLengthMax = 6400;

}  // namespace

void FuzzCrc32c(Input in) {
  const uint8_t flags = in.U8();
  const uint32_t seed = (flags & 1) != 0 ? in.U32() : 0;
  const size_t shift = in.U8() % 16;
  const uint16_t cut_at = in.U16();
  // Some inputs are repeated to a length that no mutation would grow to.
  const size_t wanted = flags < 4 ? in.U16() % kLengthMax : in.size();
  const size_t length = in.size() == 0 ? 0 : wanted;
  const std::vector<uint8_t> unit(in.data(), in.data() + in.size());
  std::vector<uint8_t> bytes(shift + length);
  for (size_t at = 0; at < length; at += unit.size()) {
    std::memcpy(bytes.data() + shift + at, unit.data(), std::min(unit.size(), length - at));
  }
  const uint8_t* from = bytes.data() + shift;
  const size_t cut = cut_at % (length + 1);
  const uint32_t expected = Crc32cImplementations().back().run(seed, from, length);
  CHECK(Crc32c(seed, from, length) == expected);
  for (const Crc32cImplementation& implementation : Crc32cImplementations()) {
    if (length > 1000 && implementation.name == "table") continue;  // slow, and right by then
    CHECK(implementation.run(seed, from, length) == expected);
    const uint32_t first = implementation.run(seed, from, cut);
    CHECK(implementation.run(first, from + cut, length - cut) == expected);
  }
}

}  // namespace lograft::fuzz
