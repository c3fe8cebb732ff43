#include "tokenizer/components.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tokenizer/bert_normalizer.h"
#include "tokenizer/bert_pre_tokenizer.h"
#include "tokenizer/bert_processing.h"
#include "tokenizer/bpe.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/byte_level_processing.h"
#include "tokenizer/decomposition.h"
#include "tokenizer/lowercase.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/precompiled.h"
#include "tokenizer/replace.h"
#include "tokenizer/roberta_processing.h"
#include "tokenizer/sequences.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/strip.h"
#include "tokenizer/strip_accents.h"
#include "tokenizer/template_processing.h"
#include "tokenizer/unigram.h"
#include "tokenizer/whitespace_split.h"
#include "tokenizer/wordpiece.h"

namespace bertha::tokenizer {
namespace {

template <typename Stage>
struct Component {
  const char* type;
  absl::StatusOr<Stage> (*make)(const JsonValue& json);
  /// The files of 2020 name no type of model; a member that only this model has tells it then. Null: always named.
  const char* telltale = nullptr;
};

constexpr Component<std::unique_ptr<const Normalizer>> kNormalizers[] = {
    {"BertNormalizer", MakeBertNormalizer},
    {"Lowercase", MakeLowercase},
    {"NFD", MakeNfd},
    {"NFKD", MakeNfkd},
    {"Precompiled", MakePrecompiled},
    {"Replace", MakeReplace},
    {"Sequence", MakeNormalizerSequence},
    {"Strip", MakeStrip},
    {"StripAccents", MakeStripAccents},
};

constexpr Component<std::unique_ptr<const PreTokenizer>> kPreTokenizers[] = {
    {"BertPreTokenizer", MakeBertPreTokenizer},
    {"ByteLevel", MakeByteLevel},
    {"Metaspace", MakeMetaspace},
    {"Sequence", MakePreTokenizerSequence},
    {"WhitespaceSplit", MakeWhitespaceSplit},
};

constexpr Component<std::unique_ptr<const Model>> kModels[] = {
    {"BPE", MakeBpe, "merges"},
    {"Unigram", MakeUnigram, "unk_id"},
    {"WordPiece", MakeWordPiece, "max_input_chars_per_word"},
};

constexpr Component<PostProcessor> kPostProcessors[] = {
    {"BertProcessing", MakeBertProcessing},         {"ByteLevel", MakeByteLevelProcessing},
    {"RobertaProcessing", MakeRobertaProcessing},   {"Sequence", MakePostProcessorSequence},
    {"TemplateProcessing", MakeTemplateProcessing},
};

template <typename Stage, size_t N>
absl::StatusOr<Stage> Make(const Component<Stage> (&table)[N], const JsonValue& json) {
  const absl::StatusOr<JsonValue> type = json.Get("type");
  std::string name;
  if (type.ok()) {
    TOKENIZER_ASSIGN_OR_RETURN(name, type->AsString());
  }
  std::string known;
  for (const Component<Stage>& component : table) {
    if (type.ok() ? name == component.type : component.telltale != nullptr && json.Find(component.telltale)) {
      return component.make(json);
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ", component.type);
  }
  if (!type.ok()) return type.status();
  return type->Unknown(absl::StrCat(Quoted(name), " is not supported; known here: ", known));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizer(const JsonValue& json) {
  return Make(kNormalizers, json);
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonValue& json) {
  return Make(kPreTokenizers, json);
}

absl::StatusOr<std::unique_ptr<const Model>> MakeModel(const JsonValue& json) { return Make(kModels, json); }

absl::StatusOr<PostProcessor> MakePostProcessor(const JsonValue& json) { return Make(kPostProcessors, json); }

}  // namespace bertha::tokenizer
