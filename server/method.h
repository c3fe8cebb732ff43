// The unary calls of the server's interface as a table that every transport serves: a call that is added here is there
// over gRPC and over HTTP.
#ifndef BERTHA_SERVER_METHOD_H_
#define BERTHA_SERVER_METHOD_H_

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/caller.h"
#include "server/operation.h"

namespace bertha::server {

/// What a caller must be allowed to do.
enum class Scope { kInfer, kFeedback, kAdmin };

struct Method {
  /// Starts the call. `request` and `response` are of the method's types and stay alive until `done`; `response` is
  /// filled if the status is OK. Null if the call has ended already.
  using Start = std::function<std::shared_ptr<Operation>(const Caller& caller, const google::protobuf::Message& request,
                                                         google::protobuf::Message& response, Done done)>;

  const google::protobuf::MethodDescriptor* descriptor;
  Scope scope;
  /// To make new messages from.
  const google::protobuf::Message* request;
  const google::protobuf::Message* response;
  Start start;

  /// "Classify".
  const std::string& name() const { return descriptor->name(); }
};

/// The method `name` of the service that `service` describes.
/// `start`: as Method::Start, with the messages' own types.
template <class Request, class Response, class Start>
Method MakeMethod(const google::protobuf::ServiceDescriptor& service, const std::string& name, Scope scope,
                  Start start) {
  return {service.FindMethodByName(name), scope, &Request::default_instance(), &Response::default_instance(),
          [start = std::move(start)](const Caller& caller, const google::protobuf::Message& request,
                                     google::protobuf::Message& response, Done done) -> std::shared_ptr<Operation> {
            return start(caller, static_cast<const Request&>(request), static_cast<Response&>(response),
                         std::move(done));
          }};
}

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METHOD_H_
