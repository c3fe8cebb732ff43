#include "clients/cli/eval_tally.h"

#include <algorithm>
#include <variant>

#include "clients/cli/output.h"

namespace bertha::cli {

EvalTally::EvalTally(const ModelEntry& entry, const std::vector<std::string>& truths) : entry_(entry) {
  for (const std::string& label : entry.labels) IndexOf(label);
  judgements_.reserve(truths.size());
  for (const std::string& truth : truths) judgements_.push_back({.truth = IndexOf(truth)});
}

size_t EvalTally::IndexOf(const std::string& label) {
  const auto [at, is_new] = indexes_.try_emplace(label, labels_.size());
  if (is_new) labels_.push_back(label);
  return at->second;
}

void EvalTally::Add(const Row& row) {
  if (!row.result.ok()) return Fail(CodeName(row.result.status().code()));
  const Result& result = *row.result;
  const auto* labels = std::get_if<Labels>(&result.body);
  if (labels == nullptr || labels->scores.empty()) return Fail("NO_LABEL");
  const auto known = indexes_.find(labels->scores.front().label);
  if (known == indexes_.end()) return Fail("NO_LABEL");
  eval::Judgement& judgement = judgements_[row.input.index];
  judgement.answer = known->second;
  judgement.confidence = labels->scores.front().score;
  ++answered_;
  truncated_ += result.truncated ? 1 : 0;
  compute_us_ += static_cast<double>(result.timing.compute_us) / std::max(1U, result.batch_size);
}

void EvalTally::Fail(const std::string& code) {
  ++failed_;
  ++failures_[code];
}

eval::ModelResult EvalTally::Finish(double seconds) const {
  eval::ModelResult result{
      .name = entry_.model.name,
      .version = entry_.model.version,
      .family = entry_.family,
      .engine = entry_.model.engine,
      .device = entry_.model.device,
      .dtype = entry_.model.dtype,
      .weight_bytes = entry_.weight_bytes,
      .metrics = eval::Measure(labels_, judgements_),
      .seconds = seconds,
      .truncated = truncated_,
      .failures = failures_,
      .unknown_labels = {labels_.begin() + static_cast<ptrdiff_t>(entry_.labels.size()), labels_.end()}};
  if (answered_ > 0) result.compute_us = compute_us_ / static_cast<double>(answered_);
  return result;
}

}  // namespace bertha::cli
