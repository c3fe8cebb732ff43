#include "clients/cli/rpc_classifier.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "clients/cli/rpc_channel.h"

namespace bertha::cli {
namespace {

std::optional<int64_t> Pushback(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find("grpc-retry-pushback-ms");
  int64_t ms = 0;
  if (found == trailers.end()) return std::nullopt;
  // What is not a number means "do not try again", as gRPC's own clients read it.
  return absl::SimpleAtoi(absl::string_view(found->second.data(), found->second.size()), &ms) ? ms : -1;
}

Answer ToAnswer(const v1::ClassifyResult& result, std::shared_ptr<const Model> model) {
  Answer answer{.logits = {result.logits().begin(), result.logits().end()},
                .tokens = result.tokens(),
                .truncated = result.truncated(),
                .timing = {.tokenize_us = result.timing().tokenize_us(),
                           .queue_us = result.timing().queue_us(),
                           .compute_us = result.timing().compute_us(),
                           .total_us = result.timing().total_us()},
                .batch_size = result.batch().size(),
                .model = std::move(model)};
  for (const v1::LabelScore& s : result.scores()) answer.scores.push_back({s.label(), s.score()});
  return answer;
}

std::vector<Answer> ToAnswers(const v1::ClassifyResponse& response) {
  const v1::ModelInfo& m = response.model();
  const auto model = std::make_shared<const Model>(Model{m.name(), m.version(), m.engine(), m.device(), m.dtype()});
  std::vector<Answer> answers;
  for (const v1::ClassifyResult& result : response.results()) answers.push_back(ToAnswer(result, model));
  return answers;
}

}  // namespace

CallResult RpcClassifier::Classify(absl::Span<const Input* const> inputs, absl::Time deadline) {
  v1::ClassifyRequest request = prototype_;
  for (const Input* input : inputs) {
    v1::TextInput* sent = request.add_inputs();
    sent->set_text(input->text);
    if (input->pair) sent->set_text_pair(*input->pair);
  }
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::ClassifyResponse response;
  const grpc::Status status = stub_->Classify(&context, request, &response);

  CallResult result{.status = ToStatus(status)};
  result.unreachable = IsUnreachable(status, *channel_);
  if (!result.unreachable) reached_ = true;
  result.never_reached = !reached_;
  result.pushback_ms = Pushback(context);
  if (status.ok()) result.answers = ToAnswers(response);
  return result;
}

}  // namespace bertha::cli
