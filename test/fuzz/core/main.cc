// What libFuzzer calls: one program for all targets, LOGRAFT_FUZZ_TARGET says which one runs.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "targets.h"

namespace lograft::fuzz {
namespace {

// Fails on purpose: the tests look whether it is found.
void FuzzPlanted(Input in) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[in.size() + 1]);
  std::memcpy(copy.get(), in.data(), in.size());
  const bool is_fatal = in.size() > 2 && copy[0] == 'f' && copy[1] == 'u';
  volatile uint8_t* const bytes = copy.get();
  if (is_fatal) bytes[in.size() + 1] = 0;
}

struct Target {
  std::string_view name;
  void (*run)(Input in);
};

constexpr Target kTargets[] = {
    {"batch", FuzzBatch},
    {"carry-buffer", FuzzCarryBuffer},
    {"crc32c", FuzzCrc32c},
    {"frame-reader", FuzzFrameReader},
    {"outbound", FuzzOutbound},
    {"planted", FuzzPlanted},
    {"record-cutter", FuzzRecordCutter},
    {"record-teller", FuzzRecordTeller},
    {"varint", FuzzVarint},
};

const Target& Chosen() {
  const char* name = std::getenv("LOGRAFT_FUZZ_TARGET");
  for (const Target& target : kTargets) {
    if (name != nullptr && target.name == name) return target;
  }
  std::fprintf(stderr, "LOGRAFT_FUZZ_TARGET names no target\n");
  std::_Exit(2);
}

}  // namespace
}  // namespace lograft::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const auto run = lograft::fuzz::Chosen().run;
  run({bytes, size});
  return 0;
}
