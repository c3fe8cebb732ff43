// Post-processing: puts the special tokens around one or two texts and gives every token its type id.
//
// Every post-processor of tokenizer.json comes down to two templates, for one text and for a pair, and to what it takes
// away from the spans of tokens first; this class applies them, and one Make function per JSON type fills them in.
// Thread-safety: immutable.
// Invariant: the template for one text does not use the second.
#ifndef BERTHA_TOKENIZER_POST_PROCESSOR_H_
#define BERTHA_TOKENIZER_POST_PROCESSOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokens.h"
#include "tokenizer/trim_offsets.h"

namespace bertha::tokenizer {

/// One step of a template: a special token, or all the tokens of a text.
struct TemplatePiece {
  enum class Kind { kSpecial, kFirst, kSecond };
  Kind kind;
  int32_t type_id;
  int32_t id = 0;                ///< of a special token
  int32_t overflow_type_id = 0;  ///< of a text: type of its overflow windows, which the reference library may forget
  std::string token = {};        ///< of a special token: its text

  static TemplatePiece Special(int32_t id, std::string token, int32_t type_id) {
    return {Kind::kSpecial, type_id, id, 0, std::move(token)};
  }
  static TemplatePiece First(int32_t type_id, int32_t overflow_type_id = 0) {
    return {Kind::kFirst, type_id, 0, overflow_type_id};
  }
  static TemplatePiece Second(int32_t type_id, int32_t overflow_type_id = 1) {
    return {Kind::kSecond, type_id, 0, overflow_type_id};
  }
};

using Template = std::vector<TemplatePiece>;

/// The special token of a member such as `"sep": ["[SEP]", 102]`, of type 0.
absl::StatusOr<TemplatePiece> ReadSpecialPiece(const JsonValue& json, absl::string_view key);
/// What the members `trim_offsets` and `add_prefix_space` say: one trim, or none.
absl::StatusOr<std::vector<OffsetTrim>> ReadOffsetTrims(const JsonValue& json);

/// Tokens [begin, end) of a text.
struct TokenRange {
  const Tokens& tokens;
  size_t begin, end;
  bool is_overflow = false;  ///< not the window that truncation leaves
};

class PostProcessor {
 public:
  PostProcessor(Template single, Template pair, std::vector<OffsetTrim> trims = {})
      : single_(std::move(single)), pair_(std::move(pair)), trims_(std::move(trims)) {}

  /// Without special tokens: the first text has type 0, the second type 1.
  static PostProcessor Plain() {
    return {{TemplatePiece::First(0)}, {TemplatePiece::First(0), TemplatePiece::Second(1)}};
  }

  /// The same templates, applied after these trims.
  PostProcessor WithTrims(std::vector<OffsetTrim> trims) const { return {single_, pair_, std::move(trims)}; }

  /// In the order in which they are applied.
  const std::vector<OffsetTrim>& trims() const { return trims_; }
  size_t SpecialTokens(bool is_pair) const;
  /// Whether the template for a pair has the second text before the first.
  bool SecondComesFirst() const;
  /// The first special token that the template for a pair has exactly once.
  std::optional<int32_t> IdOncePerPair() const;
  /// The largest id of a special token, or -1.
  int32_t LargestId() const;
  /// Tokens of the result for texts of so many tokens.
  size_t Length(size_t first, size_t second, bool is_pair) const;
  /// Replaces everything in `out` but full_length, by what `options` ask for.
  void Apply(const TokenRange& first, const TokenRange& second, bool is_pair, const EncodeOptions& options,
             Encoding& out) const;

 private:
  const Template& For(bool is_pair) const { return is_pair ? pair_ : single_; }
  void Trim(const TokenRange& range, const EncodeOptions& options, Encoding& out) const;

  Template single_, pair_;
  std::vector<OffsetTrim> trims_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_POST_PROCESSOR_H_
