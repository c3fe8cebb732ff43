#include "bench/encoder/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace bertha::bench {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// Calls `once`, which says whether to go on, until time is up; `forget` drops the first result.
template <class Once, class Forget>
void Repeat(double seconds, Once once, Forget forget) {
  const auto begin = Clock::now();
  if (!once()) return;
  if (MillisecondsSince(begin) < seconds * 1e3 / 4) {
    forget();
    if (!once()) return;
  }
  while (MillisecondsSince(begin) < seconds * 1e3) {
    if (!once()) return;
  }
}

}  // namespace

absl::StatusOr<PassTime> TimePass(batcher::Encoder& encoder, const Batch& batch) {
  static thread_local batcher::EncoderOutput output;
  PassTime time;
  auto begin = Clock::now();
  if (absl::Status status = encoder.Stage(batch.view(), 0); !status.ok()) return status;
  time.stage = MillisecondsSince(begin);
  begin = Clock::now();
  if (absl::Status status = encoder.Run(0, output); !status.ok()) return status;
  time.run = MillisecondsSince(begin);
  return time;
}

absl::StatusOr<std::vector<PassTime>> TimePasses(batcher::Encoder& encoder, const Batch& batch, double seconds) {
  std::vector<PassTime> passes;
  absl::Status status;
  const auto once = [&] {
    const absl::StatusOr<PassTime> pass = TimePass(encoder, batch);
    if (pass.ok()) passes.push_back(*pass);
    status = pass.status();
    return status.ok();
  };
  Repeat(seconds, once, [&] { passes.clear(); });
  if (!status.ok()) return status;
  return passes;
}

std::vector<double> TimeCalls(const std::function<void()>& call, double seconds) {
  std::vector<double> times;
  const auto once = [&] {
    const auto begin = Clock::now();
    call();
    times.push_back(MillisecondsSince(begin));
    return true;
  };
  Repeat(seconds, once, [&] { times.clear(); });
  return times;
}

Summary Summarize(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  // The smallest value that has at least the fraction q of all at or below it.
  const auto quantile = [&](double q) {
    const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
    return values[std::max<size_t>(rank, 1) - 1];
  };
  return {values.size(), values.front(), quantile(0.1), quantile(0.5), quantile(0.9), quantile(0.99)};
}

double Median(std::vector<double> values) { return Summarize(std::move(values)).median; }

std::vector<double> Totals(const std::vector<PassTime>& passes) {
  std::vector<double> totals;
  for (const PassTime& pass : passes) totals.push_back(pass.total());
  return totals;
}

}  // namespace bertha::bench
