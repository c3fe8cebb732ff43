#include "tokenizer/tokenizer.h"

#include "absl/strings/str_cat.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/read_file.h"
#include "tokenizer/scratch.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

absl::Status Tokenizer::EncodeWithOverflow(absl::string_view, std::optional<absl::string_view>, const EncodeOptions&,
                                           Scratch&, Encoding&, EncodingList&) const {
  return absl::UnimplementedError("this tokenizer gives no overflow windows");
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::FromJson(absl::string_view json) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(json));
  return Pipeline::FromJson(document.root());
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::FromFile(const std::string& path) {
  TOKENIZER_ASSIGN_OR_RETURN(const std::string content, ReadFile(path, JsonDocument::kMaxSize));
  absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer = FromJson(content);
  if (tokenizer.ok()) return tokenizer;
  return absl::Status(tokenizer.status().code(), absl::StrCat(path, ": ", tokenizer.status().message()));
}

}  // namespace bertha::tokenizer
