#include "clients/cli/send_chunk.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bertha::cli {
namespace {

using Inputs = absl::Span<const Input* const>;

/// Errors that the next inputs would meet just the same.
bool ConcernsWholeRun(const CallResult& result) {
  if (result.unreachable) return true;
  switch (result.status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:  // all inputs of a run are pairs, or none is
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

bool MayBeOneInputsFault(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsInternal(status);
}

/// "inputs[0].text: too long" is about the call; the user knows the input by the index in front.
absl::Status WithoutPosition(const absl::Status& status) {
  absl::string_view message = status.message();
  if (!absl::ConsumePrefix(&message, "inputs[0]")) return status;
  if (!absl::ConsumePrefix(&message, ".")) absl::ConsumePrefix(&message, ": ");
  return absl::Status(status.code(), message);
}

class ChunkSender {
 public:
  ChunkSender(Caller& caller, const RetryPolicy& policy, Outcome& outcome)
      : caller_(caller), policy_(policy), outcome_(outcome) {}

  /// Fills `slots[i]` for `inputs[i]`; stops early when the outcome turns fatal.
  void Send(Inputs inputs, absl::Span<absl::StatusOr<Result>*> slots) {
    if (inputs.empty() || !outcome_.fatal.ok()) return;
    CallResult result = CallWithRetries(inputs);
    const bool may_be_one_inputs_fault = MayBeOneInputsFault(result.status);
    if (result.status.ok() && result.results.size() != inputs.size()) {
      result.status = absl::InternalError(
          absl::StrCat("the server sent ", result.results.size(), " results for ", inputs.size(), " inputs"));
    }
    if (result.status.ok()) {
      for (size_t i = 0; i < inputs.size(); ++i) *slots[i] = std::move(result.results[i]);
    } else if (ConcernsWholeRun(result)) {
      outcome_.fatal = result.status;
      outcome_.unreachable = result.unreachable;
    } else if (may_be_one_inputs_fault && inputs.size() > 1) {
      // The call fails as a whole; halving finds the bad inputs in few calls and keeps the good ones together.
      const size_t half = inputs.size() / 2;
      Send(inputs.subspan(0, half), slots.subspan(0, half));
      Send(inputs.subspan(half), slots.subspan(half));
    } else {
      for (auto* slot : slots) *slot = inputs.size() == 1 ? WithoutPosition(result.status) : result.status;
    }
  }

 private:
  CallResult CallWithRetries(Inputs inputs) {
    const absl::Time deadline = policy_.now() + policy_.timeout;
    for (int attempt = 1;; ++attempt) {
      CallResult result = caller_.Call(inputs, deadline);
      if (result.status.ok()) return result;
      const auto delay = RetryDelay(result, attempt);
      if (!delay || policy_.now() + *delay >= deadline) return result;
      policy_.wait(*delay);
    }
  }

  Caller& caller_;
  const RetryPolicy& policy_;
  Outcome& outcome_;
};

}  // namespace

std::optional<absl::Duration> RetryDelay(const CallResult& result, int attempt) {
  const bool unavailable = absl::IsUnavailable(result.status) && !(result.unreachable && result.never_reached);
  const bool pushed_back = absl::IsResourceExhausted(result.status) && result.pushback_ms.has_value();
  if (!unavailable && !pushed_back) return std::nullopt;
  if (result.pushback_ms && *result.pushback_ms < 0) return std::nullopt;
  // Grows when the server keeps refusing, so that many callers at once leave it room to recover.
  const absl::Duration backoff =
      std::min(absl::Milliseconds(5) * (1 << std::min(attempt, 10)), absl::Milliseconds(500));
  return std::max(backoff, absl::Milliseconds(result.pushback_ms.value_or(0)));
}

Outcome SendChunk(Chunk chunk, Caller& caller, const RetryPolicy& policy) {
  Outcome outcome{.end_bytes = chunk.end_bytes};
  std::vector<absl::StatusOr<Result>> results;
  results.reserve(chunk.inputs.size());
  std::vector<const Input*> good;
  std::vector<absl::StatusOr<Result>*> slots;
  for (const Input& input : chunk.inputs) {
    results.emplace_back(input.problem.ok() ? absl::UnknownError("not answered") : input.problem);
    if (!input.problem.ok()) continue;
    good.push_back(&input);
    slots.push_back(&results.back());
  }
  ChunkSender(caller, policy, outcome).Send(good, absl::MakeSpan(slots));
  if (!outcome.fatal.ok()) return outcome;
  for (size_t i = 0; i < results.size(); ++i) {
    outcome.rows.push_back({std::move(chunk.inputs[i]), std::move(results[i])});
  }
  return outcome;
}

}  // namespace bertha::cli
