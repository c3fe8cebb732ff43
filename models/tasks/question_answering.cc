#include "models/tasks/question_answering.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <unordered_map>

#include "models/tasks/lowercase.h"
#include "models/tasks/pairwise_sum.h"
#include "tokenizer/utf8.h"

namespace bertha::models {
namespace {

using tokenizer::Encoding;
using tokenizer::Span;

/// The logit of what cannot be in an answer.
constexpr float kMasked = -10000;

/// From token `start` to token `end`, inclusive.
struct Candidate {
  float score;
  size_t start, end;

  /// Equal ones in the order of the text.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.start != b.start ? a.start < b.start : a.end < b.end;
  }
};

void Softmax(std::vector<float>& x) {
  const float largest = *std::ranges::max_element(x);
  for (float& value : x) value = std::exp(value - largest);
  const float sum = PairwiseSum(x);
  for (float& value : x) value /= sum;
}

/// The probabilities of one window.
class Probabilities {
 public:
  void Compute(const AnswerWindow& window, const AnswerInput& input) {
    const Encoding& encoding = *window.encoding;
    const bool masks_nothing = input.context_sequence == 0;
    start_.clear();
    end_.clear();
    for (size_t i = 0; i < encoding.ids.size(); ++i) {
      const bool counts = masks_nothing || encoding.sequence_ids[i] == 1 || encoding.ids[i] == input.cls_id;
      start_.push_back(counts ? window.logits[2 * i] : kMasked);
      end_.push_back(counts ? window.logits[2 * i + 1] : kMasked);
    }
    Softmax(start_);
    Softmax(end_);
    no_answer_ = start_[0] * end_[0];
    start_[0] = end_[0] = 0;  // in no answer
  }

  float no_answer() const { return no_answer_; }

  /// Replaces the content of `best` by the `count` best candidates of up to `longest` tokens, best first.
  void FindBest(size_t count, size_t longest, std::vector<Candidate>& best) const {
    best.clear();
    for (size_t i = 0; i < start_.size(); ++i) {
      if (start_[i] == 0) continue;
      const size_t limit = std::min(longest, start_.size() - i);
      for (size_t j = i; j < i + limit; ++j) Offer({start_[i] * end_[j], i, j}, count, best);
    }
    std::sort_heap(best.begin(), best.end());
  }

 private:
  /// Keeps the best in a heap with the worst of them on top.
  static void Offer(const Candidate& candidate, size_t count, std::vector<Candidate>& best) {
    if (candidate.score <= 0) return;
    if (best.size() == count) {
      if (!(candidate < best.front())) return;
      std::pop_heap(best.begin(), best.end());
      best.pop_back();
    }
    best.push_back(candidate);
    std::push_heap(best.begin(), best.end());
  }

  std::vector<float> start_, end_;
  float no_answer_ = 0;
};

/// The words of the context in one window.
class ContextWords {
 public:
  ContextWords(const Encoding& encoding, int32_t sequence) : encoding_(encoding) {
    const std::vector<int32_t>& ids = encoding.sequence_ids;
    const auto begin = std::ranges::find(ids, sequence);
    const auto end = std::find_if(begin, ids.end(), [&](int32_t id) { return id != sequence; });
    first_ = static_cast<size_t>(begin - ids.begin());
    words_ = std::span(encoding.word_ids).subspan(first_, static_cast<size_t>(end - begin));
  }

  const Encoding& encoding() const { return encoding_; }

  /// Widens a candidate to whole words, or says that the window has no words of these numbers.
  bool Align(Candidate& candidate) const {
    const int32_t from = encoding_.word_ids[candidate.start], to = encoding_.word_ids[candidate.end];
    const auto first = std::ranges::lower_bound(words_, from);
    const auto after = std::ranges::upper_bound(words_, to);
    if (first == words_.end() || *first != from || after == words_.begin() || *std::prev(after) != to) return false;
    candidate.start = first_ + static_cast<size_t>(first - words_.begin());
    candidate.end = first_ + static_cast<size_t>(after - words_.begin()) - 1;
    return true;
  }

 private:
  const Encoding& encoding_;
  size_t first_ = 0;
  std::span<const int32_t> words_;  // of the tokens from first_ on; they ascend
};

/// The byte where code point `chars` of a text begins; both are brought back to the end of the text if it is beyond.
size_t ByteOf(absl::string_view text, size_t& chars) {
  size_t at = 0, count = 0;
  for (; at < text.size() && count < chars; ++count) tokenizer::DecodeUtf8(text, &at);
  chars = count;
  return at;
}

Span Cover(const Span& first, const Span& last) { return {first.begin, std::max(first.begin, last.end)}; }

/// Answers of all windows; those with the same text are one.
class Answers {
 public:
  explicit Answers(absl::string_view context) : context_(context) {}

  void Add(const ContextWords& words, Candidate candidate) {
    const Encoding& encoding = words.encoding();
    const bool is_aligned = words.Align(candidate);
    const auto cover = [&](const std::vector<Span>& spans) {
      return Cover(spans[candidate.start], spans[candidate.end]);
    };
    Span chars = cover(encoding.char_offsets);
    const Span bytes = is_aligned ? cover(encoding.offsets)  // else it may be of the question
                                  : Span{ByteOf(context_, chars.begin), ByteOf(context_, chars.end)};
    Lowercase(context_.substr(bytes.begin, bytes.end - bytes.begin), key_);
    const auto [place, is_new] = places_.try_emplace(key_, found_.size());
    if (is_new) found_.push_back({0, {0, bytes, chars, false}});
    found_[place->second].score += candidate.score;
  }

  void AddNoAnswer(float score) { found_.push_back({score, {0, {0, 0}, {0, 0}, true}}); }

  void WriteBest(size_t count, std::vector<FoundAnswer>& answers) {
    std::ranges::stable_sort(found_, [](const Found& a, const Found& b) { return a.score > b.score; });
    answers.clear();
    for (Found& found : found_) {
      if (answers.size() == count) break;
      found.answer.score = static_cast<float>(found.score);
      answers.push_back(found.answer);
    }
  }

 private:
  struct Found {
    double score;  // a sum of many may be more than a float holds
    FoundAnswer answer;
  };

  absl::string_view context_;
  std::vector<Found> found_;
  std::unordered_map<std::string, size_t> places_;  // in found_, by text in lower case
  std::string key_;
};

}  // namespace

float FindAnswers(absl::string_view context, std::span<const AnswerWindow> windows, const AnswerInput& input,
                  const AnswerOptions& options, std::vector<FoundAnswer>& answers) {
  // More than asked for: some become equal when they are aligned to words.
  const size_t candidates = 2 * options.top_k + 10;
  float no_answer = std::numeric_limits<float>::infinity();
  Answers found(context);
  Probabilities probabilities;
  std::vector<Candidate> best;
  for (const AnswerWindow& window : windows) {
    probabilities.Compute(window, input);
    no_answer = std::min(no_answer, probabilities.no_answer());
    probabilities.FindBest(candidates, options.max_answer_tokens, best);
    const ContextWords words(*window.encoding, input.context_sequence);
    for (const Candidate& candidate : best) found.Add(words, candidate);
  }
  if (options.allow_no_answer) found.AddNoAnswer(no_answer);
  found.WriteBest(options.top_k, answers);
  return no_answer;
}

}  // namespace bertha::models
