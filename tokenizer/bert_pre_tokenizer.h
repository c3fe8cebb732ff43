// BertPreTokenizer: words end at white space, which is dropped; each punctuation character is a word of its own.
//
// Thread-safety: immutable.
// Source: google-research/bert, tokenization.py, BasicTokenizer; punctuation is that of Unicode 8 and all ASCII
// symbols.
#ifndef BERTHA_TOKENIZER_BERT_PRE_TOKENIZER_H_
#define BERTHA_TOKENIZER_BERT_PRE_TOKENIZER_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class BertPreTokenizer final : public Splitter {
 public:
  void Split(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words) const override;

  /// The same result without the fast path for ASCII letters and digits.
  void SplitPlainly(absl::string_view text, const ByteRange& part, std::vector<ByteRange>& words) const;
};

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeBertPreTokenizer(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BERT_PRE_TOKENIZER_H_
