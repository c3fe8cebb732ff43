#include "clients/cli/rpc_caller.h"

#include "absl/strings/numbers.h"

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

}  // namespace

RunConnection::RunConnection(const Server& server)
    : server_(server), channel_(OpenChannel(server)), stub_(v1::Bertha::NewStub(channel_)) {}

CallResult RunConnection::Judge(const grpc::Status& status, const grpc::ClientContext& context) {
  CallResult result{.status = ToStatus(status)};
  result.unreachable = IsUnreachable(status, *channel_);
  if (!result.unreachable) reached_ = true;
  result.never_reached = !reached_;
  result.pushback_ms = Pushback(context);
  return result;
}

Timing ToTiming(const v1::Timing& t) { return {t.tokenize_us(), t.queue_us(), t.compute_us(), t.total_us()}; }

std::shared_ptr<const Model> ToModel(const v1::ModelInfo& m) {
  return std::make_shared<const Model>(Model{m.name(), m.version(), m.engine(), m.device(), m.dtype()});
}

v1::TruncationPolicy ToWire(LongTexts long_texts) {
  switch (long_texts) {
    case LongTexts::kRight:
      return v1::TRUNCATION_POLICY_RIGHT;
    case LongTexts::kLeft:
      return v1::TRUNCATION_POLICY_LEFT;
    case LongTexts::kError:
      return v1::TRUNCATION_POLICY_ERROR;
    case LongTexts::kWindow:
      return v1::TRUNCATION_POLICY_WINDOW;
  }
  return v1::TRUNCATION_POLICY_UNSPECIFIED;
}

v1::Priority ToWire(Priority priority) {
  switch (priority) {
    case Priority::kHigh:
      return v1::PRIORITY_HIGH;
    case Priority::kNormal:
      return v1::PRIORITY_NORMAL;
    case Priority::kBatch:
      return v1::PRIORITY_BATCH;
  }
  return v1::PRIORITY_UNSPECIFIED;
}

void AddText(const Input& input, v1::TextInput& sent) {
  sent.set_text(input.text);
  if (input.pair) sent.set_text_pair(*input.pair);
}

}  // namespace bertha::cli
