#include "tokenizer/vocab_and_merges.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tokenizer/families.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

using Json = nlohmann::json;

absl::StatusOr<Json> ReadVocab(const SourceFile& file) {
  const absl::StatusOr<JsonDocument> document = JsonDocument::Parse(file.content);
  if (!document.ok()) return file.Annotated(document.status());
  Json tokens = Json::object();
  const absl::Status status =
      document->root().ForEachMember([&](const std::string& token, const JsonValue& value) -> absl::Status {
        TOKENIZER_ASSIGN_OR_RETURN(tokens[token], value.AsId());
        return absl::OkStatus();
      });
  if (!status.ok()) return file.Annotated(status);
  return tokens;
}

using Merge = std::pair<std::string, std::string>;

absl::StatusOr<Merge> ParseMerge(const SourceFile& file, size_t line, absl::string_view text, const Json& vocab) {
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
    return file.InvalidLine(line, absl::StrCat(Quoted(text), " is not two tokens with a space between"));
  }
  for (const std::string& token : {parts[0], parts[1], parts[0] + parts[1]}) {
    if (vocab.contains(token)) continue;
    return file.InvalidLine(
        line, absl::StrCat("the merge ", Quoted(text), " needs ", Quoted(token), ", which is not in the vocabulary"));
  }
  return Merge(parts[0], parts[1]);
}

absl::StatusOr<Json> ReadMerges(const SourceFile& file, const Json& vocab) {
  TOKENIZER_ASSIGN_OR_RETURN(const std::vector<absl::string_view> lines, file.Lines());
  std::map<absl::string_view, size_t> seen;
  Json merges = Json::array();
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i == 0 && absl::StartsWith(lines[i], "#version")) continue;
    TOKENIZER_ASSIGN_OR_RETURN(const Merge merge, ParseMerge(file, i + 1, lines[i], vocab));
    const auto [first, is_new] = seen.emplace(lines[i], i + 1);
    if (!is_new) {
      return file.InvalidLine(i + 1,
                              absl::StrCat("the merge ", Quoted(lines[i]), " is in line ", first->second, " already"));
    }
    merges.push_back(Json::array({merge.first, merge.second}));
  }
  return merges;
}

Json ByteLevel(bool add_prefix_space, bool trim_offsets) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", trim_offsets},
          {"use_regex", true}};
}

Json RobertaProcessing(const IdOf& id_of, bool add_prefix_space, bool trim_offsets) {
  return {{"type", "RobertaProcessing"},
          {"sep", {"</s>", *id_of("</s>")}},
          {"cls", {"<s>", *id_of("<s>")}},
          {"trim_offsets", trim_offsets},
          {"add_prefix_space", add_prefix_space}};
}

}  // namespace

absl::StatusOr<Json> FromVocabAndMerges(const SourceFile& vocab, const SourceFile& merges,
                                        const TokenizerConfig& config) {
  TOKENIZER_ASSIGN_OR_RETURN(Json tokens, ReadVocab(vocab));
  TOKENIZER_ASSIGN_OR_RETURN(Json pairs, ReadMerges(merges, tokens));
  const IdOf id_of = [&](const std::string& token) -> std::optional<int32_t> {
    const auto found = tokens.find(token);
    if (found == tokens.end()) return std::nullopt;
    return found->get<int32_t>();
  };
  const Family* const families[] = {&kRoberta, &kGpt2};
  TOKENIZER_ASSIGN_OR_RETURN(const Family* family, ChooseFamily(families, vocab, config, id_of));
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> prefix, config.Flag("add_prefix_space"));
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> trim, config.Flag("trim_offsets"));
  const bool add_prefix_space = prefix.value_or(false);

  Json json = EmptyTokenizerJson();
  TOKENIZER_ASSIGN_OR_RETURN(json["added_tokens"], AddedTokensOf(*family, config, id_of));
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = ByteLevel(add_prefix_space, true);
  json["post_processor"] =
      family == &kRoberta ? RobertaProcessing(id_of, add_prefix_space, trim.value_or(true)) : ByteLevel(true, false);
  json["decoder"] = ByteLevel(true, true);
  json["model"] = {{"type", "BPE"},
                   {"dropout", nullptr},
                   {"unk_token", nullptr},
                   {"continuing_subword_prefix", ""},
                   {"end_of_word_suffix", ""},
                   {"fuse_unk", false},
                   {"byte_fallback", false},
                   {"ignore_merges", false}};
  json["model"]["vocab"] = std::move(tokens);
  json["model"]["merges"] = std::move(pairs);
  return json;
}

}  // namespace bertha::tokenizer
