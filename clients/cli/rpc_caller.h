// Caller over gRPC: one unary call of bertha.v1 for each call, of the RPC that a task names. Thread-safe.
#ifndef BERTHA_CLIENTS_CLI_RPC_CALLER_H_
#define BERTHA_CLIENTS_CLI_RPC_CALLER_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "bertha/v1/bertha.grpc.pb.h"
#include "clients/cli/rpc_channel.h"
#include "clients/cli/run_texts.h"
#include "clients/cli/send_chunk.h"

namespace bertha::cli {

/// The connection of a run, and how its calls ended.
class RunConnection {
 public:
  explicit RunConnection(const Server& server);
  v1::Bertha::Stub& stub() { return *stub_; }
  void Authorize(grpc::ClientContext& context) const { cli::Authorize(server_, context); }
  /// All of a CallResult but its results.
  CallResult Judge(const grpc::Status& status, const grpc::ClientContext& context);

 private:
  const Server server_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Bertha::Stub> stub_;
  std::atomic<bool> reached_ = false;
};

Timing ToTiming(const v1::Timing& timing);
std::shared_ptr<const Model> ToModel(const v1::ModelInfo& info);
inline Range ToRange(const v1::Range& range) { return {range.begin(), range.end()}; }
v1::TruncationPolicy ToWire(LongTexts long_texts);
v1::Priority ToWire(Priority priority);

/// For the three commands whose inputs are texts.
void AddText(const Input& input, v1::TextInput& sent);

/// A request without its inputs and options.
template <typename Request>
Request RequestOf(const RunOptions& run) {
  Request request;
  request.set_model(run.model.name);
  request.set_version(run.model.version);
  request.set_version_label(run.model.label);
  request.set_priority(ToWire(run.priority));
  return request;
}

/// What to do with long texts, of three tasks' options.
template <typename Options>
void SetLongTexts(const RunOptions& run, Options& options) {
  options.set_truncation(ToWire(run.long_texts));
  if (run.stride) options.set_stride(*run.stride);
}

/// `Task` has the types Request and Response; kMethod, the stub's; AddInput(const Input&, Request&); and ToBody(Result
/// of the response), which gives what goes into Result::body.
template <typename Task>
class RpcCaller : public Caller {
 public:
  /// `prototype`: the request without its inputs.
  RpcCaller(const Server& server, typename Task::Request prototype)
      : connection_(server), prototype_(std::move(prototype)) {}

  CallResult Call(absl::Span<const Input* const> inputs, absl::Time deadline) override {
    typename Task::Request request = prototype_;
    for (const Input* input : inputs) Task::AddInput(*input, request);
    grpc::ClientContext context;
    connection_.Authorize(context);
    context.set_deadline(absl::ToChronoTime(deadline));
    typename Task::Response response;
    const grpc::Status status = (connection_.stub().*Task::kMethod)(&context, request, &response);
    CallResult called = connection_.Judge(status, context);
    if (!status.ok()) return called;
    const auto model = ToModel(response.model());
    for (const auto& result : response.results()) called.results.push_back(ToResult(result, model));
    return called;
  }

 private:
  template <typename WireResult>
  static Result ToResult(const WireResult& wire, const std::shared_ptr<const Model>& model) {
    Result result{.body = Task::ToBody(wire),
                  .tokens = wire.tokens(),
                  .windows = wire.windows(),
                  .timing = ToTiming(wire.timing()),
                  .batch_size = wire.batch().size(),
                  .model = model};
    if constexpr (requires { wire.truncated(); }) result.truncated = wire.truncated();
    return result;
  }

  RunConnection connection_;
  const typename Task::Request prototype_;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_RPC_CALLER_H_
