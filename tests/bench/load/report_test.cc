#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "bench/load/summary_json.h"
#include "tests/bench/load/runs.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

Report OneRun(const Summary& summary) {
  Report report{.started = "2026-11-23T14:00:00Z", .command = {"bertha", "load"}};
  report.server.models.push_back({"sst2", "1", "bert", "fused", "bf16"});
  report.plan.texts = 3;
  report.runs.push_back({100, summary});
  return report;
}

TEST_CASE("a report has what the schema says, and null for what does not exist", "[load][report]") {
  const Plan plan = EvenPlan(100);
  Record record = AnswerAll(plan, [](size_t) { return 3; });
  record.outcomes[0].finished = false;
  Report report = OneRun(Summarize(plan, record, std::nullopt));
  const Json json = ToJson(report);
  CHECK(json["schema"] == "bertha.load/1");
  CHECK(json["kind"] == "open");
  CHECK(json["valid"] == true);
  CHECK(json["objective"].is_null());
  CHECK(json["capacity"].is_null());
  CHECK(json["command"] == Json({"bertha", "load"}));
  CHECK(json["client"]["load_balancing"] == "pick_first");
  CHECK(json["server"]["models"][0]["dtype"] == "bf16");
  CHECK(json["plan"]["texts"]["count"] == 3);
  CHECK(json["plan"]["deadline_ms"].is_null());
  const Json& run = json["runs"][0];
  CHECK(run["rate"] == 100);
  CHECK(run["in_flight"].is_null());
  CHECK(run["codes"] == Json({{"OK", 99}, {"UNFINISHED", 1}}));
  CHECK(run["latency_ms"]["all"]["p50"] == Approx(3));
  CHECK(run["latency_ms"]["all"]["max"].is_null());
  CHECK(run["latency_ms"]["answered"]["max"] == Approx(3));
  CHECK(run["latency_ms"]["all"]["count"] == 100);
  CHECK(run["server_ms"].is_null());
  CHECK(run["server_means_ms"].is_null());
  CHECK(run["mean_batch"].is_null());
  CHECK(run["histogram"]["buckets"][0][2] == 99);
  CHECK(run["timeline"].size() == 10);
  CHECK(run["invalid"] == Json::array());
}

TEST_CASE("a report with one invalid run is invalid", "[load][report]") {
  const Plan plan = EvenPlan(100);
  Record record = AnswerAll(plan, [](size_t) { return 3; });
  Report report = OneRun(Summarize(plan, record, std::nullopt));
  for (Outcome& outcome : record.outcomes) outcome.sent += Ms(2);
  report.runs.push_back({200, Summarize(plan, record, std::nullopt)});
  Json json = ToJson(report);
  CHECK(json["valid"] == false);
  CHECK(absl::StartsWith(json["invalid"][0].get<std::string>(), "run 2: calls were sent late"));
  CHECK(json["runs"][0]["valid"] == true);
  CHECK(json["runs"][1]["valid"] == false);

  report.kind = Report::Kind::kCapacity;  // the search has made such a run again
  report.objective = Objective{0.99, Ms(50)};
  report.capacity = CapacitySearch::Result{800, {{800, true, 10, 8000, 60}, {820, std::nullopt, 5, 4000, 50}}, {}};
  json = ToJson(report);
  CHECK(json["kind"] == "capacity");
  CHECK(json["valid"] == true);
  CHECK(json["objective"]["latency_ms"] == Approx(50));
  CHECK(json["capacity"]["per_s"] == 800);
  CHECK(json["capacity"]["tried"][0]["met"] == true);
  CHECK(json["capacity"]["tried"][1]["met"].is_null());
  report.capacity->invalid.push_back("the machine was busy");
  CHECK(ToJson(report)["valid"] == false);
}

TEST_CASE("the server's own figures are in the report", "[load][report]") {
  const Plan plan = EvenPlan(10);
  Record record = AnswerAll(plan, [](size_t) { return 3; });
  for (Outcome& outcome : record.outcomes) outcome.server = ServerSplit{.queue_us = 1500, .batch_size = 2};
  Summary summary = Summarize(plan, record, std::nullopt);
  summary.means = ServerMeans{.compute_us = 2500};
  const Json run = ToJson(summary, std::nullopt);
  CHECK(run["rate"].is_null());
  CHECK(run["server_ms"]["queue"]["p50"] == Approx(1.5));
  CHECK(run["server_means_ms"]["compute"] == Approx(2.5));
  CHECK(run["batch_sizes"] == Json({{"2", 10}}));
  CHECK(run["mean_batch"] == 2);
}

TEST_CASE("every call is a line of CSV, without its text", "[load][report]") {
  Plan plan = EvenPlan(3);
  plan.texts = {"secret"};
  plan.models = {{"a,\"b\"", "", 1}};
  Record record = AnswerAll(plan, [](size_t) { return 2.5; });
  record.outcomes[1].code = absl::StatusCode::kDeadlineExceeded;
  record.outcomes[2].server = ServerSplit{.tokenize_us = 10,
                                          .queue_us = 20,
                                          .compute_us = 1230,
                                          .total_us = 1300,
                                          .batch_size = 4,
                                          .batch_tokens = 99,
                                          .tokens = 7};
  record.outcomes[2].sent += Ms(0.25);
  const std::string csv = RequestsCsv(2, plan, record);
  CHECK(csv ==
        "2,0,0.000000,0.000000,2.500,OK,\"a,\"\"b\"\"\",0,,,,,\n"
        "2,1,0.010000,0.010000,2.500,DEADLINE_EXCEEDED,\"a,\"\"b\"\"\",0,,,,,\n"
        "2,2,0.020000,0.020250,2.500,OK,\"a,\"\"b\"\"\",0,7,0.010,0.020,1.230,4\n");
  const std::vector<std::string> columns = absl::StrSplit(RequestsCsvHeader(), ',');
  CHECK(columns.size() == 13);
  const std::vector<std::string> lines = absl::StrSplit(csv, '\n');
  CHECK(std::ranges::count(lines[0], ',') == 12 + 1);  // one is in the model's name
}

}  // namespace
}  // namespace bertha::load
