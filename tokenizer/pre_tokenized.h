// A section of text on its way through the pre-tokenizers: cut into words, and rewritten by those that change text.
//
// A pre-tokenizer reads `text` and `words`, fills in the members next_..., and says so with one of the Take functions.
// Thread-safety: none; one object per thread. Keeps its capacity.
// Source: Hugging Face `tokenizers`, PreTokenizedString.
#ifndef BERTHA_TOKENIZER_PRE_TOKENIZED_H_
#define BERTHA_TOKENIZER_PRE_TOKENIZED_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/alignment.h"

namespace bertha::tokenizer {

class PreTokenized {
 public:
  /// `begins_text`: the section stands at the begin of the raw text.
  void Start(absl::string_view section, bool begins_text, bool wants_alignment);

  absl::string_view text() const { return text_; }
  /// Parts of text(), in order, not empty.
  const std::vector<ByteRange>& words() const { return words_; }
  bool begins_text() const { return begins_text_; }
  /// Whether TakeText wants next_alignment.
  bool wants_alignment() const { return wants_alignment_; }
  /// Of text(), back to the section; null while that is the same text. Only if wants_alignment().
  const Alignment* alignment() const { return rewritten_ ? &alignment_ : nullptr; }

  // What the pre-tokenizer at work makes of it. Empty when it begins.
  std::vector<ByteRange> next_words;
  std::string next_text;
  Alignment next_alignment;  // of next_text, back to text()

  /// The words are next_words, of the same text.
  void TakeWords();
  /// The words are next_words, which are parts of next_text.
  void TakeText();

 private:
  absl::string_view text_;
  std::vector<ByteRange> words_;
  bool begins_text_ = false, wants_alignment_ = false, rewritten_ = false;
  std::string own_text_;
  Alignment alignment_, composed_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_PRE_TOKENIZED_H_
