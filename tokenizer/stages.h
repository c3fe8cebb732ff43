// The stages of the pipeline: normalize -> split into words -> model -> post-process (post_processor.h).
//
// A stage is built from its section of tokenizer.json by the table in components.cc. To add one: a new file with a
// Make function, and one line in that table.
// Thread-safety: stages are immutable; what a call needs to write is in its arguments.
// All text is valid UTF-8: Encode has checked it, and stages keep it so.
#ifndef BERTHA_TOKENIZER_STAGES_H_
#define BERTHA_TOKENIZER_STAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/alignment.h"
#include "tokenizer/canonical_order.h"
#include "tokenizer/vocabulary.h"

namespace bertha::tokenizer {

/// Working memory of normalizers, kept by the caller between calls.
struct NormalizerScratch {
  CanonicalOrder marks;
  // Only where an alignment is asked for: what the marks of the current run come from, and the character before them.
  std::vector<ByteRange> mark_sources;
  ByteRange base_source = {0, 0};
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// Replaces the content of `out`, and of `alignment`, which may be null: it is only filled in on request.
  virtual void Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                         Alignment* alignment) const = 0;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// Replaces the content of `words` by the words of `text`, in order, none of them empty.
  virtual void Split(absl::string_view text, std::vector<ByteRange>& words) const = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  /// Appends the ids of each word of `text`, and to `ranges`, unless it is null, the part of `text` of each of them.
  /// A range lies in its word.
  virtual void Tokenize(absl::string_view text, const std::vector<ByteRange>& words, std::vector<int32_t>& ids,
                        std::vector<ByteRange>* ranges) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_STAGES_H_
