// From a section of tokenizer.json to the stage that it describes, by its "type".
//
// A type that is not in the tables of components.cc gives UNIMPLEMENTED with its path and name; nothing is guessed.
#ifndef BERTHA_TOKENIZER_COMPONENTS_H_
#define BERTHA_TOKENIZER_COMPONENTS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizer(const JsonValue& json);
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonValue& json);
absl::StatusOr<std::unique_ptr<const Model>> MakeModel(const JsonValue& json);
absl::StatusOr<PostProcessor> MakePostProcessor(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_COMPONENTS_H_
