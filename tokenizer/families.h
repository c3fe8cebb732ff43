// The model families whose published files this library can rebuild from a vocabulary alone: what their tokenizer.json
// has besides the vocabulary, in the layout of the files that the Hugging Face hub has had since 2020.
//
// Thread-safety: constants and pure functions.
// Source: the *TokenizerFast classes and convert_slow_tokenizer.py of Hugging Face transformers 4.57, and the published
// files of bert-base-uncased, roberta-base, gpt2, xlnet-base-cased and albert-base-v2.
#ifndef BERTHA_TOKENIZER_FAMILIES_H_
#define BERTHA_TOKENIZER_FAMILIES_H_

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/source_file.h"
#include "tokenizer/tokenizer_config.h"

namespace bertha::tokenizer {

struct SpecialToken {
  const char* content;
  const char* roles;  ///< in a tokenizer_config.json, separated by spaces; may be empty
  bool needed = false;
  bool lstrip = false;
  bool normalized = false;
};

struct Family {
  const char* name;
  const char* classes;  ///< transformers' names, without "Fast", separated by spaces
  std::span<const SpecialToken> specials;
};

extern const Family kBert, kRoberta, kGpt2, kXlnet, kAlbert;

/// The id of a token in the vocabulary, or nullopt.
using IdOf = std::function<std::optional<int32_t>(const std::string& token)>;

/// The family that `tokenizer_class` names, otherwise the first, whose needed special tokens are all in the vocabulary.
/// INVALID_ARGUMENT says what was looked for; UNIMPLEMENTED names a class that is none of these.
absl::StatusOr<const Family*> ChooseFamily(std::span<const Family* const> families, const SourceFile& vocabulary,
                                           const TokenizerConfig& config, const IdOf& id_of);

/// The member `added_tokens`: those of the family that the vocabulary has (none are invented: a model has no embedding
/// for them), or those that `config` lists. UNIMPLEMENTED if `config` gives a role to another token than the family
/// does.
absl::StatusOr<nlohmann::json> AddedTokensOf(const Family& family, const TokenizerConfig& config, const IdOf& id_of);

/// The member `post_processor` as a TemplateProcessing. The templates are such as "[CLS]:0 $A:0 [SEP]:0": tokens of the
/// vocabulary and $A or $B, each with its type id.
nlohmann::json TemplateOf(absl::string_view single, absl::string_view pair, const IdOf& id_of);

/// A whole tokenizer.json without its stages.
nlohmann::json EmptyTokenizerJson();

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_FAMILIES_H_
