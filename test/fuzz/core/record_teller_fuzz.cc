// RecordTeller: whatever the bytes, reading stays inside them; the text is JSON, as many records as
// it says; a batch of which a byte is missing tells nothing that is not there; and the same bytes
// are told alike by a teller that was used before.
//
//   input:  mode u8 | from u8 | most u8 | batches
//   mode:   1 lines
#include "../../../native/core/record_teller.h"

#include <vector>

#include "../../../native/core/json.h"
#include "../../../native/core/utf8.h"
#include "../../native/core/check.h"
#include "exact.h"
#include "targets.h"

namespace lograft::fuzz {
namespace {

std::vector<uint8_t> TextOf(RecordTeller* teller) {
  std::vector<uint8_t> text(teller->size());
  teller->TakeText(text.data());
  return text;
}

void CheckText(const std::vector<uint8_t>& text, size_t record_count, bool is_lines) {
  CHECK(IsUtf8(text.data(), text.size()));
  JsonReader reader(text.data(), text.data() + text.size());
  for (size_t i = 0; i < record_count; i++) {
    JsonSlice record;
    CHECK(i == 0 || is_lines || reader.Take(','));
    CHECK(reader.Value(&record));
    CHECK(record.kind == JsonKind::kObject);
  }
  CHECK(reader.IsAtEnd());
}

}  // namespace

void FuzzRecordTeller(Input in) {
  TellRequest request;
  request.is_lines = (in.U8() & 1) != 0;
  request.from = in.U8();
  request.records_max = in.U8();
  const Exact bytes(in.data(), in.size());

  RecordTeller teller;
  const TellFault fault = teller.Tell(bytes.data(), bytes.size(), request);
  if (fault != TellFault::kNone) return;
  const size_t count = teller.record_count();
  const int64_t next = teller.next_offset();
  CHECK(count <= request.records_max);
  CHECK(next >= request.from);
  const std::vector<uint8_t> text = TextOf(&teller);
  CheckText(text, count, request.is_lines);

  CHECK(teller.Tell(bytes.data(), bytes.size(), request) == TellFault::kNone);
  CHECK(teller.record_count() == count && teller.next_offset() == next);
  CHECK(TextOf(&teller) == text);
  // From where it ended nothing of it comes again.
  request.from = next;
  if (teller.Tell(bytes.data(), bytes.size(), request) != TellFault::kNone) return;
  CHECK(teller.next_offset() >= next);
}

}  // namespace lograft::fuzz
