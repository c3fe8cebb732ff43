// Text to token ids, exactly as Hugging Face `tokenizers` produces them from the same tokenizer.json.
//
// Thread-safety: a Tokenizer is immutable after construction; any number of threads may call its const methods at once,
// each with a Scratch and an Encoding of its own.
// Memory: Encode writes only into Scratch and Encoding, which keep their capacity: in the steady state a call allocates
// nothing.
#ifndef BERTHA_TOKENIZER_TOKENIZER_H_
#define BERTHA_TOKENIZER_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// Which end of an over-long text loses tokens.
enum class TruncationSide { kRight, kLeft };

/// Which text of an over-long pair loses tokens: the longer one until both are equally long and then both in turn, or
/// just one of them, which then must be long enough. A single text is the first.
enum class TruncationStrategy { kLongestFirst, kOnlyFirst, kOnlySecond };

struct EncodeOptions {
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  /// Most tokens in the result, special tokens included. A limit smaller than the number of special tokens does not
  /// truncate at all (as in the reference library).
  size_t max_length = kNoLimit;
  TruncationSide truncation_side = TruncationSide::kRight;
  TruncationStrategy truncation_strategy = TruncationStrategy::kLongestFirst;
  /// Tokens of a text that each window of EncodeWithOverflow has in common with the one before. The number of windows,
  /// and with it time and memory, grows with 1 / (tokens left of the text - stride); for a pair it is the product of
  /// the numbers for the two texts.
  size_t stride = 0;
  /// Limit for that: EncodeWithOverflow makes no windows of together more than so many tokens, but fails.
  size_t max_overflow_tokens = kNoLimit;

  /// What an Encoding holds besides ids and type ids. What is not asked for is empty and costs nothing; all of it takes
  /// about 1.2 to 1.4 times the time.
  bool special_tokens_mask = false;
  bool offsets = false;
  bool char_offsets = false;
  bool word_ids = false;
  bool sequence_ids = false;
  /// For people and comparisons: allocates a string per token.
  bool tokens = false;
};

/// How a tokenizer.json asks for short encodings of a batch to be filled up. Encode fills nothing up: engines do, or
/// need not.
struct Padding {
  int32_t id = 0, type_id = 0;
  std::string token;
  bool left = false;
  /// Tokens that every encoding shall have at least. Absent: as many as the longest of the batch.
  std::optional<size_t> fixed_length;
  /// Lengths are rounded up to a multiple of this; 0: they are not.
  size_t multiple_of = 0;
};

/// Half-open range of a text.
struct Span {
  size_t begin, end;

  friend bool operator==(const Span& a, const Span& b) { return a.begin == b.begin && a.end == b.end; }
};

/// The result of Encode. Vectors have one entry per token, special tokens included.
struct Encoding {
  std::vector<int32_t> ids;
  /// Segment of each token: 0 for the first text and its special tokens, 1 for the second (BERT).
  std::vector<int32_t> type_ids;
  /// 1 for the special tokens around the texts, 0 for the rest: also for special tokens that a text itself spells out.
  std::vector<int32_t> special_tokens_mask;
  /// Where each token stands in its text, in UTF-8 bytes; {0, 0} for the special tokens around the texts. Characters
  /// that normalization adds stand where those stand that they were made from, so that spans may overlap.
  std::vector<Span> offsets;
  /// The same in code points.
  std::vector<Span> char_offsets;
  /// Number of each token's word in its text, from 0; -1 for the special tokens around the texts.
  std::vector<int32_t> word_ids;
  /// Which text each token is of, 0 or 1; -1 for the special tokens around the texts.
  std::vector<int32_t> sequence_ids;
  /// Text of each token as the model sees it: usually that of its id, but of an unknown part of a word what a Unigram
  /// model found there, and of an added token what stood in the text, white space that it takes along included.
  std::vector<std::string> tokens;
  /// Tokens before truncation, special tokens included; `ids.size() < full_length` means that some were cut off.
  size_t full_length = 0;

  bool truncated() const { return ids.size() < full_length; }
};

/// Encodings one after another. Keeps the memory of those that it no longer holds, for those that come.
class EncodingList {
 public:
  size_t size() const { return size_; }
  const Encoding& operator[](size_t i) const { return slots_[i]; }

  void Clear() { size_ = 0; }
  /// Adds one more, whose content is left over from earlier. References to the others may become invalid.
  Encoding& Add() {
    if (size_ == slots_.size()) slots_.emplace_back();
    return slots_[size_++];
  }

 private:
  std::vector<Encoding> slots_;
  size_t size_ = 0;
};

/// Working memory of one thread; opaque, reusable with any Tokenizer.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Builds a tokenizer from the text of a tokenizer.json. INVALID_ARGUMENT names the JSON path of what is broken;
  /// UNIMPLEMENTED names a component that this library does not know.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromJson(absl::string_view json);
  /// The same from a tokenizer.json, from the vocabulary files that came before it (vocab.txt, vocab.json with
  /// merges.txt, spiece.model), or from a folder with one of these: see tokenizer_files.h. NOT_FOUND if it cannot be
  /// read; INVALID_ARGUMENT also if it is beyond 64 MiB.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromFile(const std::string& path);

  /// Tokenizes one text, or a pair, into `out` (its former content is replaced).
  /// INVALID_ARGUMENT with the byte offset if a text is not UTF-8, or if it cannot be truncated as the options say;
  /// `out` is then unspecified.
  virtual absl::Status Encode(absl::string_view text, std::optional<absl::string_view> pair,
                              const EncodeOptions& options, Scratch& scratch, Encoding& out) const = 0;

  /// The same, and in `overflow` what was cut off: for each text the windows after the one in `out`, with `stride`
  /// tokens in common; for a pair each window of the first text with each of the second. Each has its special tokens
  /// and the same full_length. OUT_OF_RANGE if that is more than `max_overflow_tokens`.
  virtual absl::Status EncodeWithOverflow(absl::string_view text, std::optional<absl::string_view> pair,
                                          const EncodeOptions& options, Scratch& scratch, Encoding& out,
                                          EncodingList& overflow) const;

  /// Number of ids: the largest id + 1, added tokens included.
  virtual size_t vocab_size() const = 0;
  /// Id of a token's text, or nullopt.
  virtual std::optional<int32_t> TokenToId(absl::string_view token) const = 0;
  /// Text of an id, or nullopt if no token has it.
  virtual std::optional<absl::string_view> IdToToken(int32_t id) const = 0;

  /// What a token that continues a word begins with ("##"); empty if tokens do not tell. A view into the tokenizer.
  virtual absl::string_view continuing_subword_prefix() const { return {}; }
  /// The token of what the vocabulary cannot spell. Of a model that spells everything: <unk>, if there is such a token,
  /// which a text can only spell out.
  virtual std::optional<int32_t> unknown_id() const { return std::nullopt; }
  /// The special token that stands for the whole input ([CLS], <s>, <cls>): the first one that a pair gets exactly
  /// once; separators come once for each text. tokenizer.json has no name for it.
  virtual std::optional<int32_t> cls_id() const { return std::nullopt; }

  /// What the file says about truncation (max_length, side, strategy and stride) and about padding, if it does. Only a
  /// wish: Encode does as its options say, whatever the file says.
  virtual std::optional<EncodeOptions> truncation() const { return std::nullopt; }
  virtual std::optional<Padding> padding() const { return std::nullopt; }
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TOKENIZER_H_
