#include "models/kernels/cpu/instruction_set.h"

#include <hwy/highway.h>

#include <array>

#include "absl/strings/str_cat.h"

#if HWY_ARCH_X86
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bertha::models {
namespace {

#if HWY_ARCH_X86
/// The kernel keeps the tiles' state only for processes that ask.
bool MayUseAmx() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  if ((edx & kBf16) == 0 || (edx & kTile) == 0 || (edx & kInt8) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2): ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

InstructionSet Detect() {
  InstructionSet found;
  found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  found.avx512 = found.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  found.avx512_vnni = found.avx512 && __builtin_cpu_supports("avx512vnni");
  found.avx512_bf16 = found.avx512_vnni && __builtin_cpu_supports("avx512bf16");
  found.amx = found.avx512_bf16 && MayUseAmx();
  return found;
}

/// What Highway would choose by itself but must not use. The better a target, the lower its bit.
int64_t TargetsAbove(const InstructionSet& limit) {
  if (limit.avx512_vnni) return 0;
  if (limit.avx512) return HWY_AVX3 - 1;
  return limit.avx2 ? HWY_AVX2 - 1 : 2 * HWY_AVX2 - 1;
}
#else
InstructionSet Detect() { return {}; }
int64_t TargetsAbove(const InstructionSet&) { return 0; }
#endif

InstructionSet& Available() {
  static InstructionSet available = Detect();
  return available;
}

}  // namespace

const InstructionSet& AvailableInstructions() { return Available(); }

std::string InstructionSetName() {
  const InstructionSet& set = Available();
  if (set.amx) return "AVX-512 (VNNI, BF16), AMX";
  if (set.avx512) {
    return set.avx512_bf16 ? "AVX-512 (VNNI, BF16)" : set.avx512_vnni ? "AVX-512 (VNNI)" : "AVX-512";
  }
  return set.avx2 ? "AVX2" : "baseline";
}

absl::Status LimitInstructionSet(absl::string_view level) {
  constexpr std::array<absl::string_view, 5> kLevels = {"baseline", "avx2", "avx512", "avx512_bf16", "amx"};
  size_t index = 0;
  while (index < kLevels.size() && kLevels[index] != level) ++index;
  if (index == kLevels.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", level, "\" is none of baseline, avx2, avx512, avx512_bf16, amx"));
  }
  InstructionSet limited = Detect();
  limited.avx2 &= index >= 1;
  limited.avx512 &= index >= 2;
  limited.avx512_vnni &= index >= 3;
  limited.avx512_bf16 &= index >= 3;
  limited.amx &= index >= 4;
  Available() = limited;
  hwy::DisableTargets(TargetsAbove(limited));
  return absl::OkStatus();
}

}  // namespace bertha::models
