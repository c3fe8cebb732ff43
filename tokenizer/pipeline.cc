#include "tokenizer/pipeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/components.h"
#include "tokenizer/file_defaults.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/truncation.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

// Of a normalizer; a hundred times that of published files. Without it a small file could make short texts fill memory.
constexpr double kMostGrowth = 4096;

absl::Status CheckVersion(const JsonValue& json) {
  const std::optional<JsonValue> version = json.Find("version");
  if (!version) return absl::OkStatus();
  TOKENIZER_ASSIGN_OR_RETURN(const std::string name, version->AsString());
  if (name != "1.0") return version->Unknown(absl::StrCat(Quoted(name), " is not supported; known here: 1.0"));
  return absl::OkStatus();
}

absl::Status CheckUtf8(absl::string_view name, absl::string_view text) {
  const size_t at = FindInvalidUtf8(text);
  if (at == absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": invalid UTF-8 at byte ", at));
}

/// What ByteLevel makes of a text only BPE can read here, and that reads nothing else.
absl::Status CheckUnits(const JsonValue& json, const PreTokenizer* pre_tokenizer, const Model& model) {
  const TextUnit given = pre_tokenizer == nullptr ? TextUnit::kCharacters : pre_tokenizer->unit();
  if (given == model.unit()) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat(json.path(), ".pre_tokenizer: ",
                   given == TextUnit::kBytes ? "ByteLevel is supported with the model BPE only"
                                             : "the model BPE is supported with ByteLevel only, the last one if there "
                                               "are several"));
}

/// The `count` tokens that truncation leaves.
TokenRange Keep(const Tokens& tokens, size_t count, TruncationSide side) {
  const size_t size = tokens.ids.size();
  return side == TruncationSide::kLeft ? TokenRange{tokens, size - count, size} : TokenRange{tokens, 0, count};
}

absl::Status CheckOverflow(size_t windows, const EncodeOptions& options) {
  if (windows == 1 || windows <= options.max_overflow_tokens / std::max<size_t>(options.max_length, 1)) {
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(absl::StrCat("overflow: there would be ", windows, " windows of up to ",
                                            options.max_length, " tokens, and ", options.max_overflow_tokens,
                                            " tokens are the limit; raise max_length or lower stride"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Pipeline::FromJson(const JsonValue& json) {
  if (!json.is_object()) return json.Invalid("must be an object");
  TOKENIZER_RETURN_IF_ERROR(CheckVersion(json));
  TOKENIZER_ASSIGN_OR_RETURN(Stages stages, MakeStages(json));
  TOKENIZER_ASSIGN_OR_RETURN(
      AddedTokens added,
      AddedTokens::FromJson(json.Find("added_tokens"), stages.model->vocabulary(), stages.normalizer.get()));
  std::unique_ptr<Pipeline> pipeline(new Pipeline(std::move(stages), std::move(added)));
  if (const auto truncation = json.Find("truncation")) {
    TOKENIZER_ASSIGN_OR_RETURN(pipeline->truncation_, ReadTruncation(*truncation));
  }
  if (const auto padding = json.Find("padding")) {
    TOKENIZER_ASSIGN_OR_RETURN(pipeline->padding_, ReadPadding(*padding));
  }
  TOKENIZER_RETURN_IF_ERROR(pipeline->CheckSpecialIds(json));
  return pipeline;
}

absl::StatusOr<Pipeline::Stages> Pipeline::MakeStages(const JsonValue& json) {
  Stages stages;
  if (const auto normalizer = json.Find("normalizer")) {
    TOKENIZER_ASSIGN_OR_RETURN(stages.normalizer, MakeNormalizer(*normalizer));
    if (const double growth = stages.normalizer->growth(); growth > kMostGrowth) {
      return normalizer->Invalid(
          absl::StrCat("could make a text ", growth, " times as long; the limit is ", kMostGrowth));
    }
  }
  if (const auto pre_tokenizer = json.Find("pre_tokenizer")) {
    TOKENIZER_ASSIGN_OR_RETURN(stages.pre_tokenizer, MakePreTokenizer(*pre_tokenizer));
  }
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue model, json.Get("model"));
  TOKENIZER_ASSIGN_OR_RETURN(stages.model, MakeModel(model));
  TOKENIZER_RETURN_IF_ERROR(CheckUnits(json, stages.pre_tokenizer.get(), *stages.model));
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
  TOKENIZER_RETURN_IF_ERROR(TokenizeAll(text, pair, options, scratch.impl()));
  return TruncateAndFinish(options, pair.has_value(), scratch.impl(), out).status();
}

absl::Status Pipeline::EncodeWithOverflow(absl::string_view text, std::optional<absl::string_view> pair,
                                          const EncodeOptions& options, Scratch& scratch, Encoding& out,
                                          EncodingList& overflow) const {
  Scratch::Impl& memory = scratch.impl();
  TOKENIZER_RETURN_IF_ERROR(TokenizeAll(text, pair, options, memory));
  TOKENIZER_ASSIGN_OR_RETURN(const Lengths kept, TruncateAndFinish(options, pair.has_value(), memory, out));
  const TruncationSide side = options.truncation_side;
  MakeWindows(memory.first.ids.size(), kept.first, options.stride, side, memory.first_windows);
  MakeWindows(memory.second.ids.size(), kept.second, options.stride, side, memory.second_windows);
  TOKENIZER_RETURN_IF_ERROR(CheckOverflow(memory.first_windows.size() * memory.second_windows.size(), options));
  overflow.Clear();
  AppendOverflow(options, pair.has_value(), memory, out.full_length, overflow);
  return absl::OkStatus();
}

absl::Status Pipeline::TokenizeAll(absl::string_view text, std::optional<absl::string_view> pair,
                                   const EncodeOptions& options, Scratch::Impl& scratch) const {
  TOKENIZER_RETURN_IF_ERROR(CheckStride(options));
  TOKENIZER_RETURN_IF_ERROR(CheckUtf8("text", text));
  if (pair) TOKENIZER_RETURN_IF_ERROR(CheckUtf8("text_pair", *pair));
  const bool trims_offsets = !stages_.post_processor.trims().empty();
  scratch.first.Start(text, options, trims_offsets);
  scratch.second.Start(pair.value_or(absl::string_view()), options, trims_offsets);
  Tokenize(text, options, scratch, scratch.first);
  if (pair) Tokenize(*pair, options, scratch, scratch.second);
  return absl::OkStatus();
}

/// The reference library refuses a stride that a single text leaves no room for, whatever the text is.
absl::Status Pipeline::CheckStride(const EncodeOptions& options) const {
  const size_t specials = stages_.post_processor.SpecialTokens(false);
  if (options.max_length < specials) return absl::OkStatus();
  if (options.stride <= options.max_length - specials) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("stride ", options.stride, ": must be less than max_length ",
                                                 options.max_length, " without its ", specials, " special tokens"));
}

void Pipeline::Tokenize(absl::string_view text, const EncodeOptions& options, Scratch::Impl& scratch,
                        Tokens& tokens) const {
  added_.in_raw_text().Split(text, scratch.raw_sections);
  for (const Section& section : scratch.raw_sections) {
    if (section.id == Section::kText) {
      TokenizeSection(text, section.range, scratch, tokens);
    } else {
      tokens.AddWord(section.id, section.range.of(text), section.range);
    }
  }
  if (options.char_offsets) tokens.CountCharacters();
}

void Pipeline::TokenizeSection(absl::string_view text, const ByteRange& section, Scratch::Impl& scratch,
                               Tokens& tokens) const {
  const absl::string_view normalized =
      Normalize(section.of(text), tokens.wants_offsets ? &scratch.alignment : nullptr, scratch);
  Alignment::Reader source(scratch.alignment, section.begin);
  added_.in_normalized_text().Split(normalized, scratch.sections);
  size_t done = 0;
  for (const Section& part : scratch.sections) {
    if (part.id == Section::kText) {
      TokenizeNormalized(part.range.of(normalized), part.range.begin, section.begin == 0 && part.range.begin == 0,
                         source, scratch, tokens);
    } else {
      // A token that begins inside one before it: `source` is past it.
      const bool overlaps = part.range.begin < done;
      const auto source_of_token = [&] {
        return overlaps ? Alignment::Reader(scratch.alignment, section.begin).SourceOf(part.range)
                        : source.SourceOf(part.range);
      };
      tokens.AddWord(part.id, part.range.of(normalized), tokens.wants_offsets ? source_of_token() : part.range);
    }
    done = std::max(done, part.range.end);
  }
}

absl::string_view Pipeline::Normalize(absl::string_view text, Alignment* alignment, Scratch::Impl& scratch) const {
  if (stages_.normalizer != nullptr &&
      stages_.normalizer->Normalize(text, scratch.normalizer, scratch.normalized, alignment)) {
    return scratch.normalized;
  }
  if (alignment != nullptr) {
    alignment->Clear();
    alignment->Append({0, text.size()}, {0, text.size()});
  }
  return text;
}

/// `text`: the part from `begin` on of a normalized section, which `source` maps back.
void Pipeline::TokenizeNormalized(absl::string_view text, size_t begin, bool begins_text, Alignment::Reader& source,
                                  Scratch::Impl& scratch, Tokens& tokens) const {
  PreTokenized& pre_tokenized = scratch.pre_tokenized;
  pre_tokenized.Start(text, begins_text, tokens.wants_offsets);
  if (stages_.pre_tokenizer != nullptr) stages_.pre_tokenizer->PreTokenize(pre_tokenized);
  const std::vector<ByteRange>& words = pre_tokenized.words();
  scratch.ranges.clear();
  stages_.model->Tokenize(pre_tokenized.text(), words, scratch.model, tokens.ids,
                          tokens.wants_ranges() ? &scratch.ranges : nullptr);
  SourceMap source_of_words(source, begin, pre_tokenized.alignment());
  tokens.AddRanges(scratch.ranges, words, source_of_words);
  if (tokens.wants_spaces) tokens.AddSpaces(scratch.ranges, pre_tokenized.text());
  if (tokens.wants_texts) AddTexts(scratch, tokens);
}

void Pipeline::AddTexts(const Scratch::Impl& scratch, Tokens& tokens) const {
  size_t token = tokens.texts.size();
  for (const ByteRange& range : scratch.ranges) {
    const absl::string_view piece = range.of(scratch.pre_tokenized.text());
    const absl::string_view text = stages_.model->TokenText(tokens.ids[token++], piece);
    tokens.texts.emplace_back(text.data(), text.size());
  }
}

absl::StatusOr<Lengths> Pipeline::TruncateAndFinish(const EncodeOptions& options, bool is_pair,
                                                    const Scratch::Impl& scratch, Encoding& out) const {
  Lengths kept = {scratch.first.ids.size(), scratch.second.ids.size()};
  const size_t specials = stages_.post_processor.SpecialTokens(is_pair);
  out.full_length = stages_.post_processor.Length(kept.first, kept.second, is_pair);
  if (options.max_length >= specials) {
    TOKENIZER_ASSIGN_OR_RETURN(kept, Truncate(kept, is_pair, options.max_length - specials, options));
  }
  stages_.post_processor.Apply(Keep(scratch.first, kept.first, options.truncation_side),
                               Keep(scratch.second, kept.second, options.truncation_side), is_pair, options, out);
  return kept;
}

/// Every combination of windows but the first: the order is that in which the reference library merges the texts.
void Pipeline::AppendOverflow(const EncodeOptions& options, bool is_pair, Scratch::Impl& scratch, size_t full_length,
                              EncodingList& overflow) const {
  const bool swapped = is_pair && stages_.post_processor.SecondComesFirst();
  const size_t outer = (swapped ? scratch.second_windows : scratch.first_windows).size();
  const size_t inner = (swapped ? scratch.first_windows : scratch.second_windows).size();
  const auto range = [](const Tokens& tokens, const std::vector<Span>& windows, size_t i) {
    return TokenRange{tokens, windows[i].begin, windows[i].end, i != 0};
  };
  const auto add = [&](size_t i, size_t j) {
    if (swapped) std::swap(i, j);
    Encoding& out = overflow.Add();
    out.full_length = full_length;
    stages_.post_processor.Apply(range(scratch.first, scratch.first_windows, i),
                                 range(scratch.second, scratch.second_windows, j), is_pair, options, out);
  };
  for (size_t i = 1; i < outer; ++i) {
    for (size_t j = 0; j < inner; ++j) add(i, j);
  }
  for (size_t j = 1; j < inner; ++j) add(0, j);
}

size_t Pipeline::vocab_size() const { return std::max(stages_.model->vocabulary().id_limit(), added_.id_limit()); }

std::optional<int32_t> Pipeline::TokenToId(absl::string_view token) const {
  const std::optional<int32_t> added = added_.Find(token);
  return added ? added : stages_.model->vocabulary().Find(token);
}

std::optional<int32_t> Pipeline::unknown_id() const {
  const std::optional<int32_t> unknown = stages_.model->unknown_id();
  return unknown ? unknown : TokenToId("<unk>");
}

std::optional<absl::string_view> Pipeline::IdToToken(int32_t id) const {
  const std::optional<absl::string_view> added = added_.TextOf(id);
  return added ? added : stages_.model->vocabulary().TextOf(id);
}

}  // namespace bertha::tokenizer
