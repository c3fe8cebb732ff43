#include "clients/cli/view.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

std::string ModelText(const Model& m) {
  return absl::StrCat(m.name, " v", m.version, " (", m.engine, ", ", m.device, ", ", m.dtype, ")");
}

std::string Stages(double tokenize, double queue, double compute) {
  return absl::StrCat("tokenize ", FormatMicros(tokenize), ", queue ", FormatMicros(queue), ", compute ",
                      FormatMicros(compute));
}

}  // namespace

std::string Score(float score) { return absl::StrFormat("%.4f", score); }

std::string ScoreBar(float score, size_t cells) {
  return score >= 0 && score <= 1 ? Bar(score, cells) : std::string(cells, ' ');
}

std::string Slice(const Range& range) { return absl::StrCat(range.begin, ":", range.end); }

absl::string_view Part(absl::string_view text, const Range& bytes) {
  const size_t begin = std::min<size_t>(bytes.begin, text.size());
  return text.substr(begin, std::max<size_t>(bytes.end, begin) - begin);
}

std::string BothTexts(const Input& input) {
  return input.pair ? absl::StrCat(input.text, " | ", *input.pair) : input.text;
}

std::string Account(const Result& r) {
  const Timing& t = r.timing;
  return absl::StrCat(FormatMicros(t.total_us), ": ", Stages(t.tokenize_us, t.queue_us, t.compute_us), "; ", r.tokens,
                      " tokens", r.truncated ? " (cut: longer than the model takes)" : "",
                      r.windows > 1 ? absl::StrCat(" in ", r.windows, " windows (longer than the model takes)") : "",
                      " in a batch of ", r.batch_size, "; ", ModelText(*r.model));
}

void Means::Add(const Result& r) {
  ++count_;
  tokenize_ += r.timing.tokenize_us;
  queue_ += r.timing.queue_us;
  compute_ += r.timing.compute_us;
  total_ += r.timing.total_us;
  batch_ += r.batch_size;
  truncated_ |= r.truncated;
  windows_ |= r.windows > 1;
  if (model_.empty()) model_ = ModelText(*r.model);
}

std::string Means::Line() const {
  const auto mean = [&](double sum) { return sum / static_cast<double>(count_); };
  return absl::StrCat("mean: ", Stages(mean(tokenize_), mean(queue_), mean(compute_)), ", total ",
                      FormatMicros(mean(total_)), "; batch of ", absl::StrFormat("%.1f", mean(batch_)), "; ", model_);
}

}  // namespace bertha::cli
