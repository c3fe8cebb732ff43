// BertNormalizer: cleans text, puts spaces around CJK ideographs, strips accents, makes lower case; in this order.
//
// Thread-safety: immutable.
// Source: google-research/bert, tokenization.py, BasicTokenizer, as Hugging Face `tokenizers` reads it: accents are the
// nonspacing marks that are left after canonical decomposition (NFD), and decomposition happens only together with
// stripping. The four steps run as one pass over the code points, which gives the same result because each of them
// looks at one code point at a time, except for the order of marks, which CanonicalOrder restores.
#ifndef BERTHA_TOKENIZER_BERT_NORMALIZER_H_
#define BERTHA_TOKENIZER_BERT_NORMALIZER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class BertNormalizer final : public Normalizer {
 public:
  struct Options {
    bool clean_text = true;
    bool handle_chinese_chars = true;
    bool strip_accents = true;
    bool lowercase = true;
  };

  explicit BertNormalizer(const Options& options);

  bool Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                 Alignment* alignment) const override;

  /// The same result without the fast paths for ASCII and for characters that stay as they are.
  void NormalizePlainly(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                        Alignment* alignment) const;

 private:
  /// What a call writes, and where it is.
  struct Output {
    NormalizerScratch& scratch;
    std::string& text;
    Alignment* alignment;       // null: not asked for
    ByteRange source = {0, 0};  // the character that is being normalized

    void Clear();
    void Append(char32_t cp, const ByteRange& from);
    void AppendCopy(absl::string_view from, const ByteRange& range);
  };

  static size_t EndOfUnchanged(absl::string_view text, size_t at);
  void AppendNext(absl::string_view text, size_t* at, Output& out) const;
  void Append(char32_t cp, Output& out) const;
  void AppendCleaned(char32_t cp, uint8_t cls, Output& out) const;
  void AppendDecomposed(char32_t cp, Output& out) const;
  void AppendPart(char32_t part, bool is_first, Output& out) const;
  void AppendLowercased(char32_t cp, const ByteRange& source, Output& out) const;
  void FlushMarks(Output& out) const;
  size_t AppendAscii(absl::string_view text, size_t at, Output& out) const;
  void AlignAscii(absl::string_view text, ByteRange source, ByteRange normalized, Alignment& alignment) const;

  const Options options_;
  static constexpr int16_t kNothing = -1;
  std::array<int16_t, 128> ascii_;  // what each ASCII character becomes: one of them, or kNothing
};

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeBertNormalizer(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BERT_NORMALIZER_H_
