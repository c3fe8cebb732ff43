#include "bench/load/capacity_search.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/load/early_stopping.h"
#include "bench/load/validity.h"

namespace bertha::load {
namespace {

using batcher::Duration;

constexpr size_t kMostRunsOfARate = 3;
/// Enough, while rates double, to see a server that misses the objective by far.
constexpr size_t kCallsOfDoubling = 20;
/// While rates double, less has to be shown: what is decided then will be tried again.
constexpr double kConfidenceOfDoubling = 0.9;

/// By so much may a rate that was shown to meet the objective be above the one that is found in the end.
constexpr double kMostFallingBack = 1.2;

/// True if the calls were late for reasons that are not this program's.
bool FailsForSure(const Summary& summary, const Objective& objective) {
  return summary.cores_per_channel <= kMostCoresPerChannel &&
         EarlyStopping(summary.calls, summary.surely_over, objective.quantile) == Shown::kFails;
}

}  // namespace

CapacitySearch::CapacitySearch(const CapacityOptions& options) : options_(options), down_(1 + options.precision) {
  next_ = Choose();
}

void CapacitySearch::Add(const Summary& summary) {
  runs_ += 1;
  present_runs_ += 1;
  present_.rate = next_->rate;
  if (summary.invalid.empty() || FailsForSure(summary, options_.objective)) {
    present_.seconds += summary.seconds;
    present_.calls += summary.calls;
    present_.over += summary.over;
  } else {
    present_invalid_ += 1;
    why_invalid_ = absl::StrJoin(summary.invalid, "; ");
  }
  present_.met = Verdict();
  if (!present_.met.has_value() && TryAgain()) return;
  Decide(present_.met.value_or(false), present_invalid_ == present_runs_ ? why_invalid_ : "");
}

std::optional<bool> CapacitySearch::Verdict() const {
  const double quantile = options_.objective.quantile;
  if (present_.calls == 0) return std::nullopt;
  if (next_->purpose == Purpose::kDoubling) {
    return EarlyStopping(present_.calls, present_.over, quantile, kConfidenceOfDoubling) != Shown::kFails;
  }
  const Shown shown = EarlyStopping(present_.calls, present_.over, quantile);
  return shown == Shown::kUndecided ? std::nullopt : std::optional(shown == Shown::kMeets);
}

bool CapacitySearch::TryAgain() const { return present_runs_ < kMostRunsOfARate && runs_ < options_.max_runs; }

void CapacitySearch::Decide(bool met, const std::string& invalid) {
  tried_.push_back(present_);
  const double rate = present_.rate;
  met ? TakeLow(rate) : TakeHigh(rate, invalid);
  present_ = {};
  present_runs_ = present_invalid_ = 0;
  next_ = runs_ < options_.max_runs ? Choose() : std::nullopt;
}

void CapacitySearch::TakeLow(double rate) {
  const bool proven = next_->purpose == Purpose::kProving;
  if (high_.has_value() && rate >= high_->rate) {  // the upper end was wrong: look above it, with small steps at first
    high_.reset();
    up_ = down_;
    surprised_ = true;
  } else if (!high_.has_value() && low_.has_value()) {
    up_ = std::min(2.0, up_ * up_);
  }
  low_ = End{rate, proven ? End::State::kProven : End::State::kTried, ""};
}

void CapacitySearch::TakeHigh(double rate, const std::string& invalid) {
  const bool proven = next_->purpose == Purpose::kProving;
  high_ = End{rate, proven ? End::State::kProven : End::State::kTried, invalid};
  if (!low_.has_value() || low_->rate < rate) return;
  // The lower end was wrong: look below it.
  surprised_ = true;
  low_.reset();
  if (rate > options_.lowest_rate) low_ = End{std::max(rate / down_, options_.lowest_rate), End::State::kAssumed, ""};
  down_ = std::min(2.0, down_ * down_);
}

std::optional<CapacitySearch::Step> CapacitySearch::Choose() const {
  const Purpose search = surprised_ ? Purpose::kProving : Purpose::kBisecting;
  const auto prove = [&](const End& end) { return MakeStep(end.rate, Purpose::kProving); };
  if (!low_.has_value() && !high_.has_value()) {
    return MakeStep(std::min(options_.first_rate, options_.limit), Purpose::kDoubling);
  }
  if (!low_.has_value()) {
    if (high_->rate <= options_.lowest_rate) return std::nullopt;
    return MakeStep(std::max(high_->rate / 2, options_.lowest_rate), Purpose::kDoubling);
  }
  if (low_->state == End::State::kAssumed) return prove(*low_);
  if (!high_.has_value()) {
    if (low_->rate < options_.limit) {
      return MakeStep(std::min(low_->rate * up_, options_.limit), surprised_ ? Purpose::kProving : Purpose::kDoubling);
    }
    return low_->state == End::State::kProven ? std::nullopt : std::optional(prove(*low_));
  }
  if (high_->rate > low_->rate * (1 + options_.precision)) return MakeStep(std::sqrt(low_->rate * high_->rate), search);
  if (low_->state != End::State::kProven) return prove(*low_);
  return high_->state == End::State::kProven ? std::nullopt : std::optional(prove(*high_));
}

CapacitySearch::Step CapacitySearch::MakeStep(double rate, Purpose purpose) const {
  const size_t needed = CallsNeeded(0, options_.objective.quantile);
  Duration length = options_.doubling;
  size_t calls = kCallsOfDoubling;
  if (purpose == Purpose::kBisecting) length = options_.bisecting, calls = std::max<size_t>(2 * needed, 500);
  if (purpose == Purpose::kProving) length = options_.proving, calls = std::max<size_t>(5 * needed, 1500);
  const auto for_calls = std::chrono::duration<double>(static_cast<double>(calls) / rate);
  return {rate, std::max(length, std::chrono::ceil<Duration>(for_calls)), purpose};
}

std::optional<double> CapacitySearch::MetBefore(double per_s) const {
  for (const Tried& tried : tried_) {
    const bool long_enough = tried.seconds >= std::chrono::duration<double>(options_.bisecting).count();
    const bool shown = EarlyStopping(tried.calls, tried.over, options_.objective.quantile) == Shown::kMeets;
    if (long_enough && shown && tried.rate > kMostFallingBack * per_s) return tried.rate;
  }
  return std::nullopt;
}

CapacitySearch::Result CapacitySearch::result() const {
  Result result{.per_s = 0, .tried = tried_, .invalid = {}};
  const bool proven = low_.has_value() && low_->state == End::State::kProven;
  if (proven) result.per_s = low_->rate;
  if (Choose().has_value()) {
    result.invalid.push_back(
        absl::StrCat("the search was not over after ", runs_,
                     " runs; if it was not interrupted, the speed of the machine changes too much"));
  } else if (!high_.has_value()) {
    result.invalid.push_back(absl::StrFormat(
        "the objective is met up to the limit of %.6g calls/s: the capacity may be higher", options_.limit));
  } else if (!high_->invalid.empty()) {
    result.invalid.push_back(absl::StrFormat("the server may do more, but at %.6g calls/s every run was INVALID: %s",
                                             high_->rate, high_->invalid));
  } else if (const std::optional<double> before = MetBefore(result.per_s)) {
    result.invalid.push_back(
        absl::StrFormat("%.6g calls/s met the objective at first and later far fewer did not: "
                        "something else took the machine's time, or the server became slower",
                        *before));
  }
  return result;
}

std::string NameOf(CapacitySearch::Purpose purpose) {
  switch (purpose) {
    case CapacitySearch::Purpose::kDoubling:
      return "doubling";
    case CapacitySearch::Purpose::kBisecting:
      return "bisecting";
    case CapacitySearch::Purpose::kProving:
      break;
  }
  return "proving";
}

std::vector<double> SweepRates(double capacity) {
  std::vector<double> rates;
  for (const double load : {0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0}) {
    rates.push_back(load * capacity);
  }
  return rates;
}

}  // namespace bertha::load
