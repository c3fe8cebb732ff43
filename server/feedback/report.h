// Which model wins on which texts, from the votes. Pure.
//
// Shares come with Wilson's score interval for 95% (E. B. Wilson, "Probable Inference, the Law of Succession, and
// Statistical Inference", 1927), which is sound for few votes and for shares near 0 and 1. It takes votes for
// independent, which several by one person are not.
//
// Memory: each distinct text once. Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_FEEDBACK_REPORT_H_
#define BERTHA_SERVER_FEEDBACK_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/feedback/vote.h"

namespace bertha::feedback {

struct ModelVersion {
  std::string name;
  int64_t version = 0;
  auto operator<=>(const ModelVersion&) const = default;
};

struct Tally {
  uint64_t right = 0, wrong = 0;
  uint64_t votes() const { return right + wrong; }
};

struct Interval {
  double low = 0, high = 1;
};

/// Of the share of successes; [0, 1] without trials.
Interval WilsonInterval(uint64_t successes, uint64_t trials);

struct ModelReport {
  ModelVersion model;
  Tally tally;
  double share_right = 0;
  Interval interval;
};

/// Over the texts that both were judged on. A model wins a text on which a larger share of its votes says "right".
struct PairReport {
  ModelVersion first, second;
  uint64_t first_wins = 0, second_wins = 0, ties = 0;
};

/// A text on which the votes differ, whoever was judged.
struct DisputedText {
  std::string text;
  std::optional<std::string> text_pair;
  Tally tally;
  struct Answer {
    ModelVersion model;
    /// The label of the last vote.
    std::string label;
    Tally tally;
  };
  std::vector<Answer> answers;
};

struct Report {
  uint64_t votes = 0, texts = 0;
  /// The best first: by share, then by number of votes.
  std::vector<ModelReport> models;
  /// Those with common texts, by name.
  std::vector<PairReport> pairs;
  /// The most votes of the minority first.
  std::vector<DisputedText> disputed;
};

class ReportBuilder {
 public:
  void Add(const Vote& vote);
  /// With at most `most_texts` disputed ones.
  Report Build(size_t most_texts) const;

 private:
  struct Answer {
    Tally tally;
    std::string label;
  };
  using Answers = std::map<ModelVersion, Answer>;
  using Texts = std::map<std::pair<std::string, std::optional<std::string>>, Answers>;

  std::vector<ModelReport> Models() const;
  std::vector<PairReport> Pairs() const;
  std::vector<DisputedText> Disputed(size_t most) const;

  uint64_t votes_ = 0;
  Texts texts_;
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_REPORT_H_
