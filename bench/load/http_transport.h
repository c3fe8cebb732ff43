// Calls as HTTP/1.1 POSTs, for servers that speak neither bertha.v1 nor the Open Inference Protocol over gRPC: the body
// is a template, the answer any 2xx.
//
// Each channel is a thread with keep-alive connections of its own, one for each call in flight.
#ifndef BERTHA_BENCH_LOAD_HTTP_TRANSPORT_H_
#define BERTHA_BENCH_LOAD_HTTP_TRANSPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bench/load/plan.h"
#include "bench/load/transport.h"

namespace bertha::load {

struct HttpOptions {
  /// "host:port".
  std::string address;
  /// "/predict". {model} becomes the model's name.
  std::string path = "/";
  /// {text} becomes the text as a JSON string, quotes included; {model} the model's name as it is.
  std::string body = R"({"text": {text}})";
  /// The value of "authorization"; empty: none is sent.
  std::string authorization;
  size_t channels = 2;
};

/// INVALID_ARGUMENT if the template has no {text}; UNAVAILABLE if nobody listens there. `texts` must outlive the
/// transport.
absl::StatusOr<std::unique_ptr<Transport>> OpenHttp(HttpOptions options, std::vector<Plan::Model> models,
                                                    const std::vector<std::string>& texts);

/// How a call ended that was answered with this status; OK for all of 2xx.
absl::StatusCode CodeOfHttp(int status);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_HTTP_TRANSPORT_H_
