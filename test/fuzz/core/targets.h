// The fuzz targets. Each takes one input, checks what the code under test says of it against a
// model, and ends the process with the place when they differ.
#pragma once

#include "input.h"

namespace lograft::fuzz {

void FuzzBatch(Input in);
void FuzzCarryBuffer(Input in);
void FuzzCrc32c(Input in);
void FuzzFrameReader(Input in);
void FuzzOutbound(Input in);
void FuzzRecordCutter(Input in);
void FuzzRecordTeller(Input in);
void FuzzVarint(Input in);

}  // namespace lograft::fuzz
