// oneDNN's micro-kernel behind GemmKernel. It runs with AVX-512 where there is no AMX: the same calls.
#include "models/kernels/cpu/brgemm.h"

#include "models/kernels/cpu/instruction_set.h"
#include "tests/catch.h"
#include "tests/models/tile_check.h"

namespace bertha::models {
namespace {

TEST_CASE("BrgemmTilesAreProducts") {
  REQUIRE(LimitInstructionSet("amx") == absl::OkStatus());
  if (AvailableInstructions().avx512_bf16) CheckTiles(kBrgemmBf16);
  if (AvailableInstructions().avx512_vnni) CheckTiles(kBrgemmInt8);
}

}  // namespace
}  // namespace bertha::models
