// Runs the C++ core's tests; core.test.ts compiles and starts it.
#include "check.h"

int main() {
  lograft::test::TestCrc32c();
  lograft::test::TestBatch();
  lograft::test::TestFrameReader();
  lograft::test::TestOutbound();
  lograft::test::TestRecordCutter();
  lograft::test::TestRecordTeller();
  lograft::test::TestSyncQueue();
  std::puts("core ok");
  return 0;
}
