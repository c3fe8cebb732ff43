// Logits of a token classifier into entities. Pure: no tensors, no wire.
//
// The strategies as `transformers` TokenClassificationPipeline names and defines them; its results are followed to the
// order of equal ones. Scores are softmax probabilities in float32, added up as numpy adds them.
// Thread-safety: EntityTagger is immutable.
// Source: Hugging Face `transformers` 4.57, pipelines/token_classification.py.
#ifndef BERTHA_MODELS_TASKS_TOKEN_CLASSIFICATION_H_
#define BERTHA_MODELS_TASKS_TOKEN_CLASSIFICATION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

/// How tokens become entities: B-X and I-X tokens of one kind X in a row are one entity of it.
///
/// What is a word depends on the tokenizer. With a prefix for what continues a word (WordPiece's "##"), a token whose
/// text is as long as what it stands for begins one; so does an unknown token. Without, a word begins after a space, so
/// that punctuation belongs to the word before it.
enum class Aggregation {
  kNone,     ///< each token by itself, with its whole label
  kSimple,   ///< neighbouring tokens of one kind; the score is the mean of the tokens'
  kFirst,    ///< words first: a word has the label of its first token
  kAverage,  ///< a word has the label with the largest mean score over its tokens
  kMax,      ///< a word has the label of its token with the largest score
};

struct Entity {
  /// kNone: the whole label, e.g. "B-DISH". Else the kind, which is what follows the first hyphen: "DISH".
  absl::string_view label;
  float score = 0;
  /// Where it stands in the text, in UTF-8 bytes and in code points.
  tokenizer::Span bytes, chars;
};

/// A part of the text with what the model said about it: all of a text, or one of its windows.
struct TaggedWindow {
  /// Encoded with special_tokens_mask, offsets and char_offsets.
  const tokenizer::Encoding* encoding = nullptr;
  /// [tokens, labels], finite.
  std::span<const float> logits;
};

/// What the strategies need to know of the model; made once.
class EntityTagger {
 public:
  /// Both outlive this. `labels`: at least one.
  EntityTagger(const std::vector<std::string>& labels, const tokenizer::Tokenizer& tokenizer);

  /// Replaces the content of `entities` by those of `text`, in its order. What is "O" is no entity: for kNone the
  /// label, else the kind, so that "B-O" is none either. Entities of several windows that overlap: the longer one
  /// stays, of equally long ones that of the better score, as the pipeline has it for `stride`; it does not know that
  /// for kNone, where of tokens that share characters one is left. Labels are views into the model's. Allocates a few
  /// times for each call, not for each token.
  void Tag(absl::string_view text, std::span<const TaggedWindow> windows, Aggregation aggregation,
           std::vector<Entity>& entities) const;

 private:
  struct Label {
    absl::string_view name;
    absl::string_view kind;  ///< what an entity of it is called: all behind the first hyphen
    absl::string_view tag;   ///< what makes it equal to its neighbour: all behind "B-" or "I-"
    bool begins_entity;      ///< "B-": it does not continue the entity before it
  };
  /// Tokens or words of a window with the labels that they got.
  struct Labelled {
    size_t label;
    tokenizer::Span bytes, chars;
  };
  struct Memory;

  void TagWindow(absl::string_view text, const TaggedWindow& window, Aggregation aggregation, Memory& memory,
                 std::vector<Entity>& entities) const;
  void LabelUnits(absl::string_view text, const TaggedWindow& window, Aggregation aggregation, Memory& memory) const;
  bool ContinuesWord(absl::string_view text, const tokenizer::Encoding& encoding, size_t token) const;
  bool ContinuesEntity(const Labelled& unit, const Labelled& next) const;

  std::vector<Label> labels_;
  const tokenizer::Tokenizer& tokenizer_;
  const bool prefix_tells_words_;
  const std::optional<int32_t> unknown_id_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_TOKEN_CLASSIFICATION_H_
