#include "server/embed_call.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/wire_range.h"

namespace bertha::server {
namespace {

models::Pooling PoolingOf(v1::Pooling wanted, const models::Manifest& manifest) {
  switch (wanted) {
    case v1::POOLING_MEAN:
      return models::Pooling::kMean;
    case v1::POOLING_CLS:
      return models::Pooling::kCls;
    case v1::POOLING_MAX:
      return models::Pooling::kMax;
    case v1::POOLING_CLS_MEAN:
      return models::Pooling::kClsMean;
    case v1::POOLING_LAST:
      return models::Pooling::kLast;
    default:
      return manifest.pooling;
  }
}

}  // namespace

absl::Status EmbedCall::Validate() const {
  const v1::EmbedOptions& options = request_.options();
  if (!v1::Pooling_IsValid(options.pooling())) {
    return absl::InvalidArgumentError(
        absl::StrCat("options.pooling: unknown value ", static_cast<int>(options.pooling())));
  }
  if (of_tokens() && options.truncation() == v1::TRUNCATION_POLICY_WINDOW) {
    return absl::InvalidArgumentError(
        "options.pooling: POOLING_NONE does not go with TRUNCATION_POLICY_WINDOW, whose windows share tokens");
  }
  return ValidateTexts();
}

bool EmbedCall::normalized() const {
  const v1::EmbedOptions& options = request_.options();
  return options.has_normalize() ? options.normalize() : model_->manifest.normalize;
}

absl::Status EmbedCall::Encode(size_t index, tokenizer::Scratch& scratch, Input& out) {
  tokenizer::EncodeOptions wanted;
  wanted.offsets = wanted.char_offsets = of_tokens();
  if (absl::Status status = EncodeText(input(index), long_text(), wanted, scratch, out); !status.ok()) return status;
  return of_tokens() ? CheckResponseSize(out) : absl::OkStatus();
}

/// Vectors of tokens are hundreds of times as many bytes as the text.
absl::Status EmbedCall::CheckResponseSize(const Input& encoded) {
  response_bytes_ += encoded.encoding.ids.size() * model_->manifest.dimension * sizeof(float);
  if (response_bytes_ <= context_.limits.max_response_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("text: the vectors of the tokens up to here are ", response_bytes_,
                                                 " bytes, at most ", context_.limits.max_response_bytes,
                                                 " fit into a response (limits.max_message_bytes); send fewer texts"));
}

void EmbedCall::Fill(size_t index, Outputs outputs, const batcher::Outcome& last) {
  const Input& computed = inputs_[index];
  v1::EmbedResult& result = this->result(index);
  if (of_tokens()) {
    FillTokens(computed, outputs.front(), result);
  } else {
    const models::Pooling pooling = PoolingOf(request_.options().pooling(), model_->manifest);
    models::Pool(outputs, model_->manifest.dimension, pooling, normalized(), vector_);
    result.mutable_vector()->Assign(vector_.begin(), vector_.end());
  }
  result.set_truncated(computed.windows.size() == 1 && computed.encoding.truncated());
  FillCommon(index, last, result);
}

void EmbedCall::FillTokens(const Input& input, std::span<const float> vectors, v1::EmbedResult& result) {
  const size_t dimension = model_->manifest.dimension;
  for (size_t i = 0; i < input.encoding.ids.size(); ++i) {
    const std::span<const float> of_token = vectors.subspan(i * dimension, dimension);
    v1::TokenVector& token = *result.add_token_vectors();
    token.set_token(std::string(model_->tokenizer->IdToToken(input.encoding.ids[i]).value_or("")));
    FillRange(input.encoding.offsets[i], *token.mutable_bytes());
    FillRange(input.encoding.char_offsets[i], *token.mutable_chars());
    // A token is a text of one token here.
    models::Pool({{of_token}}, dimension, models::Pooling::kCls, normalized(), vector_);
    token.mutable_vector()->Assign(vector_.begin(), vector_.end());
  }
}

}  // namespace bertha::server
