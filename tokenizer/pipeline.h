// The tokenizer of one tokenizer.json: added tokens, and the stages in order.
//
// Thread-safety: immutable.
#ifndef BERTHA_TOKENIZER_PIPELINE_H_
#define BERTHA_TOKENIZER_PIPELINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/scratch.h"
#include "tokenizer/stages.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/truncation.h"

namespace bertha::tokenizer {

class Pipeline final : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromJson(const JsonValue& json);

  absl::Status Encode(absl::string_view text, std::optional<absl::string_view> pair, const EncodeOptions& options,
                      Scratch& scratch, Encoding& out) const override;
  absl::Status EncodeWithOverflow(absl::string_view text, std::optional<absl::string_view> pair,
                                  const EncodeOptions& options, Scratch& scratch, Encoding& out,
                                  EncodingList& overflow) const override;
  size_t vocab_size() const override;
  std::optional<int32_t> TokenToId(absl::string_view token) const override;
  std::optional<absl::string_view> IdToToken(int32_t id) const override;
  absl::string_view continuing_subword_prefix() const override { return stages_.model->continuing_subword_prefix(); }
  std::optional<int32_t> unknown_id() const override;
  std::optional<int32_t> cls_id() const override { return stages_.post_processor.IdOncePerPair(); }
  std::optional<EncodeOptions> truncation() const override { return truncation_; }
  std::optional<Padding> padding() const override { return padding_; }

 private:
  struct Stages {
    std::unique_ptr<const Normalizer> normalizer;       // null: text stays as it is
    std::unique_ptr<const PreTokenizer> pre_tokenizer;  // null: a section is one word
    std::unique_ptr<const Model> model;
    PostProcessor post_processor = PostProcessor::Plain();
  };

  Pipeline(Stages stages, AddedTokens added) : stages_(std::move(stages)), added_(std::move(added)) {}

  static absl::StatusOr<Stages> MakeStages(const JsonValue& json);
  absl::Status CheckSpecialIds(const JsonValue& json) const;

  absl::Status TokenizeAll(absl::string_view text, std::optional<absl::string_view> pair, const EncodeOptions& options,
                           Scratch::Impl& scratch) const;
  void Tokenize(absl::string_view text, const EncodeOptions& options, Scratch::Impl& scratch, Tokens& tokens) const;
  void TokenizeSection(absl::string_view text, const ByteRange& section, Scratch::Impl& scratch, Tokens& tokens) const;
  absl::string_view Normalize(absl::string_view text, Alignment* alignment, Scratch::Impl& scratch) const;
  void TokenizeNormalized(absl::string_view text, size_t begin, bool begins_text, Alignment::Reader& source,
                          Scratch::Impl& scratch, Tokens& tokens) const;
  void AddTexts(const Scratch::Impl& scratch, Tokens& tokens) const;
  absl::StatusOr<Lengths> TruncateAndFinish(const EncodeOptions& options, bool is_pair, const Scratch::Impl& scratch,
                                            Encoding& out) const;
  absl::Status CheckStride(const EncodeOptions& options) const;
  void AppendOverflow(const EncodeOptions& options, bool is_pair, Scratch::Impl& scratch, size_t full_length,
                      EncodingList& overflow) const;

  const Stages stages_;
  const AddedTokens added_;
  std::optional<EncodeOptions> truncation_;
  std::optional<Padding> padding_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_PIPELINE_H_
