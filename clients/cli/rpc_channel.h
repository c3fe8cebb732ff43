// The connection to berthad, and telling "the server said no" from "there is no server".
#ifndef BERTHA_CLIENTS_CLI_RPC_CHANNEL_H_
#define BERTHA_CLIENTS_CLI_RPC_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "clients/cli/server.h"

namespace bertha::cli {

/// Whether channels to the same server share a connection, as they do by default.
enum class Connection { kShared, kOwn };

/// Never fails; the connection is made by the first call.
std::shared_ptr<grpc::Channel> OpenChannel(const Server& server, Connection connection = Connection::kShared,
                                           Balancing balancing = Balancing::kPickFirst);

/// What calls carry as "authorization"; empty if there is no token.
std::string Authorization(const Server& server);

/// Adds the token, if there is one, to a call.
void Authorize(const Server& server, grpc::ClientContext& context);

/// The same code and message.
absl::Status ToStatus(const grpc::Status& status);

/// True if a call over `channel` ended as `status` because there is no connection.
bool IsUnreachable(const grpc::Status& status, grpc::Channel& channel);

/// One line: what cannot be reached, why (from the status of the call), and what to do.
std::string UnreachableMessage(absl::string_view address, const absl::Status& status);

/// Why a call over `channel`, to `server`, failed, for a person: UNAVAILABLE if it cannot be reached, else
/// FAILED_PRECONDITION with the call's own code and message.
absl::Status CallFailure(const Server& server, const grpc::Status& status, grpc::Channel& channel);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_RPC_CHANNEL_H_
