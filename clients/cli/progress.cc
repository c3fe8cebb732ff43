#include "clients/cli/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

constexpr absl::Duration kFirstDraw = absl::Milliseconds(500);
constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr size_t kBarCells = 24;

/// "0:07", "12:30", "1:02:03".
std::string Clock(double seconds) {
  const auto total = static_cast<int64_t>(std::min(seconds + 0.5, 359999.0));
  const int64_t hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
  return hours > 0 ? absl::StrFormat("%d:%02d:%02d", hours, minutes, rest) : absl::StrFormat("%d:%02d", minutes, rest);
}

}  // namespace

std::string ProgressLine(const ProgressState& state) {
  const double elapsed = absl::ToDoubleSeconds(state.elapsed);
  const double rate = elapsed > 0 ? static_cast<double>(state.inputs) / elapsed : 0;
  std::string counts =
      absl::StrCat(FormatCount(state.inputs), " texts  ", FormatCount(static_cast<uint64_t>(rate)), "/s");
  if (state.failed > 0) absl::StrAppend(&counts, "  ", FormatCount(state.failed), " failed");
  if (!state.total_bytes || *state.total_bytes == 0) return absl::StrCat(counts, "  ", Clock(elapsed));
  const double fraction = std::min(1.0, static_cast<double>(state.bytes) / static_cast<double>(*state.total_bytes));
  const std::string left = fraction > 0 ? Clock(elapsed / fraction - elapsed) : "?";
  return absl::StrFormat("▕%s▏ %3.0f%%  %s  ETA %s", Bar(fraction, kBarCells), fraction * 100, counts, left);
}

bool ProgressPace::IsDue(absl::Duration elapsed) {
  if (elapsed < kFirstDraw || (started() && elapsed - last_ < kRedraw)) return false;
  last_ = elapsed;
  return true;
}

}  // namespace bertha::cli
