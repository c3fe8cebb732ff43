#include "server/answer_call.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/wire_range.h"

namespace bertha::server {
namespace {

constexpr size_t kDefaultStride = 128;
constexpr size_t kDefaultAnswerTokens = 15;
// They bound the time that finding the answers takes on the completion thread, which other calls wait for.
constexpr uint32_t kMostAnswers = 100, kMostAnswerTokens = 256;

absl::Status CheckLimit(absl::string_view field, uint32_t value, uint32_t limit) {
  if (value <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("options.", field, ": is ", value, ", at most ", limit, " is allowed"));
}

}  // namespace

size_t AnswerCall::TextBytes(size_t index) const {
  return input(index).question().size() + input(index).context().size();
}

absl::Status AnswerCall::Validate() const {
  const v1::AnswerOptions& options = request_.options();
  if (absl::Status status = CheckLimit("top_k", options.top_k(), kMostAnswers); !status.ok()) return status;
  if (absl::Status status = CheckLimit("max_answer_tokens", options.max_answer_tokens(), kMostAnswerTokens);
      !status.ok()) {
    return status;
  }
  for (size_t i = 0; i < size(); ++i) {
    if (absl::Status status = CheckBytes(i, "question", input(i).question()); !status.ok()) return status;
    if (absl::Status status = CheckBytes(i, "context", input(i).context()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

/// Tokens that neighbouring windows share: fewer than there is room for beside the question.
absl::StatusOr<size_t> AnswerCall::Stride(size_t index, tokenizer::Scratch& scratch, Input& out) const {
  const size_t max_length = model_->manifest.max_length;
  absl::Status status = model_->tokenizer->Encode(input(index).question(), "", {}, scratch, out.encoding);
  if (!status.ok()) return status;
  if (out.encoding.ids.size() >= max_length) {
    return absl::InvalidArgumentError(absl::StrCat("question: has ", out.encoding.ids.size(),
                                                   " tokens, special tokens included; the model takes ", max_length,
                                                   " and the context needs some of them"));
  }
  const size_t room = max_length - out.encoding.ids.size();
  const v1::AnswerOptions& options = request_.options();
  if (!options.has_stride()) return std::min({kDefaultStride, max_length / 2, room / 2});
  if (options.stride() < room) return options.stride();
  return absl::InvalidArgumentError(absl::StrCat("context: options.stride is ", options.stride(),
                                                 ", but beside the question a window has room for ", room,
                                                 " tokens; lower it"));
}

absl::Status AnswerCall::Encode(size_t index, tokenizer::Scratch& scratch, Input& out) {
  const absl::StatusOr<size_t> stride = Stride(index, scratch, out);
  if (!stride.ok()) return stride.status();
  const v1::QuestionInput& input = this->input(index);
  const tokenizer::EncodeOptions options = {.max_length = model_->manifest.max_length,
                                            .truncation_strategy = context_is_first()
                                                                       ? tokenizer::TruncationStrategy::kOnlyFirst
                                                                       : tokenizer::TruncationStrategy::kOnlySecond,
                                            .stride = *stride,
                                            .offsets = true,
                                            .char_offsets = true,
                                            .word_ids = true,
                                            .sequence_ids = true};
  return context_is_first() ? EncodeWindows(input.context(), input.question(), options, scratch, out)
                            : EncodeWindows(input.question(), input.context(), options, scratch, out);
}

void AnswerCall::Fill(size_t index, Outputs outputs, const batcher::Outcome& last) {
  windows_.clear();
  for (size_t w = 0; w < outputs.size(); ++w) windows_.push_back({inputs_[index].windows[w].encoding, outputs[w]});
  const v1::AnswerOptions& options = request_.options();
  const models::AnswerOptions wanted = {
      .top_k = std::max<size_t>(1, options.top_k()),
      .max_answer_tokens = options.max_answer_tokens() == 0 ? kDefaultAnswerTokens : options.max_answer_tokens(),
      .allow_no_answer = options.allow_no_answer()};
  const models::AnswerInput read = {.context_sequence = context_is_first() ? 0 : 1,
                                    .cls_id = model_->tokenizer->cls_id()};
  const std::string& context = input(index).context();
  v1::AnswerResult& result = this->result(index);
  result.set_no_answer_score(models::FindAnswers(context, windows_, read, wanted, answers_));
  for (const models::FoundAnswer& found : answers_) {
    v1::FoundAnswer& answer = *result.add_answers();
    answer.set_text(context.substr(found.bytes.begin, found.bytes.end - found.bytes.begin));
    answer.set_score(found.score);
    FillRange(found.bytes, *answer.mutable_bytes());
    FillRange(found.chars, *answer.mutable_chars());
    answer.set_no_answer(found.no_answer);
  }
  FillCommon(index, last, result);
}

}  // namespace bertha::server
