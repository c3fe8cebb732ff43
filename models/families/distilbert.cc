// DistilBERT, Sanh et al., 2019: half of BERT's layers under other names, without token types and without a pooler.
#include "absl/strings/str_cat.h"
#include "models/families/family_source.h"

namespace bertha::models {
namespace {

constexpr LayerNames kLayer = {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                               "sa_layer_norm",   "ffn.lin1",        "ffn.lin2",        "output_layer_norm"};

}  // namespace

void ReadDistilbert(FamilySource& source, EncoderWeights& weights) {
  source.ReadEmbedding(/*with_types=*/false, weights);
  source.SplitHeads(weights);
  source.ReadStack(absl::StrCat(source.prefix, "transformer.layer"), kLayer, weights);
  source.ReadHead(
      HeadRows::kFirst,
      {{absl::StrCat(source.head, "pre_classifier"), Activation::kRelu}, {absl::StrCat(source.head, "classifier")}},
      weights);
}

}  // namespace bertha::models
