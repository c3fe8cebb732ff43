#include "bench/encoder/instruction_limit.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "models/kernels/cpu/instruction_set.h"

namespace bertha::bench {
namespace {

constexpr const char* kVariables[] = {"ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"};

/// What these variables say for a level of ours. MKL takes its own only on Intel's processors; on others it has
/// nothing above AVX2 anyway.
struct Level {
  absl::string_view name;
  const char* values[std::size(kVariables)];
};
constexpr Level kLevels[] = {{"baseline", {"default", "SSE41", "SSE4_2"}},
                             {"avx2", {"avx2", "AVX2", "AVX2"}},
                             {"avx512", {"avx512", "AVX512_CORE", "AVX512"}},
                             {"avx512_bf16", {"avx512", "AVX512_CORE_BF16", "AVX512_E3"}},
                             {"amx", {"avx512", "AVX512_CORE_AMX", "AVX512_E4"}}};

/// True if it was not so before.
bool SetVariable(const char* name, const char* value) {
  const char* const before = std::getenv(name);
  if (before != nullptr && std::strcmp(before, value) == 0) return false;
  setenv(name, value, 1);
  return true;
}

}  // namespace

absl::Status LimitInstructions(absl::string_view level, char** argv) {
  if (level == "auto") return absl::OkStatus();
  if (const absl::Status status = models::LimitInstructionSet(level); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--isa: ", status.message(), ", auto"));
  }
  bool is_new = false;
  for (const Level& known : kLevels) {
    for (size_t i = 0; known.name == level && i < std::size(kVariables); ++i) {
      is_new |= SetVariable(kVariables[i], known.values[i]);
    }
  }
  if (!is_new) return absl::OkStatus();
  execv("/proc/self/exe", argv);
  return absl::InternalError(absl::StrCat("it could not start again with its limits set: ", std::strerror(errno)));
}

}  // namespace bertha::bench
