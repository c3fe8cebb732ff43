#include "clients/cli/progress_bar.h"

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace bertha::cli {

ProgressBar::ProgressBar(bool shown, std::optional<uint64_t> total_bytes)
    : shown_(shown), state_{.total_bytes = total_bytes} {}

void ProgressBar::Advance(uint64_t inputs, uint64_t failed, uint64_t end_bytes) {
  state_.inputs += inputs;
  state_.failed += failed;
  state_.bytes = end_bytes;
  state_.elapsed = absl::Now() - start_;
  if (shown_ && pace_.IsDue(state_.elapsed)) std::fputs(absl::StrCat("\r\033[K", ProgressLine(state_)).c_str(), stderr);
}

void ProgressBar::Erase() {
  if (pace_.started()) std::fputs("\r\033[K", stderr);
  pace_ = {};
}

}  // namespace bertha::cli
