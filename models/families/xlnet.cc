// XLNet, Yang et al., 2019: attention by distance and segment. Of its two streams a fine-tuned model has one.
#include "absl/strings/str_cat.h"
#include "models/families/family_source.h"

namespace bertha::models {
namespace {

/// A weight [hidden, heads, head_size].
MatrixView ReadHeads(FamilySource& source, const std::string& name, const EncoderWeights& weights) {
  std::vector<size_t> shape = {weights.hidden, weights.heads, weights.head_size};
  const std::span<const float> values = source.reader.Tensor(name, shape);
  if (values.empty()) return {};
  const size_t columns = shape[1] * shape[2];
  return {.data = values.data(), .rows = weights.hidden, .columns = columns, .row_stride = columns};
}

MatrixView Transposed(const MatrixView& matrix) {
  return {matrix.data, matrix.columns, matrix.rows, matrix.column_stride, matrix.row_stride};
}

/// A bias [heads, head_size].
std::span<const float> ReadBias(FamilySource& source, const std::string& name, const EncoderWeights& weights) {
  std::vector<size_t> shape = {weights.heads, weights.head_size};
  return source.reader.Tensor(name, shape);
}

RelativeAttentionWeights ReadRelative(FamilySource& source, const std::string& at, const EncoderWeights& weights) {
  RelativeAttentionWeights result;
  result.position = Transposed(ReadHeads(source, absl::StrCat(at, "r"), weights));
  result.content_bias = ReadBias(source, absl::StrCat(at, "r_w_bias"), weights);
  result.position_bias = ReadBias(source, absl::StrCat(at, "r_r_bias"), weights);
  result.segment_bias = ReadBias(source, absl::StrCat(at, "r_s_bias"), weights);
  std::vector<size_t> shape = {2, weights.heads, weights.head_size};
  if (const std::span<const float> segments = source.reader.Tensor(absl::StrCat(at, "seg_embed"), shape);
      !segments.empty()) {
    result.segments[0] = segments.first(segments.size() / 2);
    result.segments[1] = segments.last(segments.size() / 2);
  }
  return result;
}

LayerWeights ReadLayer(FamilySource& source, const std::string& layer, EncoderWeights& weights) {
  const std::string attention = absl::StrCat(layer, "rel_attn."), feed_forward = absl::StrCat(layer, "ff.");
  auto heads = [&](const char* name) { return ReadHeads(source, absl::StrCat(attention, name), weights); };
  LayerWeights result;
  result.query.weight = Transposed(heads("q"));
  result.key.weight = Transposed(heads("k"));
  result.value.weight = Transposed(heads("v"));
  result.output.weight = heads("o");
  result.relative = ReadRelative(source, attention, weights);
  result.attention_norm = source.reader.Norm(absl::StrCat(attention, "layer_norm"), weights.hidden);
  result.up = source.reader.Linear(absl::StrCat(feed_forward, "layer_1"), weights.intermediate, weights.hidden);
  weights.intermediate = result.up.weight.rows;
  result.down = source.reader.Linear(absl::StrCat(feed_forward, "layer_2"), weights.hidden, weights.intermediate);
  result.output_norm = source.reader.Norm(absl::StrCat(feed_forward, "layer_norm"), weights.hidden);
  return result;
}

}  // namespace

void ReadXlnet(FamilySource& source, EncoderWeights& weights) {
  WeightReader& reader = source.reader;
  weights.embedding.words = reader.Matrix(absl::StrCat(source.prefix, "word_embedding.weight"), kAny, kAny);
  weights.hidden = weights.embedding.words.columns;
  weights.max_length = source.manifest.max_length;  // distances have no limit
  if (weights.hidden % 2)
    reader.Fail(absl::StrCat("the hidden size ", weights.hidden, " is odd, expected sines and cosines"));
  if (!source.manifest.takes_type_ids)
    reader.Fail("bertha.json names no token_type_ids, which XLNet's attention compares");
  source.SplitHeads(weights);
  for (size_t i = 0; i < source.settings.layers; ++i) {
    weights.layers.push_back(ReadLayer(source, absl::StrCat(source.prefix, "layer.", i, "."), weights));
    weights.order.push_back(i);
  }
  source.ReadHead(HeadRows::kLast,
                  {{absl::StrCat(source.head, "sequence_summary.summary"), source.settings.summary_activation},
                   {absl::StrCat(source.head, "logits_proj")}},
                  weights);
  reader.Ignore(absl::StrCat(source.prefix, "mask_emb"));
}

}  // namespace bertha::models
