#include <string>
#include <vector>

#include "server/call_observer.h"
#include "server/metrics/exposition.h"
#include "server/metrics/histogram.h"
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
  std::string Text() { return Exposition({table, dispatcher, gate, observer.metrics()}); }
  /// The value of the line that begins with `name`.
  std::string Value(const std::string& name) {
    const std::string text = "\n" + Text();
    const size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "none";
    const size_t begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  Gate gate;
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
  CHECK(f.Value(R"(bertha_requests_total{transport="grpc",method="Classify",code="INTERNAL"})") == "none");
}

TEST_CASE("NamesOfModelsAreEscapedInLabels") {
  MetricsFixture f;
  f.AddModel("a\"b\\c\nd");
  CHECK(f.Value(R"(bertha_self_check_flips{model="a\"b\\c\nd",version="1"})") == "0");
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
