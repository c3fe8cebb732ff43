// Starts the calls of a server: the one door that its transports knock at.
//
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_INFERENCE_H_
#define BERTHA_SERVER_INFERENCE_H_

#include <memory>
#include <utility>

#include "server/answer_call.h"
#include "server/call.h"
#include "server/classify_call.h"
#include "server/compare_call.h"
#include "server/embed_call.h"
#include "server/oip/infer_call.h"
#include "server/tag_call.h"
#include "server/tokenize_call.h"

namespace bertha::server {

class Inference {
 public:
  /// What `context` refers to outlives the calls.
  explicit Inference(const CallContext& context) : context_(context) {}

  /// Starts a call of the task that the messages are of. `request` and `response` stay alive until `done`; `response`
  /// is filled if its status is OK. `deadline` max(): none.
  std::shared_ptr<Operation> Start(const v1::ClassifyRequest& request, v1::ClassifyResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run<ClassifyCall>(request, response, deadline, std::move(done));
  }
  std::shared_ptr<Operation> Start(const v1::TagTokensRequest& request, v1::TagTokensResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run<TagCall>(request, response, deadline, std::move(done));
  }
  std::shared_ptr<Operation> Start(const v1::AnswerRequest& request, v1::AnswerResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run<AnswerCall>(request, response, deadline, std::move(done));
  }
  std::shared_ptr<Operation> Start(const v1::EmbedRequest& request, v1::EmbedResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run<EmbedCall>(request, response, deadline, std::move(done));
  }

  std::shared_ptr<Operation> Start(const v1::TokenizeRequest& request, v1::TokenizeResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run<TokenizeCall>(request, response, deadline, std::move(done));
  }
  std::shared_ptr<Operation> Start(const v1::CompareRequest& request, v1::CompareResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run(std::make_shared<CompareCall>(*this, request, response, deadline, std::move(done)));
  }

  /// Of the Open Inference Protocol.
  std::shared_ptr<Operation> Start(const inference::ModelInferRequest& request, inference::ModelInferResponse& response,
                                   batcher::TimePoint deadline, Done done) const {
    return Run<oip::InferCall>(request, response, deadline, std::move(done));
  }

  /// When to try again after RESOURCE_EXHAUSTED or UNAVAILABLE.
  batcher::Duration RetryAfter() const { return context_.dispatcher.RetryAfter(); }
  const batcher::Clock& clock() const { return context_.clock; }
  const CallContext& context() const { return context_; }

 private:
  template <class TaskCall, class Request, class Response>
  std::shared_ptr<Operation> Run(const Request& request, Response& response, batcher::TimePoint deadline,
                                 Done done) const {
    return Run(std::make_shared<TaskCall>(context_, request, response, deadline, std::move(done)));
  }

  template <class AnyCall>
  static std::shared_ptr<Operation> Run(std::shared_ptr<AnyCall> call) {
    call->Run();
    return call;
  }

  const CallContext context_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_INFERENCE_H_
