// The output of a normalizer that goes through its text once: what stays as it is is copied, the rest is replaced.
//
// Thread-safety: none; lives as long as one call of Normalize.
#ifndef BERTHA_TOKENIZER_NORMALIZED_TEXT_H_
#define BERTHA_TOKENIZER_NORMALIZED_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "tokenizer/alignment.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

class NormalizedText {
 public:
  /// Clears `out`, and `alignment`, which may be null.
  NormalizedText(absl::string_view source, std::string& out, Alignment* alignment)
      : source_(source), out_(out), alignment_(alignment) {
    out_.clear();
    if (alignment_ != nullptr) alignment_->Clear();
  }

  bool is_aligned() const { return alignment_ != nullptr; }

  /// Appends a part of the source.
  void Copy(const ByteRange& range) {
    if (range.begin != range.end) Append(range.of(source_), range);
  }

  /// Appends characters that all come from `from`, one character of the source; or, if they have the size of `from`,
  /// each from the one in its place.
  void Append(absl::string_view characters, const ByteRange& from) {
    const size_t begin = out_.size();
    out_.append(characters.data(), characters.size());
    if (alignment_ != nullptr) alignment_->Append({begin, out_.size()}, from);
  }

  void Append(char32_t cp, const ByteRange& from) {
    const size_t begin = out_.size();
    AppendUtf8(cp, &out_);
    if (alignment_ != nullptr) alignment_->Append({begin, out_.size()}, from);
  }

 private:
  const absl::string_view source_;
  std::string& out_;
  Alignment* const alignment_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_NORMALIZED_TEXT_H_
