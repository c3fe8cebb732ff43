#include "server/oip/infer_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/tasks/embeddings.h"
#include "server/oip/describe.h"
#include "server/oip/parameters.h"
#include "tokenizer/json_reader.h"

namespace bertha::server::oip {
namespace {

using batcher::TimePoint;
using tokenizer::Quoted;

constexpr uint64_t kMicrosecondsPerYear = 365ULL * 24 * 3600 * 1'000'000;

/// Of the transport and of the request. A timeout that cannot be read is told by ReadParameters.
TimePoint EarlierDeadline(const inference::ModelInferRequest& request, TimePoint deadline,
                          const batcher::Clock& clock) {
  const absl::StatusOr<uint64_t> timeout = CountParameter(request.parameters(), "timeout");
  if (!timeout.ok() || *timeout == 0 || *timeout > kMicrosecondsPerYear) return deadline;
  return std::min(deadline, clock.Now() + std::chrono::microseconds(*timeout));
}

/// The tokens of a row are those of [begin, end) of its columns; the others are padding.
struct Extent {
  size_t begin = 0, end = 0;
};

absl::StatusOr<Extent> ExtentOf(const IntegerMatrix& mask, size_t row) {
  Extent extent;
  size_t tokens = 0;
  for (size_t i = 0; i < mask.columns(); ++i) {
    const int64_t value = mask.at(row, i);
    if (value != 0 && value != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("attention_mask: is ", value, " in column ", i, ", expected 0 or 1"));
    }
    if (value == 0) continue;
    if (tokens++ == 0) extent.begin = i;
    extent.end = i + 1;
  }
  if (tokens == 0) return absl::InvalidArgumentError("attention_mask: leaves no token; each row needs at least one");
  if (tokens == extent.end - extent.begin) return extent;
  return absl::InvalidArgumentError(
      "attention_mask: has a 0 between two 1; padding may be on the left or on the right only");
}

}  // namespace

InferCall::InferCall(const CallContext& context, const inference::ModelInferRequest& request,
                     inference::ModelInferResponse& response, TimePoint deadline, Done done)
    : Call(context, EarlierDeadline(request, deadline, context.clock), std::move(done)),
      request_(request),
      response_(response) {}

absl::StatusOr<std::shared_ptr<const ServingModel>> InferCall::FindModel() const {
  return FindVersion(context_.models, request_.model_name(), request_.model_version());
}

/// The model's own; Read refuses those that the protocol has no form for.
models::Task InferCall::task() const { return model_->manifest.task; }

absl::Status InferCall::Read() {
  const models::Manifest& manifest = model_->manifest;
  if (OutputTensorsOf(manifest).empty()) return NoTensorsError(*model_);
  if (absl::Status status = ReadParameters(); !status.ok()) return status;
  auto outputs = RequestedOutputsOf(request_, manifest);
  if (!outputs.ok()) return outputs.status();
  outputs_ = *std::move(outputs);
  return ReadInputs();
}

absl::Status InferCall::ReadParameters() {
  for (const auto& [name, value] : request_.parameters()) {
    if (absl::StartsWith(name, "sequence_") && IsSet(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter ", Quoted(name), ": sequences are not supported; no model has a state"));
    }
  }
  if (auto timeout = CountParameter(request_.parameters(), "timeout"); !timeout.ok()) return timeout.status();
  const absl::StatusOr<uint64_t> priority = CountParameter(request_.parameters(), "priority");
  if (!priority.ok()) return priority.status();
  constexpr v1::Priority kLevels[] = {v1::PRIORITY_NORMAL, v1::PRIORITY_HIGH, v1::PRIORITY_NORMAL, v1::PRIORITY_BATCH};
  if (*priority >= std::size(kLevels)) {
    return absl::InvalidArgumentError(absl::StrCat("parameter \"priority\": is ", *priority,
                                                   ", expected 1 (first) to 3 (last), or 0 for the default, 2"));
  }
  priority_ = kLevels[*priority];
  return absl::OkStatus();
}

absl::Status InferCall::ReadInputs() {
  absl::StatusOr<std::vector<InputView>> inputs = InputsOf(request_);
  if (!inputs.ok()) return inputs.status();
  const InputView *text = nullptr, *pair = nullptr, *ids = nullptr, *mask = nullptr, *type_ids = nullptr;
  for (const InputView& input : *inputs) {
    const std::string& name = input.tensor->name();
    if (name == "text")
      text = &input;
    else if (name == "text_pair")
      pair = &input;
    else if (name == "input_ids")
      ids = &input;
    else if (name == "attention_mask")
      mask = &input;
    else if (name == "token_type_ids")
      type_ids = &input;
    else
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(name),
                       ": the model has no such input; it takes text and text_pair, or input_ids, attention_mask and "
                       "token_type_ids"));
  }
  const bool has_tokens = ids || mask || type_ids;
  if ((text || pair) && has_tokens) return absl::InvalidArgumentError("inputs: has texts and tokens; send one of them");
  if (has_tokens && !ids) return absl::InvalidArgumentError("input \"input_ids\": is missing");
  if (ids) return ReadTokens(*ids, mask, type_ids);
  if (!text) return absl::InvalidArgumentError("input \"text\": is missing");
  absl::StatusOr<std::vector<absl::string_view>> texts = ReadTexts(*text);
  if (!texts.ok()) return texts.status();
  texts_ = *std::move(texts);
  if (absl::Status status = CheckRows("text", texts_.size()); !status.ok() || !pair) return status;
  absl::StatusOr<std::vector<absl::string_view>> pairs = ReadTexts(*pair);
  if (!pairs.ok()) return pairs.status();
  pairs_ = *std::move(pairs);
  return CheckRows("text_pair", pairs_.size());
}

absl::Status InferCall::ReadTokens(const InputView& ids, const InputView* mask, const InputView* type_ids) {
  if (!mask) {
    return absl::InvalidArgumentError("input \"attention_mask\": is missing; 1 for each token, 0 for padding");
  }
  absl::StatusOr<IntegerMatrix> id_matrix = IntegerMatrix::Read(ids);
  if (!id_matrix.ok()) return id_matrix.status();
  if (absl::Status status = CheckRows("input_ids", id_matrix->rows()); !status.ok()) return status;
  tokens_ = TokenInputs{*id_matrix, {}, {}};
  for (const InputView* input : {mask, type_ids}) {
    if (!input) continue;
    absl::StatusOr<IntegerMatrix> matrix = IntegerMatrix::Read(*input);
    if (!matrix.ok()) return matrix.status();
    if (matrix->rows() != id_matrix->rows() || matrix->columns() != id_matrix->columns()) {
      return absl::InvalidArgumentError(absl::StrCat("input \"", input->tensor->name(), "\": has the shape ",
                                                     ShapeText(*input->tensor), ", input_ids has ",
                                                     ShapeText(*ids.tensor)));
    }
    if (input == mask) tokens_->mask = *matrix;
    if (input == type_ids) tokens_->type_ids = *matrix;
  }
  return absl::OkStatus();
}

/// The first tensor sets the number of inputs.
absl::Status InferCall::CheckRows(absl::string_view name, size_t rows) {
  if (rows > context_.limits.max_inputs) {
    return absl::InvalidArgumentError(absl::StrCat("input \"", name, "\": has ", rows, " rows, at most ",
                                                   context_.limits.max_inputs,
                                                   " are allowed in one call (max_batch_size); split the call"));
  }
  if (size_ != 0 && rows != size_) {
    return absl::InvalidArgumentError(absl::StrCat("input \"", name, "\": has ", rows, " elements, text has ", size_));
  }
  size_ = rows;
  return absl::OkStatus();
}

absl::Status InferCall::Validate() const {
  for (const auto& [name, texts] : {std::pair("text", &texts_), std::pair("text_pair", &pairs_)}) {
    for (size_t i = 0; i < texts->size(); ++i) {
      const size_t bytes = (*texts)[i].size();
      if (bytes <= context_.limits.max_text_bytes) continue;
      return absl::InvalidArgumentError(absl::StrCat(name, "[", i, "]: has ", bytes, " bytes, at most ",
                                                     context_.limits.max_text_bytes, " are allowed"));
    }
  }
  if (pairs_.empty() || model_->manifest.accepts_pairs) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("input \"text_pair\": the model \"", model_->key.name, "\" takes no text pairs"));
}

size_t InferCall::TextBytes(size_t input) const {
  if (tokens_) return tokens_->ids.columns() * sizeof(int32_t);
  return texts_[input].size() + (pairs_.empty() ? 0 : pairs_[input].size());
}

absl::Status InferCall::Encode(size_t index, tokenizer::Scratch& scratch, Input& out) {
  if (tokens_) return EncodeTokens(index, scratch, out);
  tokenizer::EncodeOptions options;
  options.max_length = model_->manifest.max_length;
  std::optional<absl::string_view> pair;
  if (!pairs_.empty()) pair = pairs_[index];
  return model_->tokenizer->Encode(texts_[index], pair, options, scratch, out.encoding);
}

/// What a model takes as type ids is what its own tokenizer makes of two texts, or of one if it takes no pairs.
absl::Status InferCall::FindTypeLimit(tokenizer::Scratch& scratch) {
  tokenizer::Encoding encoding;
  std::optional<absl::string_view> pair;
  if (model_->manifest.accepts_pairs) pair = "a";
  absl::Status status = model_->tokenizer->Encode("a", pair, {}, scratch, encoding);
  if (!status.ok()) return absl::InternalError(absl::StrCat("the tokenizer refuses a plain text: ", status.message()));
  for (const int32_t type : encoding.type_ids) type_limit_ = std::max<int64_t>(type_limit_, type + 1);
  return absl::OkStatus();
}

absl::Status InferCall::EncodeTokens(size_t row, tokenizer::Scratch& scratch, Input& out) {
  if (tokens_->type_ids && type_limit_ == 0) {
    if (absl::Status status = FindTypeLimit(scratch); !status.ok()) return status;
  }
  const absl::StatusOr<Extent> extent = ExtentOf(tokens_->mask, row);
  if (!extent.ok()) return extent.status();
  const size_t length = extent->end - extent->begin;
  if (length > model_->manifest.max_length) {
    return absl::InvalidArgumentError(
        absl::StrCat("input_ids: has ", length, " tokens, the model takes ", model_->manifest.max_length));
  }
  const auto vocabulary = static_cast<int64_t>(model_->tokenizer->vocab_size());
  for (size_t i = extent->begin; i < extent->end; ++i) {
    const int64_t id = tokens_->ids.at(row, i);
    if (id < 0 || id >= vocabulary) {
      return absl::InvalidArgumentError(absl::StrCat("input_ids: ", id, " in column ", i,
                                                     " is not in the vocabulary, whose ids are below ", vocabulary));
    }
    const int64_t type = tokens_->type_ids ? tokens_->type_ids->at(row, i) : 0;
    if (type < 0 || (type > 0 && type >= type_limit_)) {
      return absl::InvalidArgumentError(
          absl::StrCat("token_type_ids: ", type, " in column ", i, " is not below ", type_limit_));
    }
    out.encoding.ids.push_back(static_cast<int32_t>(id));
    out.encoding.type_ids.push_back(static_cast<int32_t>(type));
  }
  return absl::OkStatus();
}

void InferCall::AddResults() {
  const models::Manifest& manifest = model_->manifest;
  const bool embeds = manifest.task == models::Task::kEmbeddings;
  rows_.width = embeds ? models::PooledSize(manifest.pooling, manifest.dimension) : manifest.labels.size();
  rows_.values.resize(size_ * rows_.width);
}

void InferCall::Fill(size_t index, Outputs outputs, const batcher::Outcome&) {
  const models::Manifest& manifest = model_->manifest;
  std::vector<float> pooled;
  std::span<const float> row = outputs.front();
  if (manifest.task == models::Task::kEmbeddings) {
    models::Pool(outputs, manifest.dimension, manifest.pooling, manifest.normalize, pooled);
    row = pooled;
  }
  std::ranges::copy(row, rows_.values.begin() + static_cast<ptrdiff_t>(index * rows_.width));
}

void InferCall::EndResponse(const absl::Status& status) {
  response_.Clear();
  response_.set_id(request_.id());
  if (!status.ok()) return;
  response_.set_model_name(model_->key.name);
  response_.set_model_version(absl::StrCat(model_->key.version));
  AddOutputs(outputs_, model_->manifest, rows_, response_);
}

/// "text: is too long" of element 2 is "text[2]: is too long".
absl::Status InferCall::At(size_t input, absl::string_view separator, const absl::Status& status) const {
  const std::string index = absl::StrCat("[", input, "]");
  const absl::string_view message = status.message();
  const size_t colon = separator == "." ? message.find(':') : absl::string_view::npos;
  if (colon == absl::string_view::npos) {
    return absl::Status(status.code(), absl::StrCat(tokens_ ? "input_ids" : "text", index, ": ", message));
  }
  return absl::Status(status.code(), absl::StrCat(message.substr(0, colon), index, message.substr(colon)));
}

}  // namespace bertha::server::oip
