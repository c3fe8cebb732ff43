#include "tokenizer/pipeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/components.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/truncation.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

absl::Status CheckVersion(const JsonValue& json) {
  const std::optional<JsonValue> version = json.Find("version");
  if (!version) return absl::OkStatus();
  TOKENIZER_ASSIGN_OR_RETURN(const std::string name, version->AsString());
  if (name != "1.0") return version->Unknown(absl::StrCat(Quoted(name), " is not supported; known here: 1.0"));
  return absl::OkStatus();
}

/// Truncation and padding are the caller's business (EncodeOptions); a file that spells them wrongly is still broken.
absl::Status CheckTruncationAndPadding(const JsonValue& json) {
  if (const auto truncation = json.Find("truncation")) {
    size_t number = 0;
    std::string strategy;
    TOKENIZER_RETURN_IF_ERROR(truncation->Read("max_length", &number));
    TOKENIZER_RETURN_IF_ERROR(truncation->Read("stride", &number));
    TOKENIZER_RETURN_IF_ERROR(truncation->Read("strategy", &strategy));
  }
  if (const auto padding = json.Find("padding")) {
    int32_t id = 0;
    std::string token;
    TOKENIZER_RETURN_IF_ERROR(padding->ReadId("pad_id", &id));
    TOKENIZER_RETURN_IF_ERROR(padding->ReadId("pad_type_id", &id));
    TOKENIZER_RETURN_IF_ERROR(padding->Read("pad_token", &token));
  }
  return absl::OkStatus();
}

absl::Status CheckUtf8(absl::string_view name, absl::string_view text) {
  const size_t at = FindInvalidUtf8(text);
  if (at == absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": invalid UTF-8 at byte ", at));
}

/// The `count` ids that truncation leaves.
IdRange Keep(const std::vector<int32_t>& ids, size_t count, TruncationSide side) {
  return {ids.data() + (side == TruncationSide::kLeft ? ids.size() - count : 0), count};
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Pipeline::FromJson(const JsonValue& json) {
  if (!json.is_object()) return json.Invalid("must be an object");
  TOKENIZER_RETURN_IF_ERROR(CheckVersion(json));
  TOKENIZER_RETURN_IF_ERROR(CheckTruncationAndPadding(json));
  TOKENIZER_ASSIGN_OR_RETURN(Stages stages, MakeStages(json));
  TOKENIZER_ASSIGN_OR_RETURN(
      AddedTokens added,
      AddedTokens::FromJson(json.Find("added_tokens"), stages.model->vocabulary(), stages.normalizer.get()));
  std::unique_ptr<const Pipeline> pipeline(new Pipeline(std::move(stages), std::move(added)));
  TOKENIZER_RETURN_IF_ERROR(pipeline->CheckSpecialIds(json));
  return pipeline;
}

absl::StatusOr<Pipeline::Stages> Pipeline::MakeStages(const JsonValue& json) {
  Stages stages;
  if (const auto normalizer = json.Find("normalizer")) {
    TOKENIZER_ASSIGN_OR_RETURN(stages.normalizer, MakeNormalizer(*normalizer));
  }
  if (const auto pre_tokenizer = json.Find("pre_tokenizer")) {
    TOKENIZER_ASSIGN_OR_RETURN(stages.pre_tokenizer, MakePreTokenizer(*pre_tokenizer));
  }
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue model, json.Get("model"));
  TOKENIZER_ASSIGN_OR_RETURN(stages.model, MakeModel(model));
  if (const auto post_processor = json.Find("post_processor")) {
    TOKENIZER_ASSIGN_OR_RETURN(stages.post_processor, MakePostProcessor(*post_processor));
  }
  return stages;
}

absl::Status Pipeline::CheckSpecialIds(const JsonValue& json) const {
  const int64_t largest = stages_.post_processor.LargestId();
  if (largest < static_cast<int64_t>(vocab_size())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(json.path(), ".post_processor: no token has id ", largest, "; ids end at ", vocab_size()));
}

absl::Status Pipeline::Encode(absl::string_view text, std::optional<absl::string_view> pair,
                              const EncodeOptions& options, Scratch& scratch, Encoding& out) const {
  TOKENIZER_RETURN_IF_ERROR(CheckUtf8("text", text));
  if (pair) TOKENIZER_RETURN_IF_ERROR(CheckUtf8("text_pair", *pair));
  Scratch::Impl& memory = scratch.impl();
  Tokenize(text, memory, memory.first);
  memory.second.clear();
  if (pair) Tokenize(*pair, memory, memory.second);
  TruncateAndFinish(options, pair.has_value(), memory, out);
  return absl::OkStatus();
}

void Pipeline::Tokenize(absl::string_view text, Scratch::Impl& scratch, std::vector<int32_t>& ids) const {
  ids.clear();
  added_.in_raw_text().Split(text, scratch.raw_sections);
  for (const Section& section : scratch.raw_sections) {
    if (section.id == Section::kText) {
      TokenizeSection(section.range.of(text), scratch, ids);
    } else {
      ids.push_back(section.id);
    }
  }
}

void Pipeline::TokenizeSection(absl::string_view text, Scratch::Impl& scratch, std::vector<int32_t>& ids) const {
  if (stages_.normalizer != nullptr) {
    stages_.normalizer->Normalize(text, scratch.normalizer, scratch.normalized);
    text = scratch.normalized;
  }
  added_.in_normalized_text().Split(text, scratch.sections);
  for (const Section& section : scratch.sections) {
    if (section.id == Section::kText) {
      TokenizeNormalized(section.range.of(text), scratch, ids);
    } else {
      ids.push_back(section.id);
    }
  }
}

void Pipeline::TokenizeNormalized(absl::string_view text, Scratch::Impl& scratch, std::vector<int32_t>& ids) const {
  if (stages_.pre_tokenizer != nullptr) {
    stages_.pre_tokenizer->Split(text, scratch.words);
  } else {
    scratch.words.assign(1, {0, text.size()});
  }
  stages_.model->Tokenize(text, scratch.words, ids);
}

void Pipeline::TruncateAndFinish(const EncodeOptions& options, bool is_pair, const Scratch::Impl& scratch,
                                 Encoding& out) const {
  Lengths kept = {scratch.first.size(), scratch.second.size()};
  const size_t specials = stages_.post_processor.SpecialTokens(is_pair);
  out.full_length = stages_.post_processor.Length(kept.first, kept.second, is_pair);
  if (options.max_length != 0 && options.max_length >= specials) {
    kept = is_pair ? TruncateLongestFirst(kept, options.max_length - specials)
                   : Lengths{std::min(kept.first, options.max_length - specials), 0};
  }
  stages_.post_processor.Apply(Keep(scratch.first, kept.first, options.truncation_side),
                               Keep(scratch.second, kept.second, options.truncation_side), is_pair, out);
}

size_t Pipeline::vocab_size() const { return std::max(stages_.model->vocabulary().id_limit(), added_.id_limit()); }

std::optional<int32_t> Pipeline::TokenToId(absl::string_view token) const {
  const std::optional<int32_t> added = added_.Find(token);
  return added ? added : stages_.model->vocabulary().Find(token);
}

std::optional<absl::string_view> Pipeline::IdToToken(int32_t id) const {
  const std::optional<absl::string_view> added = added_.TextOf(id);
  return added ? added : stages_.model->vocabulary().TextOf(id);
}

}  // namespace bertha::tokenizer
