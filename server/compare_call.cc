#include "server/compare_call.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/inference.h"
#include "server/retry.h"
#include "server/tokenize_call.h"

namespace bertha::server {

CompareCall::CompareCall(const Inference& inference, const v1::CompareRequest& request, v1::CompareResponse& response,
                         batcher::TimePoint deadline, Done done)
    : inference_(inference), request_(request), response_(response), deadline_(deadline), done_(std::move(done)) {}

void CompareCall::Run() {
  if (absl::Status status = Begin(); !status.ok()) return Finish(status);
  const v1::TextInput& text = request_.input();
  const CallContext& context = inference_.context();
  // Each model tokenizes for itself.
  if ((text.text().size() + text.text_pair().size()) * parts_.size() <= context.limits.max_inline_bytes) {
    return StartAll();
  }
  if (!context.pool.TryRun([self = shared_from_this()] { self->StartAll(); })) {
    Finish(absl::ResourceExhaustedError("too many long calls are being tokenized; try again later"));
  }
}

absl::StatusOr<std::vector<v1::ModelRef>> CompareCall::Models() const {
  std::vector<v1::ModelRef> models(request_.models().begin(), request_.models().end());
  const bool all = models.empty();
  if (all) {
    std::set<std::string> names;
    for (const ModelEntry& entry : inference_.context().models.List()) {
      if (entry.model && entry.model->manifest.task == models::Task::kSequenceClassification) {
        names.insert(entry.key.name);
      }
    }
    for (const std::string& name : names) models.emplace_back().set_name(name);
    if (models.empty()) return absl::FailedPreconditionError("models: no classifier is loaded; ListModels tells more");
  }
  if (models.size() <= kMostModels) return models;
  return absl::InvalidArgumentError(absl::StrCat("models: ", models.size(), all ? " serve" : " are named", ", at most ",
                                                 kMostModels, " are compared in one call; name those that matter"));
}

absl::Status CompareCall::Begin() {
  if (!request_.has_input()) return absl::InvalidArgumentError("input: is missing; it holds the text");
  auto models = Models();
  if (!models.ok()) return models.status();
  parts_.resize(models->size());
  for (size_t i = 0; i < parts_.size(); ++i) {
    const v1::ModelRef& model = (*models)[i];
    v1::ClassifyRequest& part = parts_[i].request;
    part.set_model(model.name());
    part.set_version(model.version());
    part.set_version_label(model.version_label());
    *part.add_inputs() = request_.input();
    *part.mutable_options() = request_.options();
    part.set_priority(request_.priority());
    v1::ModelInfo& info = *response_.add_results()->mutable_model();
    info.set_name(model.name());
    info.set_version(model.version());
  }
  return absl::OkStatus();
}

void CompareCall::StartAll() {
  const auto self = shared_from_this();
  if (request_.tokens()) AddTokens();
  unfinished_ = parts_.size() + 1;
  for (size_t i = 0; i < parts_.size(); ++i) {
    parts_[i].call = inference_.Start(parts_[i].request, parts_[i].response, deadline_,
                                      [self, i](const absl::Status& status) { self->OnPart(i, status); });
  }
  // Either this thread sees `cancelled_`, or the one that cancels sees `started_`: both are sequentially consistent.
  started_ = true;
  if (cancelled_) Cancel();
  Leave();
}

/// Whoever cannot tokenize it fails below and says why.
void CompareCall::AddTokens() {
  const CallContext& context = inference_.context();
  size_t budget = context.limits.max_response_bytes;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const v1::ClassifyRequest& part = parts_[i].request;
    const v1::TextInput& text = request_.input();
    if (text.text().size() + text.text_pair().size() > context.limits.max_text_bytes) continue;
    const auto model = context.models.Find(part.model(), part.version(), part.version_label());
    if (!model.ok()) continue;
    v1::TokenizeResult& tokens = *response_.mutable_results(static_cast<int>(i))->mutable_tokens();
    if (!DescribeTokens(**model, text, request_.options().truncation(), budget, tokens).ok()) {
      response_.mutable_results(static_cast<int>(i))->clear_tokens();
    }
  }
}

void CompareCall::Cancel() {
  cancelled_ = true;
  if (!started_) return;
  for (const Part& part : parts_) part.call->Cancel();
}

void CompareCall::OnPart(size_t part, const absl::Status& status) {
  v1::CompareResult& result = *response_.mutable_results(static_cast<int>(part));
  v1::ClassifyResponse& response = parts_[part].response;
  if (status.ok()) {
    result.mutable_model()->Swap(response.mutable_model());
    result.mutable_result()->Swap(response.mutable_results(0));
  } else {
    *result.mutable_error() = ToWire(status, inference_);
  }
  Leave();
}

void CompareCall::Leave() {
  if (--unfinished_ > 0) return;
  Finish(cancelled_ ? absl::CancelledError("cancelled by the caller") : absl::OkStatus());
}

void CompareCall::Finish(const absl::Status& status) {
  if (!status.ok()) response_.Clear();
  std::exchange(done_, nullptr)(status);
}

}  // namespace bertha::server
