#include "tokenizer/families.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

using Json = nlohmann::json;

constexpr SpecialToken kBertSpecials[] = {
    {.content = "[PAD]", .roles = "pad_token"},
    {.content = "[UNK]", .roles = "unk_token", .needed = true},
    {.content = "[CLS]", .roles = "cls_token", .needed = true},
    {.content = "[SEP]", .roles = "sep_token", .needed = true},
    {.content = "[MASK]", .roles = "mask_token"},
};

constexpr SpecialToken kRobertaSpecials[] = {
    {.content = "<s>", .roles = "bos_token cls_token", .needed = true, .normalized = true},
    {.content = "<pad>", .roles = "pad_token", .normalized = true},
    {.content = "</s>", .roles = "eos_token sep_token", .needed = true, .normalized = true},
    {.content = "<unk>", .roles = "unk_token", .normalized = true},
    {.content = "<mask>", .roles = "mask_token", .needed = true, .lstrip = true},
};

constexpr SpecialToken kGpt2Specials[] = {
    {.content = "<|endoftext|>", .roles = "bos_token eos_token unk_token", .needed = true, .normalized = true},
};

constexpr SpecialToken kXlnetSpecials[] = {
    {.content = "<unk>", .roles = "unk_token", .needed = true},
    {.content = "<s>", .roles = "bos_token"},
    {.content = "</s>", .roles = "eos_token"},
    {.content = "<cls>", .roles = "cls_token", .needed = true},
    {.content = "<sep>", .roles = "sep_token", .needed = true},
    {.content = "<pad>", .roles = "pad_token"},
    {.content = "<mask>", .roles = "mask_token", .lstrip = true, .normalized = true},
    {.content = "<eod>", .roles = ""},
    {.content = "<eop>", .roles = ""},
};

constexpr SpecialToken kAlbertSpecials[] = {
    {.content = "<pad>", .roles = "pad_token"},
    {.content = "<unk>", .roles = "unk_token", .needed = true},
    {.content = "[CLS]", .roles = "bos_token cls_token", .needed = true},
    {.content = "[SEP]", .roles = "eos_token sep_token", .needed = true},
    {.content = "[MASK]", .roles = "mask_token", .lstrip = true},
};

bool HasWord(const char* words, absl::string_view wanted) {
  const std::vector<absl::string_view> list = absl::StrSplit(words, ' ');
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

std::vector<std::string> Missing(const Family& family, const IdOf& id_of) {
  std::vector<std::string> missing;
  for (const SpecialToken& token : family.specials) {
    if (token.needed && !id_of(token.content)) missing.emplace_back(token.content);
  }
  return missing;
}

std::string NeededBy(const Family& family) {
  std::vector<absl::string_view> needed;
  for (const SpecialToken& token : family.specials) {
    if (token.needed) needed.emplace_back(token.content);
  }
  return absl::StrCat(family.name, " (", absl::StrJoin(needed, ", "), ")");
}

const SpecialToken* FindRole(const Family& family, const std::string& role) {
  const auto found = std::find_if(family.specials.begin(), family.specials.end(),
                                  [&](const SpecialToken& token) { return HasWord(token.roles, role); });
  return found == family.specials.end() ? nullptr : &*found;
}

/// The family's layout must mean what the configuration does; `has` says which tokens it has in the end.
absl::Status CheckSpecials(const Family& family, const TokenizerConfig& config,
                           const std::function<bool(const std::string&)>& has) {
  std::vector<TokenizerConfig::Special> others = config.other_tokens();
  for (const auto& [role, special] : config.specials()) {
    const SpecialToken* usual = FindRole(family, role);
    if (usual == nullptr) {
      others.push_back(special);
    } else if (special.content != usual->content) {
      return absl::UnimplementedError(absl::StrCat(special.file, ": ", role, " ", Quoted(special.content),
                                                   ": without a tokenizer.json only \"", usual->content,
                                                   "\" is supported for ", family.name));
    }
  }
  for (const auto& other : others) {
    if (has(other.content)) continue;
    return absl::UnimplementedError(absl::StrCat(other.file, ": added token ", Quoted(other.content),
                                                 ": without a tokenizer.json only those of ", family.name,
                                                 " are supported"));
  }
  return absl::OkStatus();
}

Json ToJson(const AddedToken& token) {
  return {{"id", token.id},          {"content", token.content}, {"single_word", token.single_word},
          {"lstrip", token.lstrip},  {"rstrip", token.rstrip},   {"normalized", token.normalized},
          {"special", token.special}};
}

/// One side of a TemplateProcessing; notes in `specials` the tokens that it uses.
Json PiecesOf(absl::string_view pieces, const IdOf& id_of, Json& specials) {
  Json list = Json::array();
  for (const absl::string_view piece : absl::StrSplit(pieces, ' ')) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(piece, ':');
    int type_id = 0;
    if (!absl::SimpleAtoi(parts.second, &type_id)) continue;
    const std::string& name = parts.first;
    if (name[0] == '$') {
      list.push_back({{"Sequence", {{"id", name.substr(1)}, {"type_id", type_id}}}});
    } else {
      list.push_back({{"SpecialToken", {{"id", name}, {"type_id", type_id}}}});
      specials[name] = {{"id", name}, {"ids", {id_of(name).value_or(0)}}, {"tokens", {name}}};
    }
  }
  return list;
}

}  // namespace

const Family kBert = {"BERT", "BertTokenizer DistilBertTokenizer", kBertSpecials};
const Family kRoberta = {"RoBERTa", "RobertaTokenizer", kRobertaSpecials};
const Family kGpt2 = {"GPT-2", "GPT2Tokenizer", kGpt2Specials};
const Family kXlnet = {"XLNet", "XLNetTokenizer", kXlnetSpecials};
const Family kAlbert = {"ALBERT", "AlbertTokenizer", kAlbertSpecials};

absl::StatusOr<const Family*> ChooseFamily(std::span<const Family* const> families, const SourceFile& vocabulary,
                                           const TokenizerConfig& config, const IdOf& id_of) {
  const std::string& name = config.tokenizer_class();
  std::vector<const Family*> candidates;
  std::vector<std::string> known, wanted;
  for (const Family* family : families) {
    if (name.empty() || HasWord(family->classes, name)) candidates.push_back(family);
    known.push_back(absl::StrJoin(absl::StrSplit(family->classes, ' '), ", "));
    wanted.push_back(NeededBy(*family));
  }
  if (candidates.empty()) {
    return absl::UnimplementedError(
        absl::StrCat(config.file(), ": tokenizer_class ", Quoted(name),
                     " is not supported with this kind of vocabulary; known here: ", absl::StrJoin(known, ", ")));
  }
  for (const Family* family : candidates) {
    if (Missing(*family, id_of).empty()) return family;
  }
  if (candidates.size() == 1) {
    return vocabulary.Invalid(absl::StrCat("the vocabulary lacks special tokens of ", candidates[0]->name, ": ",
                                           absl::StrJoin(Missing(*candidates[0], id_of), ", ")));
  }
  return vocabulary.Invalid(
      absl::StrCat("the vocabulary has neither the special tokens of ", absl::StrJoin(wanted, " nor those of ")));
}

absl::StatusOr<Json> AddedTokensOf(const Family& family, const TokenizerConfig& config, const IdOf& id_of) {
  std::vector<AddedToken> tokens = config.added_tokens().value_or(std::vector<AddedToken>());
  const auto has = [&](const std::string& content) {
    return std::any_of(tokens.begin(), tokens.end(), [&](const auto& token) { return token.content == content; });
  };
  for (const SpecialToken& special : family.specials) {
    const std::optional<int32_t> id = id_of(special.content);
    if (!id || has(special.content)) continue;
    tokens.push_back({.id = *id,
                      .content = special.content,
                      .lstrip = special.lstrip,
                      .normalized = special.normalized,
                      .special = true});
  }
  TOKENIZER_RETURN_IF_ERROR(CheckSpecials(family, config, has));
  std::sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  Json list = Json::array();
  for (const AddedToken& token : tokens) list.push_back(ToJson(token));
  return list;
}

Json TemplateOf(absl::string_view single, absl::string_view pair, const IdOf& id_of) {
  Json specials = Json::object();
  Json json = {{"type", "TemplateProcessing"}};
  json["single"] = PiecesOf(single, id_of, specials);
  json["pair"] = PiecesOf(pair, id_of, specials);
  json["special_tokens"] = std::move(specials);
  return json;
}

Json EmptyTokenizerJson() { return {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}}; }

}  // namespace bertha::tokenizer
