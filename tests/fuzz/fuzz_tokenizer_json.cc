// Any bytes as a tokenizer.json: refused with an error that names the place, or a tokenizer that keeps its promises.
#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/tokenizer_properties.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer::fuzz {
namespace {

void CheckError(const absl::Status& status) {
  FUZZ_CHECK_THAT(
      status.code() == absl::StatusCode::kInvalidArgument || status.code() == absl::StatusCode::kUnimplemented,
      status.ToString());
  FUZZ_CHECK_THAT(absl::StartsWith(status.message(), "$"), status.ToString());
  FUZZ_CHECK_THAT(absl::StrContains(status.message(), ": "), status.ToString());
  CheckMessage(status);
}

}  // namespace
}  // namespace bertha::tokenizer::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bertha::tokenizer::Tokenizer;
  const auto tokenizer = Tokenizer::FromJson({reinterpret_cast<const char*>(data), size});
  if (tokenizer.ok()) {
    bertha::tokenizer::fuzz::CheckTokenizer(**tokenizer);
  } else {
    bertha::tokenizer::fuzz::CheckError(tokenizer.status());
  }
  return 0;
}
