#include "server/oip/rest_routes.h"

#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "inference/grpc_service.pb.h"
#include "models/json.h"
#include "server/proto_json.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/utf8.h"

namespace bertha::server::oip {
namespace {

using google::protobuf::Message;

constexpr int kNotReady = 503;

absl::Status CheckPath(const RestRequest& request) {
  for (const std::string* part : {&request.model, &request.version}) {
    if (tokenizer::FindInvalidUtf8(*part) != absl::string_view::npos) {
      return absl::InvalidArgumentError("the path is not UTF-8");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadNothing(const RestRequest&, Message&) { return absl::OkStatus(); }

template <class Request>
absl::Status ReadName(const RestRequest& request, Message& message) {
  auto& named = static_cast<Request&>(message);
  named.set_name(request.model);
  named.set_version(request.version);
  return CheckPath(request);
}

absl::Status ReadInfer(const RestRequest& request, Message& message) {
  auto& infer = static_cast<inference::ModelInferRequest&>(message);
  if (absl::Status status = CheckPath(request); !status.ok()) return status;
  infer.set_model_name(request.model);
  infer.set_model_version(request.version);
  return ReadInferRequest(request.body, request.json_length, infer);
}

/// The body is optional.
absl::Status ReadIndex(const RestRequest& request, Message& message) {
  if (request.body.empty()) return absl::OkStatus();
  const absl::StatusOr<nlohmann::json> document = models::ParseJsonObject(request.body);
  if (!document.ok()) return document.status();
  models::JsonReader reader(*document);
  static_cast<inference::RepositoryIndexRequest&>(message).set_ready(reader.Bool("ready", false));
  return reader.Done();
}

/// {"parameters": {...}}, or nothing; only the parameters' names are kept.
template <class Request>
absl::Status ReadRepositoryCall(const RestRequest& request, Message& message) {
  auto& call = static_cast<Request&>(message);
  call.set_model_name(request.model);
  if (absl::Status status = CheckPath(request); !status.ok() || request.body.empty()) return status;
  const absl::StatusOr<nlohmann::json> document = models::ParseJsonObject(request.body);
  if (!document.ok()) return document.status();
  models::JsonReader reader(*document);
  const nlohmann::json* parameters = reader.Optional("parameters") ? reader.Object("parameters") : nullptr;
  if (absl::Status status = reader.Done(); !status.ok() || !parameters) return status;
  for (const auto& [name, value] : parameters->items()) (*call.mutable_parameters())[name];
  return absl::OkStatus();
}

std::string Json(const Message& message) { return ToJson(message, Integers64::kNumbers); }

RestReply WriteJson(const Message&, const Message& response) { return {.body = {Json(response), {}}}; }

/// The protocol tells readiness by the HTTP code.
template <class Response>
RestReply WriteReadiness(const Message&, const Message& response) {
  const bool ready = static_cast<const Response&>(response).ready();
  return {.http_status = ready ? 200 : kNotReady, .body = {Json(response), {}}};
}

RestReply WriteConfig(const Message&, const Message& response) {
  return {.body = {Json(static_cast<const inference::ModelConfigResponse&>(response).config()), {}}};
}

/// A list, not an object.
RestReply WriteIndex(const Message&, const Message& response) {
  std::string list = "[";
  for (const auto& model : static_cast<const inference::RepositoryIndexResponse&>(response).models()) {
    absl::StrAppend(&list, list.size() > 1 ? "," : "", Json(model));
  }
  return {.body = {list + "]", {}}};
}

RestReply WriteInfer(const Message& request, const Message& response) {
  return {.body = WriteInferResponse(static_cast<const inference::ModelInferRequest&>(request),
                                     static_cast<const inference::ModelInferResponse&>(response))};
}

/// How a method's messages are read and written, wherever it is.
struct Form {
  decltype(RestRoute::read) read;
  decltype(RestRoute::write) write;
};

std::map<std::string, Form> MakeForms() {
  using namespace ::inference;
  return {
      {"ServerMetadata", {ReadNothing, WriteJson}},
      {"ServerLive", {ReadNothing, WriteJson}},
      {"ServerReady", {ReadNothing, WriteReadiness<ServerReadyResponse>}},
      {"ModelMetadata", {ReadName<ModelMetadataRequest>, WriteJson}},
      {"ModelReady", {ReadName<ModelReadyRequest>, WriteReadiness<ModelReadyResponse>}},
      {"ModelConfig", {ReadName<ModelConfigRequest>, WriteConfig}},
      {"ModelStatistics", {ReadName<ModelStatisticsRequest>, WriteJson}},
      {"ModelInfer", {ReadInfer, WriteInfer}},
      {"RepositoryIndex", {ReadIndex, WriteIndex}},
      {"RepositoryModelLoad", {ReadRepositoryCall<RepositoryModelLoadRequest>, WriteJson}},
      {"RepositoryModelUnload", {ReadRepositoryCall<RepositoryModelUnloadRequest>, WriteJson}},
  };
}

std::vector<RestRoute> MakeRoutes() {
  const std::map<std::string, Form> forms = MakeForms();
  std::vector<RestRoute> routes;
  for (const RestPath& path : RestPaths()) {
    const Form& form = forms.at(path.method);
    routes.push_back({path, form.read, form.write});
  }
  return routes;
}

}  // namespace

const std::vector<RestRoute>& RestRoutes() {
  static const auto* const routes = new std::vector<RestRoute>(MakeRoutes());
  return *routes;
}

absl::StatusOr<size_t> ParseJsonLength(const std::string& header) {
  uint64_t length = 0;
  if (absl::SimpleAtoi(header, &length)) return length;
  return absl::InvalidArgumentError(
      absl::StrCat(kJsonLengthHeader, ": is ", tokenizer::Quoted(header), ", expected a number"));
}

}  // namespace bertha::server::oip
