#include "models/families/families.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/families/family_source.h"

namespace bertha::models {

// Each in the file of its name.
void ReadBert(FamilySource& source, EncoderWeights& weights);
void ReadRoberta(FamilySource& source, EncoderWeights& weights);
void ReadDistilbert(FamilySource& source, EncoderWeights& weights);
void ReadXlnet(FamilySource& source, EncoderWeights& weights);
void ReadAlbert(FamilySource& source, EncoderWeights& weights);

namespace {

constexpr char kWords[] = "embeddings.word_embeddings.weight";
constexpr std::array<Family, 5> kFamilies = {
    {{"bert", kWords, "bert.", ReadBert},
     {"roberta", kWords, "roberta.", ReadRoberta, /*padding_id=*/true},
     {"distilbert", kWords, "distilbert.", ReadDistilbert},
     {"xlnet", "word_embedding.weight", "transformer.", ReadXlnet, false, /*summary_activation=*/true},
     {"albert", kWords, "albert.", ReadAlbert}}};

absl::Status CheckAgainst(const Manifest& manifest, const EncoderWeights& weights) {
  if (manifest.max_length > weights.max_length) {
    return absl::InvalidArgumentError(absl::StrCat("bertha.json allows ", manifest.max_length,
                                                   " tokens, and the weights have positions for ", weights.max_length));
  }
  if (manifest.output_width() != weights.output_width()) {
    return absl::InvalidArgumentError(absl::StrCat("bertha.json asks for ", manifest.output_width(),
                                                   " numbers a row, and the weights give ", weights.output_width()));
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const Family> Families() { return kFamilies; }

const Family* FindFamily(absl::string_view name) {
  const auto found = std::ranges::find_if(kFamilies, [&](const Family& family) { return family.name == name; });
  return found == kFamilies.end() ? nullptr : &*found;
}

absl::StatusOr<EncoderWeights> BuildEncoder(NamedWeights named, const Manifest& manifest) {
  const Family* family = FindFamily(manifest.family);
  if (!family) {
    return absl::FailedPreconditionError(
        absl::StrCat("family ", manifest.family, " may be any network, so only TorchScript can compute it"));
  }
  if (!manifest.encoder) {
    return absl::FailedPreconditionError(
        "bertha.json has no encoder, which says what the weights do not, so only TorchScript can compute the model");
  }
  FamilySource source(std::move(named), *family, manifest);
  if (!source.reader.first_error().ok()) return source.reader.first_error();
  EncoderWeights weights;
  weights.heads = manifest.encoder->heads;
  weights.activation = manifest.encoder->activation;
  weights.norm_epsilon = manifest.encoder->layer_norm_epsilon;
  family->read(source, weights);
  if (absl::Status status = source.reader.Done(); !status.ok()) return status;
  if (absl::Status status = CheckAgainst(manifest, weights); !status.ok()) return status;
  weights.storage = source.reader.storage();
  return weights;
}

}  // namespace bertha::models
