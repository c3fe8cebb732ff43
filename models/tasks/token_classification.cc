#include "models/tasks/token_classification.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "models/tasks/pairwise_sum.h"
#include "tokenizer/utf8.h"

namespace bertha::models {
namespace {

using tokenizer::Encoding;
using tokenizer::Span;

constexpr absl::string_view kOutside = "O";

void Softmax(std::span<const float> logits, std::vector<float>& scores) {
  const float largest = *std::ranges::max_element(logits);
  scores.clear();
  for (const float x : logits) scores.push_back(std::exp(x - largest));
  const float sum = PairwiseSum(scores);
  for (float& score : scores) score /= sum;
}

/// The first of the largest.
size_t Best(const std::vector<float>& scores) {
  return static_cast<size_t>(std::ranges::max_element(scores) - scores.begin());
}

float Mean(float sum, size_t count) {
  return static_cast<float>(static_cast<double>(sum) / static_cast<double>(count));
}

/// From the begin of one to the end of another after it, which normalization may have made end earlier.
Span Cover(const Span& first, const Span& last) { return {first.begin, std::max(first.begin, last.end)}; }

/// Where the pipeline takes the tokens of a word together.
bool IsByWords(Aggregation aggregation) {
  return aggregation != Aggregation::kNone && aggregation != Aggregation::kSimple;
}

/// The scores of the tokens of the word at work.
class WordScores {
 public:
  void Start(const std::vector<float>& scores) {
    sums_ = scores;
    tokens_ = 1;
  }
  void Add(const std::vector<float>& scores) {
    for (size_t i = 0; i < scores.size(); ++i) sums_[i] += scores[i];
    ++tokens_;
  }
  void Means(std::vector<float>& means) const {
    means.clear();
    for (const float sum : sums_) means.push_back(Mean(sum, tokens_));
  }

 private:
  std::vector<float> sums_;
  size_t tokens_ = 0;
};

/// Entities that are in order but for the windows that they are from.
void RemoveOverlaps(std::vector<Entity>& entities) {
  std::ranges::stable_sort(entities, [](const Entity& a, const Entity& b) { return a.chars.begin < b.chars.begin; });
  size_t kept = 0;
  for (const Entity& entity : entities) {
    if (kept == 0 || entity.chars.begin >= entities[kept - 1].chars.end) {
      entities[kept++] = entity;
      continue;
    }
    Entity& before = entities[kept - 1];
    const size_t length = entity.chars.end - entity.chars.begin, length_before = before.chars.end - before.chars.begin;
    if (length > length_before || (length == length_before && entity.score > before.score)) before = entity;
  }
  entities.resize(kept);
}

}  // namespace

struct EntityTagger::Memory {
  std::vector<float> scores;  // of a token
  WordScores word;
  std::vector<Labelled> units;     // tokens or words
  std::vector<float> unit_scores;  // of each of them
};

EntityTagger::EntityTagger(const std::vector<std::string>& labels, const tokenizer::Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      prefix_tells_words_(!tokenizer.continuing_subword_prefix().empty()),
      unknown_id_(tokenizer.unknown_id()) {
  for (const absl::string_view name : labels) {
    const bool begins = absl::StartsWith(name, "B-"), is_inside = absl::StartsWith(name, "I-");
    const size_t hyphen = name.find('-');
    labels_.push_back({name, hyphen == absl::string_view::npos ? name : name.substr(hyphen + 1),
                       begins || is_inside ? name.substr(2) : name, begins});
  }
}

void EntityTagger::Tag(absl::string_view text, std::span<const TaggedWindow> windows, Aggregation aggregation,
                       std::vector<Entity>& entities) const {
  entities.clear();
  Memory memory;
  for (const TaggedWindow& window : windows) TagWindow(text, window, aggregation, memory, entities);
  if (windows.size() > 1) RemoveOverlaps(entities);
}

void EntityTagger::TagWindow(absl::string_view text, const TaggedWindow& window, Aggregation aggregation,
                             Memory& memory, std::vector<Entity>& entities) const {
  LabelUnits(text, window, aggregation, memory);
  const std::vector<Labelled>& units = memory.units;
  const bool is_alone = aggregation == Aggregation::kNone;
  for (size_t begin = 0, end; begin < units.size(); begin = end) {
    for (end = begin + 1; !is_alone && end < units.size() && ContinuesEntity(units[end - 1], units[end]);) ++end;
    const Label& label = labels_[units[begin].label];
    const absl::string_view name = is_alone ? label.name : label.kind;
    if (name == kOutside) continue;
    const float sum = PairwiseSum(std::span(memory.unit_scores).subspan(begin, end - begin));
    entities.push_back({name, Mean(sum, end - begin), Cover(units[begin].bytes, units[end - 1].bytes),
                        Cover(units[begin].chars, units[end - 1].chars)});
  }
}

/// Gives each token, or each word, its label and score.
void EntityTagger::LabelUnits(absl::string_view text, const TaggedWindow& window, Aggregation aggregation,
                              Memory& memory) const {
  const Encoding& encoding = *window.encoding;
  memory.units.clear();
  memory.unit_scores.clear();
  for (size_t token = 0; token < encoding.ids.size(); ++token) {
    if (encoding.special_tokens_mask[token] != 0) continue;
    Softmax(window.logits.subspan(token * labels_.size(), labels_.size()), memory.scores);
    const Span& bytes = encoding.offsets[token];
    const Span& chars = encoding.char_offsets[token];
    if (!IsByWords(aggregation) || memory.units.empty() || !ContinuesWord(text, encoding, token)) {
      const size_t best = Best(memory.scores);
      memory.units.push_back({best, bytes, chars});
      memory.unit_scores.push_back(memory.scores[best]);
      if (aggregation == Aggregation::kAverage) memory.word.Start(memory.scores);
      continue;
    }
    Labelled& word = memory.units.back();
    word.bytes = Cover(word.bytes, bytes);
    word.chars = Cover(word.chars, chars);
    if (aggregation == Aggregation::kFirst) continue;
    if (aggregation == Aggregation::kAverage) {
      memory.word.Add(memory.scores);
      memory.word.Means(memory.scores);
    }
    const size_t best = Best(memory.scores);
    float& score = memory.unit_scores.back();
    if (aggregation == Aggregation::kMax && memory.scores[best] <= score) continue;
    word.label = best;
    score = memory.scores[best];
  }
}

bool EntityTagger::ContinuesWord(absl::string_view text, const Encoding& encoding, size_t token) const {
  const int32_t id = encoding.ids[token];
  if (id == unknown_id_) return false;
  if (prefix_tells_words_) {
    const Span& chars = encoding.char_offsets[token];
    return tokenizer::CountCodePoints(tokenizer_.IdToToken(id).value_or("")) != chars.end - chars.begin;
  }
  const size_t begin = encoding.offsets[token].begin;
  return begin > 0 && text[begin - 1] != ' ' && (begin == text.size() || text[begin] != ' ');
}

bool EntityTagger::ContinuesEntity(const Labelled& unit, const Labelled& next) const {
  const Label& label = labels_[next.label];
  return !label.begins_entity && label.tag == labels_[unit.label].tag;
}

}  // namespace bertha::models
