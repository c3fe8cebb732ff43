#include "clients/cli/rpc_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "absl/strings/str_cat.h"
#include "clients/cli/output.h"

namespace bertha::cli {
namespace {

constexpr char kRoundRobin[] =
    R"({"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}})";
/// A name is looked up again when a connection ends, but not sooner than this. With gRPC's own 30 s all servers that
/// are known could have been replaced by then.
constexpr int kLookUpAgainMs = 1000;

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const Server& server) {
  if (!server.tls) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials(
      {.pem_root_certs = server.ca, .pem_private_key = server.key, .pem_cert_chain = server.certificate});
}

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const Server& server, Connection connection, Balancing balancing) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a proxy for the web must not stand between here and localhost
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);  // a server that is starting is found soon
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetMaxReceiveMessageSize(-1);
  if (connection == Connection::kOwn) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (balancing == Balancing::kRoundRobin) {
    arguments.SetServiceConfigJSON(kRoundRobin);
    arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kLookUpAgainMs);
  }
  return grpc::CreateCustomChannel(server.address, CredentialsOf(server), arguments);
}

std::string Authorization(const Server& server) {
  return server.token.empty() ? std::string() : absl::StrCat("Bearer ", server.token);
}

void Authorize(const Server& server, grpc::ClientContext& context) {
  if (!server.token.empty()) context.AddMetadata("authorization", Authorization(server));
}

absl::Status ToStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

bool IsUnreachable(const grpc::Status& status, grpc::Channel& channel) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return channel.GetState(false) != GRPC_CHANNEL_READY;
  if (status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) return false;
  const grpc_connectivity_state state = channel.GetState(false);
  return state == GRPC_CHANNEL_CONNECTING || state == GRPC_CHANNEL_TRANSIENT_FAILURE;
}

std::string UnreachableMessage(absl::string_view address, const absl::Status& status) {
  // gRPC's messages are chains "what: where: why"; the last link is what a person wants.
  absl::string_view why = status.message();
  const size_t last = why.rfind(": ");
  if (last != absl::string_view::npos) why.remove_prefix(last + 2);
  if (absl::IsDeadlineExceeded(status)) why = "no connection in time";
  return absl::StrCat("cannot reach berthad at ", address, ": ", why,
                      "; start it with scripts/serve or pass --address HOST:PORT");
}

absl::Status CallFailure(const Server& server, const grpc::Status& status, grpc::Channel& channel) {
  const absl::Status failure = ToStatus(status);
  if (IsUnreachable(status, channel)) return absl::UnavailableError(UnreachableMessage(server.address, failure));
  return absl::FailedPreconditionError(ErrorText(failure));
}

}  // namespace bertha::cli
