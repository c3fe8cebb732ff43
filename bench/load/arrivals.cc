#include "bench/load/arrivals.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/load/random.h"
#include "bench/load/table.h"
#include "tokenizer/status_macros.h"

namespace bertha::load {
namespace {

using batcher::Duration;

constexpr char kForm[] = "wanted SECONDS, SECONDS <tab> DEADLINE_MS or SECONDS <tab> DEADLINE_MS <tab> TEXT";

/// What a Duration can hold.
constexpr double kMostSeconds = 9e9;

/// Exact to the nanosecond if `seconds` is: the product of a time since 1970 would not be.
Duration FromSeconds(double seconds) {
  seconds = std::min(seconds, kMostSeconds);
  const double whole = std::floor(seconds);
  return std::chrono::seconds(static_cast<int64_t>(whole)) + Duration(std::llround((seconds - whole) * 1e9));
}

bool ParseNumber(absl::string_view text, double* number) {
  return absl::SimpleAtod(text, number) && std::abs(*number) < kMostSeconds;
}

/// A line of the schedule; its time is still since whatever moment it was recorded.
absl::StatusOr<RecordedCall> ParseCall(const Source& source, const Line& line) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line.text, absl::MaxSplits('\t', 2));
  double seconds = 0, deadline_ms = 0;
  if (!ParseNumber(parts[0], &seconds)) return source.Invalid(line.number, kForm);
  RecordedCall call{.at = FromSeconds(seconds), .deadline = {}, .text = {}};
  if (parts.size() > 1) {
    if (!ParseNumber(parts[1], &deadline_ms) || deadline_ms <= 0) {
      return source.Invalid(line.number, absl::StrCat(kForm, ", with a deadline above 0"));
    }
    call.deadline = FromSeconds(deadline_ms / 1e3);
  }
  if (parts.size() > 2) call.text = std::string(parts[2]);
  return call;
}

bool SameForm(const RecordedCall& a, const RecordedCall& b) {
  return (a.deadline > Duration::zero()) == (b.deadline > Duration::zero()) && a.text.has_value() == b.text.has_value();
}

/// Calls `arrive` with each time of a Poisson process below `length`.
template <class Arrive>
void Poisson(double rate, Duration length, uint64_t seed, Arrive arrive) {
  Random random(seed, Random::Stream::kArrivals);
  double seconds = 0;
  for (;;) {
    seconds += random.Exponential() / rate;
    const Duration at = FromSeconds(seconds);
    if (at >= length) return;
    arrive(at);
  }
}

}  // namespace

absl::StatusOr<Arrivals> ParseArrivals(const std::string& text) {
  Arrivals arrivals;
  if (text == "poisson") return arrivals;
  if (text == "constant") {
    arrivals.kind = Arrivals::Kind::kConstant;
    return arrivals;
  }
  if (absl::StartsWith(text, "bursts:")) {
    arrivals.kind = Arrivals::Kind::kBursts;
    if (absl::SimpleAtoi(text.substr(7), &arrivals.burst) && arrivals.burst > 0) return arrivals;
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": wanted bursts:N, N calls at a time"));
  }
  arrivals.kind = Arrivals::Kind::kRecorded;
  auto recorded = ReadRecorded(text);
  if (absl::IsNotFound(recorded.status())) {
    return absl::NotFoundError(
        absl::StrCat(recorded.status().message(), "; arrivals are poisson, constant, bursts:N or such a file"));
  }
  TOKENIZER_RETURN_IF_ERROR(recorded.status());
  arrivals.recorded = *std::move(recorded);
  return arrivals;
}

absl::StatusOr<std::vector<RecordedCall>> ReadRecorded(const std::string& path) {
  TOKENIZER_ASSIGN_OR_RETURN(const Source source, Source::Read(path));
  return ParseRecorded(source);
}

absl::StatusOr<std::vector<RecordedCall>> ParseRecorded(const Source& source) {
  std::vector<RecordedCall> calls;
  for (const Line& line : LinesOf(source)) {
    TOKENIZER_ASSIGN_OR_RETURN(RecordedCall call, ParseCall(source, line));
    if (!calls.empty() && call.at < calls.back().at) {
      return source.Invalid(line.number, "is earlier than the call before it; sort the file by time");
    }
    if (!calls.empty() && !SameForm(call, calls[0])) {
      return source.Invalid(line.number, "has another number of fields than the lines before it");
    }
    calls.push_back(std::move(call));
  }
  if (calls.empty() || calls.back().at == calls.front().at) {
    return absl::InvalidArgumentError(absl::StrCat(source.path, ": wanted calls at two moments at least"));
  }
  const Duration begin = calls.front().at;
  for (RecordedCall& call : calls) call.at -= begin;
  return calls;
}

std::vector<Duration> ArrivalTimes(const Arrivals& arrivals, double rate, Duration length, uint64_t seed) {
  std::vector<Duration> times;
  switch (arrivals.kind) {
    case Arrivals::Kind::kPoisson:
      Poisson(rate, length, seed, [&](Duration at) { times.push_back(at); });
      break;
    case Arrivals::Kind::kConstant:
      for (Duration at{}; at < length; at = FromSeconds(static_cast<double>(times.size()) / rate)) times.push_back(at);
      break;
    case Arrivals::Kind::kBursts:
      Poisson(rate / static_cast<double>(arrivals.burst), length, seed,
              [&](Duration at) { times.insert(times.end(), arrivals.burst, at); });
      break;
    case Arrivals::Kind::kRecorded:
      for (const RecordedCall& call : arrivals.recorded) times.push_back(call.at);
  }
  return times;
}

}  // namespace bertha::load
