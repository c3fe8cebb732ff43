#include "bench/load/freezing_server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/mutex.h"
#include "bertha/v1/bertha.grpc.pb.h"

namespace bertha::load {

class FreezingServer::Service final : public v1::Bertha::CallbackService {
 public:
  Service() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~Service() override {
    SetFrozen(false);
    if (server_) server_->Shutdown();
  }

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context, const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override {
    for (int i = 0; i < request->inputs_size(); ++i) response->add_results();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    {
      MutexLock lock(mutex_);
      if (frozen_) {
        waiting_.push_back(reactor);
        return reactor;
      }
    }
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  void SetFrozen(bool frozen) {
    std::vector<grpc::ServerUnaryReactor*> thawed;
    {
      MutexLock lock(mutex_);
      frozen_ = frozen;
      if (!frozen) thawed = std::exchange(waiting_, {});
    }
    for (grpc::ServerUnaryReactor* reactor : thawed) reactor->Finish(grpc::Status::OK);
  }

  int port() const { return port_; }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  bool frozen_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<grpc::ServerUnaryReactor*> waiting_ ABSL_GUARDED_BY(mutex_);
};

FreezingServer::FreezingServer() : service_(std::make_unique<Service>()) {}
FreezingServer::~FreezingServer() = default;

bool FreezingServer::listens() const { return service_->port() != 0; }

std::shared_ptr<grpc::Channel> FreezingServer::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", service_->port()), grpc::InsecureChannelCredentials(),
                                   arguments);
}

void FreezingServer::Freeze() { service_->SetFrozen(true); }
void FreezingServer::Thaw() { service_->SetFrozen(false); }

}  // namespace bertha::load
