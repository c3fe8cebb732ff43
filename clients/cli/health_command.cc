#include "clients/cli/health_command.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/output.h"
#include "clients/cli/rpc_channel.h"
#include "clients/cli/terminal.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace bertha::cli {
namespace {

namespace health = ::grpc::health::v1;

/// What is known when the asking ends.
struct Health {
  /// "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN", "UNKNOWN", or "UNREACHABLE".
  std::string state = "UNREACHABLE";
  /// How the last call ended.
  absl::Status status;
};

class HealthClient {
 public:
  explicit HealthClient(const HealthOptions& options)
      : channel_(OpenChannel(options.server)), stub_(health::Health::NewStub(channel_)) {
    request_.set_service(options.model);
  }

  Health Check(absl::Time deadline) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    health::HealthCheckResponse response;
    Health result;
    Note(stub_->Check(&context, request_, &response), response, result);
    return result;
  }

  /// Watches, over as many connections as it takes, until the state is SERVING or the deadline passes.
  Health WaitUntilServing(absl::Time deadline) {
    Health result;
    while (!Watch(deadline, result) && absl::IsUnavailable(result.status) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(100));  // a server that accepts and hangs up must not be hammered
    }
    return result;
  }

 private:
  /// One stream; true when it says SERVING.
  bool Watch(absl::Time deadline, Health& result) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    context.set_wait_for_ready(true);
    const auto stream = stub_->Watch(&context, request_);
    health::HealthCheckResponse response;
    while (stream->Read(&response)) {
      result.state = health::HealthCheckResponse::ServingStatus_Name(response.status());
      result.status = absl::OkStatus();
      if (response.status() == health::HealthCheckResponse::SERVING) {
        context.TryCancel();
        return true;
      }
    }
    const grpc::Status end = stream->Finish();
    result.status = ToStatus(end);
    if (IsUnreachable(end, *channel_)) result.state = "UNREACHABLE";
    return false;
  }

  void Note(const grpc::Status& status, const health::HealthCheckResponse& response, Health& result) {
    result.status = ToStatus(status);
    if (status.ok()) {
      result.state = health::HealthCheckResponse::ServingStatus_Name(response.status());
    } else if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      result.state = "SERVICE_UNKNOWN";
    } else {
      result.state = IsUnreachable(status, *channel_) ? "UNREACHABLE" : "UNKNOWN";
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<health::Health::Stub> stub_;
  health::HealthCheckRequest request_;
};

int Report(const HealthOptions& options, const Health& health) {
  if (options.json) {
    nlohmann::ordered_json json{
        {"address", options.server.address}, {"model", options.model}, {"status", health.state}};
    WriteOut(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  } else if (health.state != "UNREACHABLE") {
    WriteOut(absl::StrCat(options.model.empty() ? "" : options.model + ": ", health.state, "\n"));
  }
  if (health.state == "SERVING") return kExitOk;
  if (health.state == "UNREACHABLE") {
    PrintError(UnreachableMessage(options.server.address, health.status));
    return kExitUnreachable;
  }
  if (health.state == "SERVICE_UNKNOWN") {
    PrintError(absl::StrCat("the server knows no model '", options.model, "'; `bertha models` lists what it has"));
  } else if (!health.status.ok() && !absl::IsDeadlineExceeded(health.status)) {
    PrintError(absl::StrCat(CodeName(health.status.code()), ": ", health.status.message()));
  }
  return kExitFailed;
}

}  // namespace

int RunHealth(const HealthOptions& options) {
  HealthClient client(options);
  const bool wait = options.wait_seconds > 0;
  const absl::Time deadline = absl::Now() + absl::Seconds(wait ? options.wait_seconds : options.timeout_seconds);
  return Report(options, wait ? client.WaitUntilServing(deadline) : client.Check(deadline));
}

}  // namespace bertha::cli
