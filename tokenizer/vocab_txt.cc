#include "tokenizer/vocab_txt.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/families.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

using Json = nlohmann::json;

Json OrNull(std::optional<bool> flag) { return flag ? Json(*flag) : Json(nullptr); }

absl::StatusOr<Json> NormalizerOf(const TokenizerConfig& config) {
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> lowercase, config.Flag("do_lower_case"));
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> strip_accents, config.Flag("strip_accents"));
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<bool> chinese, config.Flag("tokenize_chinese_chars"));
  return Json{{"type", "BertNormalizer"},
              {"clean_text", true},
              {"handle_chinese_chars", chinese.value_or(true)},
              {"strip_accents", OrNull(strip_accents)},
              {"lowercase", lowercase.value_or(true)}};
}

}  // namespace

absl::StatusOr<Json> FromVocabTxt(const SourceFile& vocab, const TokenizerConfig& config) {
  TOKENIZER_ASSIGN_OR_RETURN(const std::vector<absl::string_view> lines, vocab.Lines());
  Json tokens = Json::object();
  for (size_t i = 0; i < lines.size(); ++i) tokens[std::string(lines[i])] = i;
  const IdOf id_of = [&](const std::string& token) -> std::optional<int32_t> {
    const auto found = tokens.find(token);
    if (found == tokens.end()) return std::nullopt;
    return found->get<int32_t>();
  };
  const Family* const families[] = {&kBert};
  TOKENIZER_ASSIGN_OR_RETURN(const Family* family, ChooseFamily(families, vocab, config, id_of));

  Json json = EmptyTokenizerJson();
  TOKENIZER_ASSIGN_OR_RETURN(json["added_tokens"], AddedTokensOf(*family, config, id_of));
  TOKENIZER_ASSIGN_OR_RETURN(json["normalizer"], NormalizerOf(config));
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  json["post_processor"] = TemplateOf("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", id_of);
  json["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  json["model"] = {{"type", "WordPiece"},
                   {"unk_token", "[UNK]"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100}};
  json["model"]["vocab"] = std::move(tokens);
  return json;
}

}  // namespace bertha::tokenizer
