#include "server/grpc_probe.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "server/grpc_limits.h"

namespace bertha::server {
namespace {

/// Takes away what is added to every server of the process: reflection.
class WithoutPlugins final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override { plugins->clear(); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<ProbeServer>> ProbeServer::Start(const std::string& address,
                                                                const HealthSnapshot& snapshot) {
  constexpr int kMostBytes = 4096;  // the name of a service
  constexpr int kMostStreams = 100;
  std::unique_ptr<ProbeServer> probe(new ProbeServer(snapshot));
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
  builder.SetOption(std::make_unique<WithoutPlugins>());
  builder.SetMaxReceiveMessageSize(kMostBytes);
  RefuseCompression(builder);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&probe->health_);
  probe->server_ = builder.BuildAndStart();
  if (!probe->server_ || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address,
                                               " (probe.address): the port is in use or the address is not of this "
                                               "machine; choose another with --probe-address, or \"\" for none"));
  }
  return probe;
}

void ProbeServer::Close() {
  health_.EndWatches(kClosePatience);
  server_->Shutdown(std::chrono::system_clock::now() + kClosePatience);
}

ProbeServer::~ProbeServer() {
  if (!server_) return;
  Close();
  server_->Wait();
}

}  // namespace bertha::server
