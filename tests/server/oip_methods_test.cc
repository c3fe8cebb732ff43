// The methods of the Open Inference Protocol, and their paths over HTTP.
#include "server/oip/methods.h"

#include <memory>
#include <set>
#include <string>

#include "server/oip/describe.h"
#include "server/oip/rest_routes.h"
#include "tests/server/infer_fixture.h"

namespace bertha::server::oip {
namespace {

using absl::StatusCode;
using google::protobuf::Message;

struct MethodsFixture : InferenceFixture {
  MethodsFixture() {
    AddModel("m", 2);
    AddModel("m", 10, models::ProblemType::kSingleLabel, /*pairs=*/false);
    AddWordModel("vectors", models::Task::kEmbeddings);
    AddWordModel("tags", models::Task::kTokenClassification);
    table.SetLabels("m", {{"stable", 2}});
    table.SetFailed({"broken", 1}, "no weights");
    table.SetLoading({"coming", 1});
  }

  const Method& Find(const std::string& name) {
    for (const Method& method : methods) {
      if (method.name() == name) return method;
    }
    throw std::runtime_error(name);
  }

  /// A call of a method; waits for its end.
  absl::Status Call(const std::string& name, const Message& request, Message& response) {
    Mutex mutex;
    CondVar changed;
    std::optional<absl::Status> ended;
    auto operation = Find(name).start(Caller(), request, response, [&](const absl::Status& status) {
      MutexLock lock(mutex);
      ended = Unshared(status);
      changed.NotifyAll();
    });
    MutexLock lock(mutex);
    while (!ended) changed.Wait(mutex);
    return *ended;
  }
  template <class Response, class Request>
  Response Ask(const std::string& name, const Request& request) {
    Response response;
    const absl::Status status = Call(name, request, response);
    INFO(status.ToString());
    REQUIRE(status.ok());
    return response;
  }

  /// A request over HTTP: code and body.
  std::pair<int, std::string> Rest(const std::string& verb, const std::string& pattern, const RestRequest& request) {
    for (const RestRoute& route : RestRoutes()) {
      if (route.verb != verb || route.pattern != pattern) continue;
      const Method& method = Find(route.method);
      const std::unique_ptr<Message> in(method.request->New()), out(method.response->New());
      absl::Status status = route.read(request, *in);
      if (status.ok()) status = Call(route.method, *in, *out);
      if (!status.ok()) return {static_cast<int>(status.code()), ErrorJson(status)};
      const RestReply reply = route.write(*in, *out);
      return {reply.http_status, reply.body.bytes};
    }
    return {404, ""};
  }

  bool ready = true;
  ServerFacts facts{[this] { return ready; }, "127.0.0.1:8003"};
  std::vector<Method> methods = PublicMethods(inference, facts);
};

template <class Request>
Request Named(const std::string& name, const std::string& version = "") {
  Request request;
  request.set_name(name);
  request.set_version(version);
  return request;
}

TEST_CASE("EveryUnaryCallOfTheProtocolHasAMethod") {
  MethodsFixture f;
  std::set<std::string> names;
  for (const Method& method : f.methods) names.insert(method.name());
  for (int i = 0; i < Service().method_count(); ++i) {
    const bool unary = !Service().method(i)->client_streaming();
    CHECK(names.contains(Service().method(i)->name()) == unary);
  }
  for (const RestRoute& route : RestRoutes()) CHECK(names.contains(route.method));
}

TEST_CASE("ReadinessIsThatOfTheServerAndOfAModel") {
  MethodsFixture f;
  CHECK(f.Ask<inference::ServerLiveResponse>("ServerLive", inference::ServerLiveRequest()).live());
  CHECK(f.Ask<inference::ServerReadyResponse>("ServerReady", inference::ServerReadyRequest()).ready());
  f.ready = false;
  CHECK_FALSE(f.Ask<inference::ServerReadyResponse>("ServerReady", inference::ServerReadyRequest()).ready());
  const auto ready = [&](const char* name, const char* version) {
    return f.Ask<inference::ModelReadyResponse>("ModelReady", Named<inference::ModelReadyRequest>(name, version))
        .ready();
  };
  CHECK(ready("m", ""));
  CHECK(ready("m", "2"));
  CHECK(ready("m", "stable"));
  CHECK_FALSE(ready("m", "3"));
  CHECK_FALSE(ready("broken", ""));
  CHECK_FALSE(ready("coming", ""));
  CHECK_FALSE(ready("nope", ""));
}

TEST_CASE("MetadataNamesTheTensorsAndTheVersions") {
  MethodsFixture f;
  using inference::ModelMetadataRequest;
  const auto m = f.Ask<inference::ModelMetadataResponse>("ModelMetadata", Named<ModelMetadataRequest>("m"));
  CHECK(m.platform() == "bertha");
  REQUIRE(m.versions_size() == 2);
  CHECK(m.versions(0) == "2");
  CHECK(m.versions(1) == "10");
  REQUIRE(m.inputs_size() == 1);
  CHECK(m.inputs(0).ShortDebugString() == R"(name: "text" datatype: "BYTES" shape: -1 shape: 1)");
  REQUIRE(m.outputs_size() == 3);
  CHECK(m.outputs(2).ShortDebugString() == R"(name: "logits" datatype: "FP32" shape: -1 shape: 2)");
  const auto vectors = f.Ask<inference::ModelMetadataResponse>("ModelMetadata", Named<ModelMetadataRequest>("vectors"));
  CHECK(vectors.outputs(0).ShortDebugString() == R"(name: "embedding" datatype: "FP32" shape: -1 shape: 2)");
  inference::ModelMetadataResponse response;
  CHECK(Is(f.Call("ModelMetadata", Named<ModelMetadataRequest>("tags"), response), StatusCode::kFailedPrecondition,
           "call TagTokens of bertha.v1.Bertha"));
  CHECK(Is(f.Call("ModelMetadata", Named<ModelMetadataRequest>("nope"), response), StatusCode::kNotFound, "nope"));
}

TEST_CASE("TheConfigSaysHowManyTextsACallMayHave") {
  MethodsFixture f;
  const auto config =
      f.Ask<inference::ModelConfigResponse>("ModelConfig", Named<inference::ModelConfigRequest>("m", "stable"))
          .config();
  CHECK(config.max_batch_size() == 256);
  CHECK(config.backend() == "bertha");
  CHECK(config.input(0).data_type() == inference::TYPE_STRING);
  CHECK(config.output(1).data_type() == inference::TYPE_FP32);
  CHECK(config.dynamic_batching().priority_levels() == 3);
  CHECK(config.parameters().at("version").string_value() == "2");
  CHECK(config.parameters().at("more_inputs").string_value() == "text_pair input_ids attention_mask token_type_ids");
  const auto newest =
      f.Ask<inference::ModelConfigResponse>("ModelConfig", Named<inference::ModelConfigRequest>("m")).config();
  CHECK(newest.parameters().at("more_inputs").string_value() == "input_ids attention_mask token_type_ids");
}

TEST_CASE("StatisticsCountAllCallsWhicheverProtocolTheyCameBy") {
  MethodsFixture f;
  const auto statistics = [&](const char* name, const char* version = "") {
    return f.Ask<inference::ModelStatisticsResponse>("ModelStatistics",
                                                     Named<inference::ModelStatisticsRequest>(name, version));
  };
  CHECK(statistics("").model_stats_size() == 4);
  CHECK(statistics("m").model_stats_size() == 2);
  CHECK(statistics("m", "stable").model_stats(0).version() == "2");
  CHECK(statistics("m", "2").model_stats(0).last_inference() == 0);

  batcher::FakeEncoder* encoder = f.AddModel("timed");
  encoder->on_run = [&](const std::vector<int32_t>&) {
    f.clock.Advance(std::chrono::milliseconds(3));
    return absl::OkStatus();
  };
  Request request = TypedTexts({"a", "b"});
  request.set_model_name("timed");
  Response response;
  REQUIRE(f.Do(request, &response).ok());
  REQUIRE(f.Classify(f.Request({"c"}, "timed")).ok());
  CHECK_FALSE(f.Classify(f.Request({"!"}, "timed")).ok());
  CHECK_FALSE(f.Classify(f.Request({}, "timed")).ok());
  const auto stats = statistics("timed").model_stats(0);
  CHECK(stats.inference_count() == 3);
  CHECK(stats.execution_count() == 2);
  CHECK(stats.last_inference() > 1'700'000'000'000);
  CHECK(stats.inference_stats().success().count() == 2);
  CHECK(stats.inference_stats().success().ns() == 6'000'000);
  CHECK(stats.inference_stats().compute_infer().count() == 2);
  CHECK(stats.inference_stats().compute_infer().ns() == 6'000'000);
  CHECK(stats.inference_stats().queue().ns() == 0);
  CHECK(stats.inference_stats().fail().count() == 2);
}

TEST_CASE("TheRepositoryIndexListsEveryPackageWithItsState") {
  MethodsFixture f;
  inference::RepositoryIndexRequest request;
  const auto all = f.Ask<inference::RepositoryIndexResponse>("RepositoryIndex", request);
  REQUIRE(all.models_size() == 6);
  CHECK(all.models(0).ShortDebugString() == R"(name: "broken" version: "1" state: "UNAVAILABLE" reason: "no weights")");
  CHECK(all.models(1).state() == "LOADING");
  request.set_ready(true);
  CHECK(f.Ask<inference::RepositoryIndexResponse>("RepositoryIndex", request).models_size() == 4);
  request.set_repository_name("other");
  inference::RepositoryIndexResponse response;
  CHECK(Is(f.Call("RepositoryIndex", request, response), StatusCode::kInvalidArgument, "repository_name"));
}

TEST_CASE("ModelsAreNotLoadedOnThePublicListener") {
  MethodsFixture f;
  inference::RepositoryModelLoadRequest request;
  inference::RepositoryModelLoadResponse response;
  CHECK(Is(f.Call("RepositoryModelLoad", request, response), StatusCode::kPermissionDenied, "127.0.0.1:8003"));
  CHECK(f.Find("RepositoryModelLoad").scope == Scope::kAdmin);
  CHECK(f.Find("RepositoryModelUnload").scope == Scope::kAdmin);
}

TEST_CASE("ALoadMayNotBringItsOwnConfiguration") {
  inference::RepositoryModelLoadRequest request;
  CHECK(Is(CheckLoad(request), StatusCode::kInvalidArgument, "model_name"));
  request.set_model_name("m");
  CHECK(CheckLoad(request).ok());
  (*request.mutable_parameters())["config"].set_string_param("{}");
  CHECK(Is(CheckLoad(request), StatusCode::kInvalidArgument, "\"config\""));
}

TEST_CASE("PathsOverHttpGiveWhatTheMethodsGive") {
  using Reply = std::pair<int, std::string>;
  MethodsFixture f;
  CHECK(f.Rest("GET", "/v2/health/live", {}) == Reply(200, R"({"live":true})"));
  CHECK(f.Rest("GET", "/v2/health/ready", {}) == Reply(200, R"({"ready":true})"));
  f.ready = false;
  CHECK(f.Rest("GET", "/v2/health/ready", {}) == Reply(503, R"({"ready":false})"));
  CHECK(f.Rest("GET", "/v2/models/{model}/ready", {.model = "nope"}).first == 503);
  CHECK(f.Rest("GET", "/v2/models/{model}/versions/{version}/ready", {.model = "m", .version = "2"}).first == 200);
  CHECK(f.Rest("GET", "/v2", {}).second.find(R"("name":"bertha")") != std::string::npos);
  CHECK(
      f.Rest("GET", "/v2/models/{model}", {.model = "m"}).second ==
      R"({"name":"m","versions":["2","10"],"platform":"bertha",)"
      R"("inputs":[{"name":"text","datatype":"BYTES","shape":[-1,1]}],)"
      R"("outputs":[{"name":"label","datatype":"BYTES","shape":[-1]},{"name":"score","datatype":"FP32","shape":[-1]},)"
      R"({"name":"logits","datatype":"FP32","shape":[-1,2]}]})");
  CHECK(f.Rest("GET", "/v2/models/{model}/config", {.model = "m"}).second.find(R"("max_batch_size":256)") !=
        std::string::npos);
  CHECK(f.Rest("GET", "/v2/models/stats", {}).second.find(R"("inference_count":0)") != std::string::npos);
  CHECK(f.Rest("POST", "/v2/repository/index", {.body = R"({"ready":true})"}).second.substr(0, 35) ==
        R"([{"name":"m","version":"2","state":)");
  CHECK(f.Rest("POST", "/v2/repository/index", {.body = "x"}).first == static_cast<int>(StatusCode::kInvalidArgument));
  CHECK(f.Rest("POST", "/v2/repository/models/{model}/unload", {.model = "m", .body = R"({"parameters":{"a":1}})"})
            .first == static_cast<int>(StatusCode::kPermissionDenied));
  const std::string infer = "/v2/models/{model}/infer";
  const std::string body = R"({"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a"]}],)"
                           R"("outputs":[{"name":"logits"}]})";
  CHECK(f.Rest("POST", infer, {.model = "m", .body = body}) ==
        Reply(200, R"({"model_name":"m","model_version":"10",)"
                   R"("outputs":[{"name":"logits","datatype":"FP32","shape":[1,2],"data":[98,2]}]})"));
  CHECK(f.Rest("POST", infer, {.model = "nope", .body = body}).first == static_cast<int>(StatusCode::kNotFound));
  CHECK(f.Rest("POST", infer, {.model = "\xff", .body = body}) ==
        Reply(static_cast<int>(StatusCode::kInvalidArgument), R"({"error":"the path is not UTF-8"})"));
  CHECK(ParseJsonLength("12").value() == 12);
  CHECK_FALSE(ParseJsonLength("-1").ok());
  CHECK_FALSE(ParseJsonLength("12, 13").ok());
  // No byte of it begins a character.
  CHECK(Is(ParseJsonLength(std::string(100, '\x80')).status(), absl::StatusCode::kInvalidArgument,
           "\"...\" (100 bytes)"));
}

}  // namespace
}  // namespace bertha::server::oip
