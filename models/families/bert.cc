// BERT, Devlin et al., 2019: the encoder as it was published.
#include "absl/strings/str_cat.h"
#include "models/families/family_source.h"

namespace bertha::models {

void ReadBert(FamilySource& source, EncoderWeights& weights) {
  source.ReadEmbedding(/*with_types=*/true, weights);
  source.SplitHeads(weights);
  source.ReadStack(absl::StrCat(source.prefix, "encoder.layer"), kBertLayer, weights);
  const std::string pooler = absl::StrCat(source.prefix, "pooler.");
  source.ReadHead(HeadRows::kFirst,
                  {{absl::StrCat(pooler, "dense"), Activation::kTanh}, {absl::StrCat(source.head, "classifier")}},
                  weights);
  source.reader.Ignore(pooler);
}

}  // namespace bertha::models
