// RoBERTa, Liu et al., 2019: BERT's encoder with positions that count behind the padding's id, and another head.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "models/families/family_source.h"

namespace bertha::models {

void ReadRoberta(FamilySource& source, EncoderWeights& weights) {
  source.ReadEmbedding(/*with_types=*/true, weights);
  weights.embedding.skipped_id = source.settings.padding_id;
  weights.embedding.first_position = static_cast<size_t>(source.settings.padding_id) + 1;
  weights.max_length -= std::min(weights.max_length, weights.embedding.first_position);
  source.SplitHeads(weights);
  source.ReadStack(absl::StrCat(source.prefix, "encoder.layer"), kBertLayer, weights);
  const std::string classifier = absl::StrCat(source.head, "classifier.");
  source.ReadHead(HeadRows::kFirst,
                  {{absl::StrCat(classifier, "dense"), Activation::kTanh}, {absl::StrCat(classifier, "out_proj")}},
                  weights);
  source.reader.Ignore(absl::StrCat(source.prefix, "pooler."));
}

}  // namespace bertha::models
