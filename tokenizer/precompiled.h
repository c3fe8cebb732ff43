// Precompiled: the normalization rules that a sentencepiece model brings along, as a table of texts and replacements.
//
// A grapheme cluster of less than six bytes that starts with a text of the table becomes the replacement of the
// shortest such text as a whole: what follows in the cluster is lost. Other clusters go character by character.
// Thread-safety: immutable.
// Source: sentencepiece, normalizer.cc (the format: size of the trie in bytes, the trie, replacements that end in NUL),
// read as by Hugging Face `tokenizers`, normalizers::Precompiled, which differs from it in the clusters; the trie is a
// double array as darts-clone (S. Yata) stores it.
#ifndef BERTHA_TOKENIZER_PRECOMPILED_H_
#define BERTHA_TOKENIZER_PRECOMPILED_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/normalized_text.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class Precompiled final : public Normalizer {
 public:
  /// `charsmap`: the bytes, not in base64. INVALID_ARGUMENT if it refers beyond itself.
  static absl::StatusOr<std::unique_ptr<const Precompiled>> FromCharsmap(absl::string_view charsmap);

  bool Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                 Alignment* alignment) const override;

  double growth() const override { return static_cast<double>(longest_replacement_); }

  /// The same result without the fast path for stretches that stay as they are.
  bool NormalizePlainly(absl::string_view text, std::string& out, Alignment* alignment) const;

 private:
  class Output;

  /// Of darts-clone: where the children of a node are, what byte leads to it, whether a text ends there.
  class Unit {
   public:
    explicit Unit(uint32_t bits) : bits_(bits) {}
    bool has_value() const { return (bits_ >> 8 & 1) != 0; }
    uint32_t value() const { return bits_ & 0x7FFFFFFF; }
    uint32_t label() const { return bits_ & 0x800000FF; }
    uint32_t offset() const { return bits_ >> 10 << (bits_ >> 6 & 8); }

   private:
    uint32_t bits_;
  };

  Precompiled() = default;

  absl::Status Check() const;
  size_t SkipUnchanged(absl::string_view text, size_t at) const;
  std::optional<absl::string_view> Replacement(absl::string_view text) const;
  void AppendCluster(absl::string_view text, const ByteRange& cluster, Output& output) const;

  std::vector<Unit> units_;
  std::string replacements_;
  size_t longest_replacement_ = 1;
  std::array<bool, 128> ascii_changes_{};
};

/// {"type": "Precompiled", "precompiled_charsmap": base64}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakePrecompiled(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_PRECOMPILED_H_
