// VarintReader against a slow definition: the same values, the same end, and the same verdict on
// numbers that are cut off, too long or too large.
#include "../../../native/core/varint.h"

#include "../../native/core/check.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

// The definition, in arithmetic that cannot overflow. False: no number of at most `bytes_max`
// bytes and `bits` bits begins here.
bool SlowUnsigned(Input* in, int bytes_max, int bits, uint64_t* value) {
  unsigned __int128 sum = 0;
  for (int i = 0; i < bytes_max; i++) {
    if (in->IsAtEnd()) return false;
    const uint8_t byte = in->U8();
    sum += static_cast<unsigned __int128>(byte & 0x7F) << (7 * i);
    if (byte >= 0x80) continue;
    *value = static_cast<uint64_t>(sum);
    return (sum >> bits) == 0;
  }
  return false;
}

int64_t Unzigzag(uint64_t raw) {
  return raw % 2 == 0 ? static_cast<int64_t>(raw / 2) : -1 - static_cast<int64_t>(raw / 2);
}

// One step of a random walk over numbers and runs of bytes; false when the walk is over.
bool Step(uint8_t kind, VarintReader* reader, Input* model) {
  uint64_t raw = 0;
  if (kind % 4 == 0) {
    int64_t value;
    const bool expected = SlowUnsigned(model, 10, 64, &raw);
    CHECK(reader->Int64(&value) == expected);
    if (expected) CHECK(value == Unzigzag(raw));
    return expected;
  }
  if (kind % 4 == 1) {
    int32_t value;
    const bool expected = SlowUnsigned(model, 5, 32, &raw);
    CHECK(reader->Int32(&value) == expected);
    if (expected) CHECK(value == Unzigzag(raw));
    return expected;
  }
  const size_t count = kind == 255 ? SIZE_MAX : kind / 16;
  const bool expected = count <= model->size();
  if (kind % 4 == 2) {
    CHECK(reader->Skip(count) == expected);
  } else {
    VarintReader part(nullptr, nullptr);
    CHECK(reader->Take(count, &part) == expected);
    int64_t ignored;
    while (expected && !part.IsAtEnd() && part.Int64(&ignored)) continue;
  }
  if (expected) model->Skip(count);
  return expected;
}

}  // namespace

void FuzzVarint(Input in) {
  const size_t steps = in.U8() % 32;
  Input plan(in.data(), in.Skip(steps));
  VarintReader reader(in.data(), in.data() + in.size());
  // Steps behind the plan read numbers of 64 bits.
  for (Input model = in;; ) {
    CHECK(reader.IsAtEnd() == model.IsAtEnd());
    if (!Step(plan.U8(), &reader, &model)) return;
  }
}

}  // namespace lograft::fuzz
