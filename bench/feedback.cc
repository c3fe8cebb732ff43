// Votes per second that the feedback store acknowledges, and how long a voter waits: clients that each send their next
// vote when the last one is committed.
//
//   bench_feedback --database /var/tmp/bench.db [--clients 1,8,64,512] [--seconds 3] [--json]
//
// The database must be a new one: votes are left in it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "batcher/mutex.h"
#include "server/feedback/feedback_store.h"

namespace bertha::feedback {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string database;
  std::vector<int> clients = {1, 8, 64, 512};
  double seconds = 3;
  size_t text_bytes = 100;
  bool json = false;
};

/// A number of clients for a time.
class Run {
 public:
  Run(const Options& options, FeedbackStore& store)
      : store_(store),
        text_(options.text_bytes, 'x'),
        end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds))) {}

  /// False if a vote was not stored.
  bool Do(int clients) {
    latencies_us_.reserve(1 << 20);
    under_way_ = clients;
    for (int i = 0; i < clients; ++i) Vote();
    MutexLock lock(mutex_);
    while (under_way_ > 0) ended_.Wait(mutex_);
    return error_.ok();
  }
  size_t votes() const { return latencies_us_.size(); }
  double Quantile(double q) {
    std::ranges::sort(latencies_us_);
    return latencies_us_.empty() ? 0 : latencies_us_[static_cast<size_t>(q * static_cast<double>(votes() - 1))];
  }
  const absl::Status& error() const { return error_; }

 private:
  void Vote() {
    feedback::Vote vote{
        .text = text_, .model = "bench", .version = 1, .label = "positive", .score = 0.5f, .request_id = "bench"};
    store_.Record(std::move(vote), [this, began = Clock::now()](const absl::StatusOr<int64_t>& id) {
      const auto now = Clock::now();
      if (!id.ok()) error_ = id.status();
      latencies_us_.push_back(std::chrono::duration<double, std::micro>(now - began).count());
      if (id.ok() && now < end_) return Vote();
      MutexLock lock(mutex_);
      under_way_ -= 1;
      ended_.NotifyAll();
    });
  }

  FeedbackStore& store_;
  const std::string text_;
  const Clock::time_point end_;  // the last vote is sent before it
  // Of the store's thread, until under_way_ is 0.
  std::vector<double> latencies_us_;
  absl::Status error_;
  Mutex mutex_;
  CondVar ended_;
  int under_way_ = 0;
};

struct Figures {
  std::string database;
  int clients = 0;
  double votes_per_second = 0, p50_ms = 0, p99_ms = 0, votes_per_commit = 0;
};

void Print(const Figures& f, bool json) {
  if (!json) {
    std::printf("%-11s %8d %12.0f %10.3f %10.3f %14.1f\n", f.database.c_str(), f.clients, f.votes_per_second, f.p50_ms,
                f.p99_ms, f.votes_per_commit);
    return;
  }
  const nlohmann::json object = {
      {"database", f.database}, {"clients", f.clients}, {"votes_per_second", f.votes_per_second},
      {"p50_ms", f.p50_ms},     {"p99_ms", f.p99_ms},   {"votes_per_commit", f.votes_per_commit}};
  std::printf("%s\n", object.dump().c_str());
}

int Measure(const Options& options) {
  const batcher::SteadyClock clock;
  FeedbackStore store(MakeDatabase(options.database, Access::kReadWrite), {}, clock);
  const char* kind = IsPostgres(options.database) ? "postgresql" : "sqlite";
  if (!options.json) std::printf("database     clients      votes/s     p50 ms     p99 ms   votes/commit\n");
  for (const int clients : options.clients) {
    const FeedbackStore::Stats before = store.stats();
    Run run(options, store);
    const auto began = Clock::now();
    if (!run.Do(clients)) {
      std::fprintf(stderr, "bench_feedback: %s (%s)\n", std::string(run.error().message()).c_str(),
                   store.stats().last_error.c_str());
      return 1;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    const auto groups = static_cast<double>(store.stats().groups - before.groups);
    const auto votes = static_cast<double>(run.votes());
    Print({kind, clients, votes / seconds, run.Quantile(0.5) / 1e3, run.Quantile(0.99) / 1e3, votes / groups},
          options.json);
  }
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Votes per second that the feedback store acknowledges.", "bench_feedback");
  app.add_option("--database", options.database, "A new file, or an empty database of PostgreSQL")->required();
  app.add_option("--clients", options.clients, "How many vote at a time")->delimiter(',')->capture_default_str();
  app.add_option("--seconds", options.seconds, "For each number of clients")->capture_default_str();
  app.add_option("--text-bytes", options.text_bytes, "Of a vote's text")->capture_default_str();
  app.add_flag("--json", options.json, "One object a line");
  CLI11_PARSE(app, argc, argv);
  return Measure(options);
}

}  // namespace
}  // namespace bertha::feedback

int main(int argc, char** argv) { return bertha::feedback::Main(argc, argv); }
