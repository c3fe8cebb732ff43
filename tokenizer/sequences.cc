#include "tokenizer/sequences.h"

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/components.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<const Normalizer>> normalizers)
      : normalizers_(std::move(normalizers)) {}

  bool Normalize(absl::string_view text, NormalizerScratch& scratch, std::string& out,
                 Alignment* alignment) const override {
    bool changed = false;
    for (const auto& normalizer : normalizers_) {
      Alignment* const step = alignment == nullptr ? nullptr : changed ? &scratch.step : alignment;
      if (!normalizer->Normalize(changed ? absl::string_view(out) : text, scratch, changed ? scratch.between : out,
                                 step)) {
        continue;
      }
      if (changed) {
        out.swap(scratch.between);
        if (alignment != nullptr) {
          scratch.composed.Compose(*alignment, scratch.step, out.size());
          std::swap(*alignment, scratch.composed);
        }
      }
      changed = true;
    }
    return changed;
  }
  double growth() const override {
    double growth = 1;
    for (const auto& normalizer : normalizers_) growth *= normalizer->growth();
    return growth;
  }

 private:
  const std::vector<std::unique_ptr<const Normalizer>> normalizers_;
};

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<const PreTokenizer>> pre_tokenizers)
      : pre_tokenizers_(std::move(pre_tokenizers)) {}

  void PreTokenize(PreTokenized& text) const override {
    for (const auto& pre_tokenizer : pre_tokenizers_) pre_tokenizer->PreTokenize(text);
  }
  TextUnit unit() const override {
    return pre_tokenizers_.empty() ? TextUnit::kCharacters : pre_tokenizers_.back()->unit();
  }

 private:
  const std::vector<std::unique_ptr<const PreTokenizer>> pre_tokenizers_;
};

/// Appends what `json` holds, sequences within sequences one after another.
template <typename Stage>
absl::Status AppendFlat(const JsonValue& json, absl::string_view key,
                        absl::StatusOr<std::unique_ptr<const Stage>> (*make)(const JsonValue&),
                        std::vector<std::unique_ptr<const Stage>>& stages) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue elements, json.Get(key));
  return elements.ForEachElement([&](const JsonValue& element) -> absl::Status {
    std::string type;
    if (element.Read("type", &type).ok() && type == "Sequence") return AppendFlat(element, key, make, stages);
    TOKENIZER_ASSIGN_OR_RETURN(stages.emplace_back(), make(element));
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizerSequence(const JsonValue& json) {
  std::vector<std::unique_ptr<const Normalizer>> normalizers;
  TOKENIZER_RETURN_IF_ERROR(AppendFlat(json, "normalizers", MakeNormalizer, normalizers));
  if (normalizers.size() == 1) return std::move(normalizers.front());
  return std::make_unique<const NormalizerSequence>(std::move(normalizers));
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizerSequence(const JsonValue& json) {
  std::vector<std::unique_ptr<const PreTokenizer>> pre_tokenizers;
  TOKENIZER_RETURN_IF_ERROR(AppendFlat(json, "pretokenizers", MakePreTokenizer, pre_tokenizers));
  if (pre_tokenizers.size() == 1) return std::move(pre_tokenizers.front());
  for (size_t i = 0; i + 1 < pre_tokenizers.size(); ++i) {
    if (pre_tokenizers[i]->unit() == TextUnit::kBytes) {
      return json.Unknown("a pre-tokenizer after ByteLevel is not supported");
    }
  }
  return std::make_unique<const PreTokenizerSequence>(std::move(pre_tokenizers));
}

absl::StatusOr<PostProcessor> MakePostProcessorSequence(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue elements, json.Get("processors"));
  PostProcessor all = PostProcessor::Plain();
  bool only_trims = true;
  TOKENIZER_RETURN_IF_ERROR(elements.ForEachElement([&](const JsonValue& element) -> absl::Status {
    if (!only_trims) return element.Unknown("only ByteLevel is supported before the last");
    TOKENIZER_ASSIGN_OR_RETURN(const PostProcessor next, MakePostProcessor(element));
    std::string type;
    TOKENIZER_RETURN_IF_ERROR(element.Read("type", &type));
    only_trims = type == "ByteLevel";
    std::vector<OffsetTrim> trims = all.trims();
    trims.insert(trims.end(), next.trims().begin(), next.trims().end());
    all = next.WithTrims(std::move(trims));
    return absl::OkStatus();
  }));
  return all;
}

}  // namespace bertha::tokenizer
