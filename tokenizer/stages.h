// The stages of the pipeline: normalize -> split into words -> model -> post-process (post_processor.h).
// What more than one file needs to know of them; a pre-tokenizer's text is in pre_tokenized.h.
//
// A stage is built from its section of tokenizer.json by the table in components.cc. To add one: a new file with a
// Make function, and one line in that table.
// Thread-safety: stages are immutable; what a call needs to write is in its arguments.
// All text is valid UTF-8: Encode has checked it, and stages keep it so.
#ifndef BERTHA_TOKENIZER_STAGES_H_
#define BERTHA_TOKENIZER_STAGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/alignment.h"
#include "tokenizer/byte_pair_scratch.h"
#include "tokenizer/canonical_order.h"
#include "tokenizer/pre_tokenized.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace bertha::tokenizer {

/// Working memory of normalizers, kept by the caller between calls.
struct NormalizerScratch {
  CanonicalOrder marks;
  // Only where an alignment is asked for: what the marks of the current run come from, and the character before them.
  std::vector<ByteRange> mark_sources;
  ByteRange base_source = {0, 0};
  // Of a sequence of normalizers: the text that the next one reads, the alignment of one step, and of all so far.
  std::string between;
  Alignment step, composed;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// Replaces the content of `out`, and of `alignment`, which may be null: it is only filled in on request. Returns
  /// false if the text stays as it is; `out` and `alignment` are unspecified then.
  virtual bool Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                         Alignment* alignment) const = 0;
  /// The most bytes that the file makes of one: 1 where Unicode decides that and not the file.
  virtual double growth() const { return 1; }
};

/// What a model's tokens are made of.
enum class TextUnit { kCharacters, kBytes };

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// What it cuts text into. A model of bytes needs a pre-tokenizer of bytes, and only that model can follow it.
  virtual TextUnit unit() const { return TextUnit::kCharacters; }
  /// Cuts the words of `text` into smaller ones, and may change their text.
  virtual void PreTokenize(PreTokenized& text) const = 0;
};

/// A pre-tokenizer that changes no text.
class Splitter : public PreTokenizer {
 public:
  /// Appends the words of the part `part` of `text`, in order, none of them empty.
  virtual void Split(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words) const = 0;

  void PreTokenize(PreTokenized& text) const final;
};

/// Of a Unigram model: the token that ends at a place of a word, on the best path to there.
struct UnigramNode {
  double score = 0;  ///< of the whole path
  int32_t id = 0;
  uint32_t size = 0;  ///< bytes; 0: no token
};

/// Working memory of models, kept by the caller between calls, and used with whatever model comes.
struct ModelScratch {
  WordCache words;
  std::vector<WordToken> tokens;  // of the word at work
  BytePairScratch byte_pairs;
  std::vector<UnigramNode> unigram_nodes;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual TextUnit unit() const { return TextUnit::kCharacters; }
  /// Appends the ids of each word of `text`, and to `ranges`, unless it is null, the part of `text` of each of them.
  /// A range lies in its word and consists of whole characters: ranges overlap where tokens share a character.
  virtual void Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch& scratch,
                        std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const = 0;
  /// The text of the token `id`, which the model made of `piece`.
  virtual absl::string_view TokenText(int32_t id, absl::string_view /*piece*/) const {
    return vocabulary().TextOf(id).value_or(absl::string_view());
  }
  virtual const Vocabulary& vocabulary() const = 0;
  /// See Tokenizer.
  virtual absl::string_view continuing_subword_prefix() const { return {}; }
  virtual std::optional<int32_t> unknown_id() const { return std::nullopt; }
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_STAGES_H_
