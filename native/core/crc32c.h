// CRC32C (Castagnoli, reflected polynomial 0x82F63B78), as in RFC 3720 and Kafka's batches.
// Pure functions without state: any thread. The fastest one this CPU has is chosen once.
//
// Why three chains: the CPU's crc instruction has a latency of three cycles and a throughput of
// one, so a single dependent chain leaves two thirds of the unit idle. A block is cut in three
// equal parts whose checksums are computed side by side and then joined: the checksum of a part
// followed by n zero bytes is its product with x^(8n) modulo the polynomial.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lograft {

using Crc32cFunction = uint32_t (*)(uint32_t seed, const uint8_t* bytes, size_t length);

struct Crc32cImplementation {
  std::string_view name;
  Crc32cFunction run;
};

// Checksum of `bytes`; `seed` is the checksum of what came before (0 at the start).
uint32_t Crc32c(uint32_t seed, const uint8_t* bytes, size_t length);

// What this CPU can run, the one behind Crc32c() first; the table version is always among them.
const std::vector<Crc32cImplementation>& Crc32cImplementations();

}  // namespace lograft
