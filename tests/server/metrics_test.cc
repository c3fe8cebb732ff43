#include <string>
#include <vector>

#include "server/call_observer.h"
#include "server/metrics/exposition.h"
#include "server/metrics/histogram.h"
#include "server/served_passes.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

TEST_CASE("AValueOnABoundIsBelowIt") {
  static constexpr double kBounds[] = {1, 2, 4};
  Histogram histogram(kBounds);
  for (const double value : {0.0, 1.0, 1.5, 2.0, 4.0, 4.5, 1e9}) histogram.Observe(value);
  const Histogram::Values values = histogram.Read();
  CHECK(values.counts == std::vector<uint64_t>{2, 2, 1, 2});
  CHECK(values.sum == Approx(13 + 1e9));
}

struct MetricsFixture : InferenceFixture {
  using InferenceFixture::InferenceFixture;
  std::string Text() { return Exposition({table, dispatcher, gate, observer.metrics(), gpu_memory, board}); }
  /// The value of the line that begins with `name`.
  std::string Value(const std::string& name) {
    const std::string text = "\n" + Text();
    const size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "none";
    const size_t begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  Gate gate;
  GpuMemory gpu_memory{clock};
  HealthBoard board{table, clock, {}};
  CallObserver observer{RequestLog::kNone};
};

TEST_CASE("WhatAModelAnswersIsMeasuredByStage") {
  MetricsFixture f;
  f.AddModel("m", 3);
  CHECK(f.Value(R"(bertha_request_duration_seconds_count{model="m",version="3",stage="total"})") == "0");
  REQUIRE(f.Classify(f.Request({"a", "b"})).ok());
  for (const char* stage : {"tokenize", "queue", "compute", "total"}) {
    const std::string labels = R"({model="m",version="3",stage=")" + std::string(stage) + "\"";
    INFO(f.Text());
    CHECK(f.Value("bertha_request_duration_seconds_count" + labels + "}") == "2");
    CHECK(f.Value("bertha_request_duration_seconds_bucket" + labels + ",le=\"+Inf\"}") == "2");
  }
}

TEST_CASE("CallsAreCountedByMethodTransportAndCode") {
  MetricsFixture f;
  CallCounters& counters = f.observer.Register("grpc", "Classify");
  f.observer.OnEnd(counters, {}, absl::OkStatus(), {});
  f.observer.OnEnd(counters, {}, absl::NotFoundError("x"), {});
  f.observer.OnEnd(counters, {}, absl::NotFoundError("x"), {});
  CHECK(f.Value(R"(bertha_requests_total{transport="grpc",method="Classify",code="OK"})") == "1");
  CHECK(f.Value(R"(bertha_requests_total{transport="grpc",method="Classify",code="NOT_FOUND"})") == "2");
  CHECK(f.Value(R"(bertha_requests_total{transport="grpc",method="Classify",code="CANCELLED"})") == "none");
}

TEST_CASE("FailuresOfTheServerAreCountedFromZeroSoThatARateSeesTheFirst") {
  MetricsFixture f;
  f.observer.Register("grpc", "Classify");
  for (const char* code : {"OK", "INTERNAL", "UNAVAILABLE"}) {
    const std::string labels = R"({transport="grpc",method="Classify",code=")" + std::string(code) + "\"}";
    CHECK(f.Value("bertha_requests_total" + labels) == "0");
  }
}

/// Devices with memory, and how often they were asked.
class FakeDevices final : public models::CudaPlugin {
 public:
  models::CudaOutcome ListDevices(std::vector<models::CudaDevice>&) override { return {}; }
  models::CudaOutcome NewModel(const models::CudaModelSource&, const models::CudaModelOptions&,
                               std::unique_ptr<models::CudaModel>&) override {
    return {};
  }
  models::CudaOutcome ReadMemory(int device, models::CudaMemory& memory) override {
    asked += 1;
    if (device == lost) return {models::CudaOutcome::Code::kDeviceLost, "gone"};
    memory = {.used_bytes = used + static_cast<size_t>(device), .total_bytes = 1000};
    return {};
  }

  int asked = 0, lost = -1;
  size_t used = 100;
};

struct GpuFixture : MetricsFixture {
  /// A model on these devices.
  void AddModelOn(const std::string& name, const std::vector<int>& on) {
    auto model = std::make_shared<ServingModel>();
    model->key = {name, 1};
    for (const int device : on) model->cuda_devices.emplace_back(device, &devices);
    Serve(std::move(model));
  }
  std::string Used(int device) {
    return Value("bertha_gpu_memory_used_bytes{device=\"" + std::to_string(device) + "\"}");
  }
  FakeDevices devices;
};

TEST_CASE("MemoryOfEachDeviceThatAModelIsOnIsTold") {
  GpuFixture f;
  f.AddModel("on the CPU");
  CHECK(f.Text().find("bertha_gpu") == std::string::npos);
  f.clock.Advance(GpuMemory::kInterval);
  f.AddModelOn("a", {0, 2});
  f.AddModelOn("b", {2});
  CHECK(f.Used(0) == "100");
  CHECK(f.Used(1) == "none");
  CHECK(f.Used(2) == "102");
  CHECK(f.Value("bertha_gpu_memory_total_bytes{device=\"2\"}") == "1000");
  CHECK(f.devices.asked == 2);
}

TEST_CASE("DevicesAreAskedForTheirMemoryOnceASecondAtMost") {
  GpuFixture f;
  f.AddModelOn("a", {0});
  CHECK(f.Used(0) == "100");
  f.devices.used = 200;
  f.clock.Advance(GpuMemory::kInterval - batcher::Duration(1));
  CHECK(f.Used(0) == "100");
  CHECK(f.devices.asked == 1);
  f.clock.Advance(batcher::Duration(1));
  CHECK(f.Used(0) == "200");
}

TEST_CASE("OfADeviceThatIsLostNoMemoryIsTold") {
  GpuFixture f;
  f.AddModelOn("a", {0, 1});
  f.devices.lost = 0;
  CHECK(f.Used(0) == "none");
  CHECK(f.Used(1) == "101");
}

TEST_CASE("NamesOfModelsAreEscapedInLabels") {
  MetricsFixture f;
  f.AddModel("a\"b\\c\nd");
  CHECK(f.Value(R"(bertha_self_check_flips{model="a\"b\\c\nd",version="1"})") == "0");
}

TEST_CASE("ForwardPassesAreMeasuredBySizeAndTokens") {
  ModelMetrics metrics;
  const auto shared = std::shared_ptr<ModelMetrics>(&metrics, [](ModelMetrics*) {});
  ServedPasses passes(nullptr, shared);
  passes.OnPass(absl::OkStatus(), {.size = 3, .tokens = 30, .padded_tokens = 36}, {});
  passes.OnPass(absl::InternalError("broken"), {.size = 3, .tokens = 30, .padded_tokens = 36}, {});
  CHECK(metrics.batch_size.Read().sum == 3);
  CHECK(metrics.batch_tokens.Read().sum == 30);
  CHECK(metrics.padded_tokens - metrics.tokens == 6);
  CHECK(metrics.failed_passes == 1);
}

TEST_CASE("WhatTheQueueRefusesIsCountedByReason") {
  MetricsFixture f({.max_requests = 2});
  auto* encoder = f.AddModel("m");
  batcher::Gate gate;
  encoder->on_run = [&gate](const auto&) {
    gate.Pass();
    return absl::OkStatus();
  };
  auto runs = f.Start(f.Request({"a"}));
  gate.AwaitArrivals(1);
  auto waits = f.Start(f.Request({"b", "c"}));
  CHECK(f.Classify(f.Request({"d"})).code() == absl::StatusCode::kResourceExhausted);
  waits->call->Cancel();
  gate.Open();
  CHECK(runs->Await().ok());
  CHECK(waits->Await().code() == absl::StatusCode::kCancelled);
  CHECK(f.Value(R"(bertha_rejections_total{reason="queue_full"})") == "1");
  CHECK(f.Value(R"(bertha_rejections_total{reason="cancelled"})") == "2");
  CHECK(f.Value(R"(bertha_rejections_total{reason="shed"})") == "0");
}

TEST_CASE("WhoIsNotLetInIsCountedByReason") {
  MetricsFixture f;
  f.gate.BeginDrain();
  absl::Status status;
  Caller caller;
  (void)f.gate.Enter(Scope::kInfer, "", caller, status);
  CHECK(f.Value(R"(bertha_rejections_total{reason="draining"})") == "1");
  for (const char* reason : {"rate_limit", "unauthenticated", "forbidden"}) {
    CHECK(f.Value(absl::StrCat("bertha_rejections_total{reason=\"", reason, "\"}")) == "0");
  }
}

TEST_CASE("HealthIsAMetricToo") {
  MetricsFixture f;
  f.AddModel("m");
  f.board.Refresh();
  CHECK(f.Value(R"(bertha_model_up{model="m",version="1"})") == "1");
  CHECK(f.Value("bertha_live") == "1");
  CHECK(f.Value("bertha_ready") == "0");  // not started
}

TEST_CASE("TheProcessAndTheQueueAreMeasured") {
  MetricsFixture f;
  absl::Status status;
  Caller caller;
  const Gate::Ticket ticket = f.gate.Enter(Scope::kInfer, "", caller, status);
  CHECK(f.Value("bertha_in_flight_calls") == "1");
  CHECK(f.Value("bertha_queue_requests") == "0");
  CHECK(std::stod(f.Value("process_resident_memory_bytes")) > 1e6);
  CHECK(std::stod(f.Value("process_open_fds")) >= 3);
  CHECK(std::stod(f.Value("process_start_time_seconds")) > 1.5e9);
}

}  // namespace
}  // namespace bertha::server
