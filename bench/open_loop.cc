// An open loop over gRPC: Classify calls of one text each, sent at times that were fixed before, whatever the server
// does.
//
//   bench_open_loop --schedule FILE     a line for each call: SECONDS <tab> DEADLINE_MS <tab> TEXT, in order of time
//
// A server that falls behind is sent more all the same, as by callers who do not know of each other; and a latency runs
// from the time that was planned, so that a call that left late because this program was held up counts as slow
// ("coordinated omission": Gil Tene, "How not to measure latency", 2013). Prints one JSON object, with the names that
// bench/simulator/ uses, and how late calls left: where send_lag_p99_ms is not small, the figures are this
// program's, not the server's.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bertha/v1/bertha.grpc.pb.h"
#include "nlohmann/json.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Options {
  std::string address = "localhost:8001";
  std::string model;
  std::string schedule;
  double warm_up = 0;
  int channels = 2;
  bool progress = false;
};

struct Planned {
  double at_s = 0, deadline_ms = 0;
  std::string text;
};

/// What became of a call.
struct Outcome {
  double lag_ms = 0, latency_ms = 0;
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  double tokenize_us = 0, queue_us = 0, compute_us = 0, batch = 0;
};

/// False if a line is not as it should be; says so.
bool ReadSchedule(const std::string& path, std::vector<Planned>& calls) {
  std::ifstream file(path);
  if (!file) {
    std::cerr << "bench_open_loop: cannot read " << path << "\n";
    return false;
  }
  for (std::string line; std::getline(file, line);) {
    char* rest = nullptr;
    Planned call;
    call.at_s = std::strtod(line.c_str(), &rest);
    if (*rest == '\t') call.deadline_ms = std::strtod(rest + 1, &rest);
    if (*rest != '\t' || call.deadline_ms <= 0 || (!calls.empty() && call.at_s < calls.back().at_s)) {
      std::cerr << "bench_open_loop: " << path << ", line " << calls.size() + 1
                << ": wanted SECONDS <tab> DEADLINE_MS <tab> TEXT, in order of time, deadlines above 0\n";
      return false;
    }
    call.text = rest + 1;
    calls.push_back(std::move(call));
  }
  if (calls.empty()) std::cerr << "bench_open_loop: " << path << " is empty\n";
  return !calls.empty();
}

class OpenLoop {
 public:
  OpenLoop(const Options& options, const std::vector<Planned>& calls)
      : options_(options),
        calls_(calls),
        outcomes_(calls.size()),
        finished_(static_cast<std::ptrdiff_t>(calls.size())) {
    for (int i = 0; i < options.channels; ++i) {
      grpc::ChannelArguments own;  // or all channels share one connection
      own.SetInt("bertha.channel", i);
      own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      channels_.push_back(grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), own));
      stubs_.push_back(bertha::v1::Bertha::NewStub(channels_.back()));
    }
  }

  /// False if nobody listens there.
  bool Connect() {
    return std::ranges::all_of(channels_, [](const auto& channel) {
      return channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
    });
  }

  nlohmann::json Run() {
    begin_ = Clock::now() + std::chrono::milliseconds(10);
    auto shown = begin_;
    for (size_t i = 0; i < calls_.size(); ++i) {
      const auto due = DueOf(i);
      std::this_thread::sleep_until(due);
      Send(i);
      if (options_.progress && due - shown > std::chrono::milliseconds(500)) {
        shown = due;
        std::fprintf(stderr, "\r%.0f of %.0f s, %zu sent, %zu answered ", calls_[i].at_s, calls_.back().at_s, i + 1,
                     answered_.load());
      }
    }
    finished_.wait();
    if (options_.progress) std::fprintf(stderr, "\r%60s\r", "");
    return Report();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    bertha::v1::ClassifyRequest request;
    bertha::v1::ClassifyResponse response;
  };

  Clock::time_point DueOf(size_t i) const {
    return begin_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(calls_[i].at_s));
  }

  void Send(size_t i) {
    auto* call = new Call;  // OnDone deletes it
    call->request.set_model(options_.model);
    call->request.add_inputs()->set_text(calls_[i].text);
    const auto now = Clock::now();
    const Milliseconds lag = now - DueOf(i), left = Milliseconds(calls_[i].deadline_ms) - lag;
    outcomes_[i].lag_ms = lag.count();
    call->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::duration_cast<std::chrono::microseconds>(left));
    stubs_[i % stubs_.size()]->async()->Classify(&call->context, &call->request, &call->response,
                                                 [this, call, i](const grpc::Status& status) {
                                                   OnDone(i, *call, status);
                                                   delete call;
                                                   finished_.count_down();
                                                 });
  }

  void OnDone(size_t i, const Call& call, const grpc::Status& status) {
    Outcome& outcome = outcomes_[i];
    outcome.latency_ms = Milliseconds(Clock::now() - DueOf(i)).count();
    outcome.code = status.error_code();
    answered_ += 1;
    if (!status.ok()) return;
    const auto& result = call.response.results(0);
    outcome.tokenize_us = static_cast<double>(result.timing().tokenize_us());
    outcome.queue_us = static_cast<double>(result.timing().queue_us());
    outcome.compute_us = static_cast<double>(result.timing().compute_us());
    outcome.batch = result.batch().size();
  }

  /// The q-quantile of a value over some outcomes.
  template <class Get>
  static double Quantile(const std::vector<const Outcome*>& of, double q, Get get) {
    if (of.empty()) return 0;
    std::vector<double> values;
    for (const Outcome* outcome : of) values.push_back(get(*outcome));
    const auto at = values.begin() + static_cast<ptrdiff_t>(q * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, at);
    return *at;
  }

  nlohmann::json Report() const {
    std::vector<const Outcome*> counted, answered;
    std::map<std::string, size_t> codes;
    size_t in_time = 0;
    double batches = 0;
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (calls_[i].at_s < options_.warm_up) continue;
      const Outcome& outcome = outcomes_[i];
      counted.push_back(&outcome);
      codes[std::to_string(outcome.code)] += 1;
      if (outcome.code != grpc::StatusCode::OK) continue;
      answered.push_back(&outcome);
      if (outcome.latency_ms <= calls_[i].deadline_ms) in_time += 1;
      batches += 1 / outcome.batch;  // a batch of n has n outcomes
    }
    const double span = calls_.back().at_s - options_.warm_up;
    const auto rate = [&](size_t n) { return static_cast<double>(n) / span; };
    const auto count_of = [&](grpc::StatusCode code) {
      const auto found = codes.find(std::to_string(code));
      return found == codes.end() ? 0 : found->second;
    };
    const size_t refused = count_of(grpc::StatusCode::RESOURCE_EXHAUSTED);
    const size_t expired = count_of(grpc::StatusCode::DEADLINE_EXCEEDED);
    const auto latency = [](const Outcome& o) { return o.latency_ms; };
    const size_t late = answered.size() - in_time;
    return {{"offered_per_s", rate(counted.size())},
            {"goodput_per_s", rate(in_time)},
            {"late_per_s", rate(late)},
            {"refused_per_s", rate(refused)},
            {"dropped_per_s", rate(expired)},
            {"errors", counted.size() - answered.size() - refused - expired},
            {"kept", static_cast<double>(in_time) / std::max<double>(1, static_cast<double>(counted.size() - refused))},
            {"p50_ms", Quantile(answered, 0.5, latency)},
            {"p99_ms", Quantile(answered, 0.99, latency)},
            {"server_p50_us",
             {{"tokenize", Quantile(answered, 0.5, [](const Outcome& o) { return o.tokenize_us; })},
              {"queue", Quantile(answered, 0.5, [](const Outcome& o) { return o.queue_us; })},
              {"compute", Quantile(answered, 0.5, [](const Outcome& o) { return o.compute_us; })}}},
            {"mean_batch", static_cast<double>(answered.size()) / std::max(1.0, batches)},
            {"codes", codes},
            {"send_lag_p50_ms", Quantile(counted, 0.5, [](const Outcome& o) { return o.lag_ms; })},
            {"send_lag_p99_ms", Quantile(counted, 0.99, [](const Outcome& o) { return o.lag_ms; })}};
  }

  const Options& options_;
  const std::vector<Planned>& calls_;
  std::vector<Outcome> outcomes_;  // each written by one callback, read after all
  std::latch finished_;
  std::atomic<size_t> answered_ = 0;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<bertha::v1::Bertha::Stub>> stubs_;
  Clock::time_point begin_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Open loop over gRPC: sends calls when the schedule says, prints what became of them as one JSON object");
  app.add_option("--address", options.address, "host:port of berthad")->capture_default_str();
  app.add_option("--model", options.model, "Model; empty: the default");
  app.add_option("--schedule", options.schedule, "Lines of SECONDS <tab> DEADLINE_MS <tab> TEXT")->required();
  app.add_option("--warm-up", options.warm_up, "Seconds at the begin that do not count")->capture_default_str();
  app.add_option("--channels", options.channels, "Connections")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_flag("--progress", options.progress, "A line that counts, on standard error");
  CLI11_PARSE(app, argc, argv);
  std::vector<Planned> calls;
  if (!ReadSchedule(options.schedule, calls)) return 2;
  if (options.warm_up >= calls.back().at_s) {
    std::cerr << "bench_open_loop: all of the schedule is warm-up\n";
    return 2;
  }
  OpenLoop loop(options, calls);
  if (!loop.Connect()) {
    std::cerr << "bench_open_loop: nobody answers at " << options.address << "\n";
    return 1;
  }
  std::cout << loop.Run().dump() << "\n";
  return 0;
}
