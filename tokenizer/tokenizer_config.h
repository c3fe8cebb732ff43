// What the files beside a vocabulary say about its use: tokenizer_config.json, special_tokens_map.json and
// added_tokens.json, which transformers writes.
//
// Thread-safety: immutable after construction.
// Source: PreTrainedTokenizerBase.from_pretrained of Hugging Face transformers 4.57.
#ifndef BERTHA_TOKENIZER_TOKENIZER_CONFIG_H_
#define BERTHA_TOKENIZER_TOKENIZER_CONFIG_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/json_reader.h"

namespace bertha::tokenizer {

class TokenizerConfig {
 public:
  /// Reads what there is in `folder`; a file that is absent says nothing. INVALID_ARGUMENT names the file and the JSON
  /// path of what is broken, UNIMPLEMENTED a setting that only a tokenizer.json can express.
  static absl::StatusOr<TokenizerConfig> Read(const std::string& folder);

  /// `tokenizer_class` without a final "Fast"; empty if nothing says it.
  const std::string& tokenizer_class() const { return tokenizer_class_; }
  /// A setting that is true or false; nullopt if it is absent or null.
  absl::StatusOr<std::optional<bool>> Flag(absl::string_view key) const;
  /// The text of a special token, and the file that says it.
  struct Special {
    std::string content, file;
  };
  /// Special tokens by role, such as "cls_token": "[CLS]".
  const std::map<std::string, Special>& specials() const { return specials_; }
  /// Tokens without a role: `additional_special_tokens`, and what is in added_tokens.json.
  const std::vector<Special>& other_tokens() const { return other_tokens_; }
  /// `added_tokens_decoder` in the order of its ids; nullopt if it is absent, as before transformers 4.34.
  const std::optional<std::vector<AddedToken>>& added_tokens() const { return added_tokens_; }

  /// The path of tokenizer_config.json.
  std::string file() const;

 private:
  absl::Status ReadSettings();
  absl::Status ReadSpecials(const std::string& file, const JsonValue& json);
  absl::Status ReadOthers(const std::string& file);
  absl::Status ReadAddedTokens(const JsonValue& json);

  std::string folder_;
  std::optional<JsonDocument> settings_;
  std::string tokenizer_class_;
  std::map<std::string, Special> specials_;
  std::vector<Special> other_tokens_;
  std::optional<std::vector<AddedToken>> added_tokens_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TOKENIZER_CONFIG_H_
