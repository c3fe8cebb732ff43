#include "server/bertha_methods.h"

#include <utility>

#include "server/model_status.h"
#include "server/record_feedback.h"

namespace bertha::server {
namespace {

const google::protobuf::ServiceDescriptor& BerthaService() {
  return *v1::ClassifyRequest::descriptor()->file()->FindServiceByName("Bertha");
}

template <class Request, class Response>
Method InferenceMethod(const char* name, const Inference& inference) {
  return MakeMethod<Request, Response>(
      BerthaService(), name, Scope::kInfer,
      [&inference](const Caller& caller, const Request& request, Response& response, Done done) {
        return inference.Start(request, response, caller.deadline, std::move(done));
      });
}

Method RecordFeedbackMethod(const Inference& inference) {
  return MakeMethod<v1::RecordFeedbackRequest, v1::RecordFeedbackResponse>(
      BerthaService(), "RecordFeedback", Scope::kFeedback,
      [&context = inference.context()](const Caller& caller, const v1::RecordFeedbackRequest& request,
                                       v1::RecordFeedbackResponse& response, Done done) {
        RecordFeedback(context.feedback, context.models, context.limits, request, {caller.address, caller.request_id},
                       response, std::move(done));
        return nullptr;  // it is too short to be worth cancelling, and would be stored anyway
      });
}

Method ListModels(const ModelTable& models) {
  return MakeMethod<v1::ListModelsRequest, v1::ListModelsResponse>(
      BerthaService(), "ListModels", Scope::kInfer,
      [&models](const Caller&, const v1::ListModelsRequest&, v1::ListModelsResponse& response, const Done& done) {
        for (const ModelEntry& entry : models.List()) *response.add_models() = ToWire(entry);
        done(absl::OkStatus());
        return nullptr;
      });
}

}  // namespace

std::vector<Method> BerthaMethods(const Inference& inference, const ModelTable& models) {
  return {InferenceMethod<v1::ClassifyRequest, v1::ClassifyResponse>("Classify", inference),
          InferenceMethod<v1::TagTokensRequest, v1::TagTokensResponse>("TagTokens", inference),
          InferenceMethod<v1::AnswerRequest, v1::AnswerResponse>("Answer", inference),
          InferenceMethod<v1::EmbedRequest, v1::EmbedResponse>("Embed", inference),
          InferenceMethod<v1::CompareRequest, v1::CompareResponse>("Compare", inference),
          InferenceMethod<v1::TokenizeRequest, v1::TokenizeResponse>("Tokenize", inference),
          RecordFeedbackMethod(inference),
          ListModels(models)};
}

const google::protobuf::MethodDescriptor& StreamClassifyMethod() {
  return *BerthaService().FindMethodByName("StreamClassify");
}

}  // namespace bertha::server
