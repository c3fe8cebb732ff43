#include "tokenizer/tokenizer.h"

#include "tokenizer/json_reader.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/scratch.h"
#include "tokenizer/source_file.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/tokenizer_files.h"

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
  TOKENIZER_ASSIGN_OR_RETURN(const SourceFile file, ReadAsTokenizerJson(path));
  absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer = FromJson(file.content);
  if (!tokenizer.ok()) return file.Annotated(tokenizer.status());
  return tokenizer;
}

}  // namespace bertha::tokenizer
