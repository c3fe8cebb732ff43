// One model's answers to labelled texts, counted as they come. Pure.
#ifndef BERTHA_CLIENTS_CLI_EVAL_TALLY_H_
#define BERTHA_CLIENTS_CLI_EVAL_TALLY_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/eval/metrics.h"
#include "bench/eval/study.h"
#include "clients/cli/models_output.h"
#include "clients/cli/row.h"

namespace bertha::cli {

/// Thread-compatible.
class EvalTally {
 public:
  /// `truths`: the label of each text, which outlive this.
  EvalTally(const ModelEntry& entry, const std::vector<std::string>& truths);

  /// The row of text `row.input.index`; each comes once.
  void Add(const Row& row);
  size_t failed() const { return failed_; }

  /// Of all texts; those that have not come count as failed.
  eval::ModelResult Finish(double seconds) const;

 private:
  size_t IndexOf(const std::string& label);
  void Fail(const std::string& code);

  const ModelEntry entry_;
  std::vector<std::string> labels_;  // the model's, then what only the texts have
  std::map<std::string, size_t> indexes_;
  std::vector<eval::Judgement> judgements_;
  std::map<std::string, size_t> failures_;
  size_t failed_ = 0, answered_ = 0, truncated_ = 0;
  double compute_us_ = 0;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_EVAL_TALLY_H_
