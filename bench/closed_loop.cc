// A closed loop over gRPC: N Classify calls of one text each are always in flight; a reply starts the next call.
//
// Closed loops measure capacity and, at one in flight, latency. They do not measure latency under load: a slow server
// slows its callers down. Prints one JSON object: requests/s, latency quantiles in milliseconds, what the server said
// of its stages, mean batch size, errors.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bertha/v1/bertha.grpc.pb.h"
#include "nlohmann/json.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string address = "localhost:8001";
  std::string model;
  std::string file;
  std::vector<std::string> texts;
  int in_flight = 1;
  int requests = 2000;
  int warm_up = 200;
};

/// One finished call.
struct Sample {
  double latency_us = 0;
  double tokenize_us = 0, queue_us = 0, compute_us = 0;
  double batch_size = 0;
};

class ClosedLoop {
 public:
  explicit ClosedLoop(const Options& options)
      : options_(options),
        stub_(bertha::v1::Bertha::NewStub(grpc::CreateChannel(options.address, grpc::InsecureChannelCredentials()))),
        calls_(static_cast<size_t>(options.in_flight)) {}

  nlohmann::json Run() {
    active_ = options_.in_flight;  // no call has started: nobody else looks yet
    for (Call& call : calls_) Start(call);
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [&] { return active_ == 0; });
    return Report();
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    bertha::v1::ClassifyRequest request;
    bertha::v1::ClassifyResponse response;
    Clock::time_point begin;
    bool counted = false;
  };

  void Start(Call& call) {
    {
      std::lock_guard lock(mutex_);
      const int number = started_++;
      if (number == options_.warm_up) measured_from_ = Clock::now();
      call.counted = number >= options_.warm_up;
      call.request.Clear();
      call.request.set_model(options_.model);
      call.request.add_inputs()->set_text(options_.texts[static_cast<size_t>(number) % options_.texts.size()]);
    }
    call.context = std::make_unique<grpc::ClientContext>();
    call.begin = Clock::now();
    stub_->async()->Classify(call.context.get(), &call.request, &call.response,
                             [this, &call](const grpc::Status& status) { OnDone(call, status); });
  }

  void OnDone(Call& call, const grpc::Status& status) {
    const auto now = Clock::now();
    {
      std::lock_guard lock(mutex_);
      Record(call, status, now);
      if (started_ >= options_.warm_up + options_.requests) {
        if (--active_ == 0) finished_.notify_one();
        return;
      }
    }
    Start(call);
  }

  void Record(const Call& call, const grpc::Status& status, Clock::time_point now) {
    if (!call.counted) return;
    measured_to_ = now;
    if (!status.ok()) {
      ++errors_;
      last_error_ = status.error_message();
      return;
    }
    const auto& result = call.response.results(0);
    samples_.push_back({std::chrono::duration<double, std::micro>(now - call.begin).count(),
                        static_cast<double>(result.timing().tokenize_us()),
                        static_cast<double>(result.timing().queue_us()),
                        static_cast<double>(result.timing().compute_us()), static_cast<double>(result.batch().size())});
  }

  /// The q-quantile of a value over all samples.
  template <class Get>
  double Quantile(double q, Get get) const {
    if (samples_.empty()) return 0;
    std::vector<double> values;
    for (const Sample& s : samples_) values.push_back(get(s));
    const auto at = values.begin() + static_cast<ptrdiff_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
  }

  nlohmann::json Report() const {
    const double seconds = std::chrono::duration<double>(measured_to_ - measured_from_).count();
    double batch = 0;
    for (const Sample& s : samples_) batch += s.batch_size;
    auto latency = [](const Sample& s) { return s.latency_us; };
    const double n = static_cast<double>(samples_.size());
    return {{"in_flight", options_.in_flight},
            {"requests", samples_.size()},
            {"errors", errors_},
            {"last_error", last_error_},
            {"requests_per_s", n / seconds},
            {"latency_ms",
             {{"p50", Quantile(0.5, latency) / 1e3},
              {"p90", Quantile(0.9, latency) / 1e3},
              {"p99", Quantile(0.99, latency) / 1e3}}},
            {"server_p50_us",
             {{"tokenize", Quantile(0.5, [](const Sample& s) { return s.tokenize_us; })},
              {"queue", Quantile(0.5, [](const Sample& s) { return s.queue_us; })},
              {"compute", Quantile(0.5, [](const Sample& s) { return s.compute_us; })}}},
            {"overhead_p50_us", Quantile(0.5, [](const Sample& s) { return s.latency_us - s.compute_us; })},
            {"mean_batch_size", n > 0 ? batch / n : 0}};
  }

  const Options& options_;
  const std::unique_ptr<bertha::v1::Bertha::Stub> stub_;
  std::vector<Call> calls_;
  std::mutex mutex_;
  std::condition_variable finished_;
  int started_ = 0;
  int active_ = 0;
  int errors_ = 0;
  std::string last_error_;
  std::vector<Sample> samples_;
  Clock::time_point measured_from_, measured_to_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Closed loop over gRPC: prints requests/s and latency as one JSON object");
  app.add_option("--address", options.address, "host:port of berthad")->capture_default_str();
  app.add_option("--model", options.model, "Model; empty: the default");
  app.add_option("--file", options.file, "Texts, one a line, used in turn");
  app.add_option("--text", options.texts, "A text, if there is no file");
  app.add_option("--in-flight", options.in_flight, "Calls in flight")->capture_default_str();
  app.add_option("--requests", options.requests, "Measured calls")->capture_default_str();
  app.add_option("--warm-up", options.warm_up, "Calls before them")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!options.file.empty()) {
    std::ifstream file(options.file);
    for (std::string line; std::getline(file, line);) options.texts.push_back(line);
  }
  if (options.texts.empty()) options.texts.push_back("I love it, this is really good");
  const nlohmann::json report = ClosedLoop(options).Run();
  std::cout << report.dump() << "\n";
  return report["errors"] == 0 ? 0 : 1;
}
