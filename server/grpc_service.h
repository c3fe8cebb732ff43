// bertha.v1.Bertha on gRPC's callback API: decodes, hands over to Inference, encodes. No policy lives here.
//
// All but ListModels take raw messages, so that one that protobuf refuses gets INVALID_ARGUMENT that says why
// instead of gRPC's INTERNAL.
#ifndef BERTHA_SERVER_GRPC_SERVICE_H_
#define BERTHA_SERVER_GRPC_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <set>

#include "batcher/mutex.h"
#include "bertha/v1/bertha.grpc.pb.h"
#include "server/inference.h"
#include "server/model_table.h"

namespace bertha::server {

class StreamSession;

/// absl's status as gRPC's; the codes are the same.
grpc::Status ToGrpc(const absl::Status& status);

class GrpcService final
    : public v1::Bertha::WithRawCallbackMethod_Classify<
          v1::Bertha::WithRawCallbackMethod_TagTokens<v1::Bertha::WithRawCallbackMethod_Answer<
              v1::Bertha::WithRawCallbackMethod_Embed<v1::Bertha::WithRawCallbackMethod_StreamClassify<
                  v1::Bertha::WithCallbackMethod_ListModels<v1::Bertha::Service>>>>>> {
 public:
  GrpcService(Inference& inference, const ModelTable& models, size_t max_stream_in_flight)
      : inference_(inference), models_(models), max_stream_in_flight_(max_stream_in_flight) {}

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* TagTokens(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamClassify(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

  /// From now on new calls get UNAVAILABLE; streams read no more, answer what they have read, and end.
  void BeginDrain();
  /// Waits until all calls and streams have ended, and then, for two seconds at most, until no new ones come: gRPC's
  /// shutdown ends a call that arrives just then as CANCELLED, which tells its caller nothing. False if `until` came
  /// before the end of the last call.
  bool WaitUntilQuiet(std::chrono::steady_clock::time_point until);

 private:
  friend class StreamReactor;
  template <class Request, class Response>
  friend class UnaryReactor;
  template <class Request, class Response>
  grpc::ServerUnaryReactor* StartUnary(grpc::CallbackServerContext& context, const grpc::ByteBuffer& request,
                                       grpc::ByteBuffer& response);
  /// False if the call must be refused. EndCall follows in any case.
  bool BeginCall();
  void EndCall();
  void AddStream(std::shared_ptr<StreamSession> session);
  void RemoveStream(const std::shared_ptr<StreamSession>& session);

  Inference& inference_;
  const ModelTable& models_;
  const size_t max_stream_in_flight_;
  Mutex mutex_;
  CondVar ended_;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;  // unary ones
  std::chrono::steady_clock::time_point last_arrival_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<StreamSession>> streams_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_SERVICE_H_
