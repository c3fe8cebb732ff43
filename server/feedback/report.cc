#include "server/feedback/report.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

namespace bertha::feedback {
namespace {

/// The normal distribution's quantile for 95%, two-sided.
constexpr double kZ = 1.959963984540054;

void Count(Verdict verdict, Tally& tally) { (verdict == Verdict::kRight ? tally.right : tally.wrong) += 1; }

/// Compares shares without dividing: below 0, 0 or above 0. Votes of one text are few, the products fit.
int CompareShares(const Tally& a, const Tally& b) {
  const uint64_t left = a.right * b.votes(), right = b.right * a.votes();
  return left < right ? -1 : left > right;
}

uint64_t Minority(const Tally& tally) { return std::min(tally.right, tally.wrong); }

}  // namespace

Interval WilsonInterval(uint64_t successes, uint64_t trials) {
  if (trials == 0) return {};
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n, z2 = kZ * kZ;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, center - half), std::min(1.0, center + half)};
}

void ReportBuilder::Add(const Vote& vote) {
  Answer& answer = texts_[{vote.text, vote.text_pair}][{vote.model, vote.version}];
  Count(vote.verdict, answer.tally);
  answer.label = vote.label;
  votes_ += 1;
}

Report ReportBuilder::Build(size_t most_texts) const {
  return {
      .votes = votes_, .texts = texts_.size(), .models = Models(), .pairs = Pairs(), .disputed = Disputed(most_texts)};
}

std::vector<ModelReport> ReportBuilder::Models() const {
  std::map<ModelVersion, Tally> tallies;
  for (const auto& [text, answers] : texts_) {
    for (const auto& [model, answer] : answers) {
      tallies[model].right += answer.tally.right;
      tallies[model].wrong += answer.tally.wrong;
    }
  }
  std::vector<ModelReport> models;
  for (const auto& [model, tally] : tallies) {
    const double share = static_cast<double>(tally.right) / static_cast<double>(tally.votes());
    models.push_back({model, tally, share, WilsonInterval(tally.right, tally.votes())});
  }
  std::ranges::stable_sort(models, [](const ModelReport& a, const ModelReport& b) {
    return std::pair(a.share_right, a.tally.votes()) > std::pair(b.share_right, b.tally.votes());
  });
  return models;
}

std::vector<PairReport> ReportBuilder::Pairs() const {
  std::map<std::pair<ModelVersion, ModelVersion>, PairReport> pairs;
  for (const auto& [text, answers] : texts_) {
    for (auto first = answers.begin(); first != answers.end(); ++first) {
      for (auto second = std::next(first); second != answers.end(); ++second) {
        PairReport& pair = pairs[{first->first, second->first}];
        const int compared = CompareShares(first->second.tally, second->second.tally);
        (compared > 0 ? pair.first_wins : compared < 0 ? pair.second_wins : pair.ties) += 1;
      }
    }
  }
  std::vector<PairReport> reports;
  for (auto& [models, report] : pairs) {
    std::tie(report.first, report.second) = models;
    reports.push_back(report);
  }
  return reports;
}

std::vector<DisputedText> ReportBuilder::Disputed(size_t most) const {
  struct Entry {
    Tally tally;
    const Texts::value_type* text;
  };
  std::vector<Entry> entries;
  for (const auto& text : texts_) {
    Entry entry{{}, &text};
    for (const auto& [model, answer] : text.second) {
      entry.tally.right += answer.tally.right;
      entry.tally.wrong += answer.tally.wrong;
    }
    if (Minority(entry.tally) > 0) entries.push_back(entry);
  }
  std::ranges::stable_sort(entries, [](const Entry& a, const Entry& b) {
    return std::pair(Minority(a.tally), a.tally.votes()) > std::pair(Minority(b.tally), b.tally.votes());
  });
  if (entries.size() > most) entries.resize(most);
  std::vector<DisputedText> disputed;
  for (const Entry& entry : entries) {
    DisputedText& text = disputed.emplace_back();
    std::tie(text.text, text.text_pair) = entry.text->first;
    text.tally = entry.tally;
    for (const auto& [model, answer] : entry.text->second) text.answers.push_back({model, answer.label, answer.tally});
  }
  return disputed;
}

}  // namespace bertha::feedback
