#include "server/call_observer.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace bertha::server {
namespace {

bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

void CallObserver::OnEnd(CallCounters& counters, const Caller& caller, const absl::Status& status,
                         batcher::Duration took) const {
  counters.Count(status.code());
  const bool ours = IsOurFault(status.code());
  if (log_ == RequestLog::kNone || (log_ == RequestLog::kErrors && !ours)) return;
  // What the caller did wrong may quote the text; what the engine did wrong does not.
  spdlog::log(ours ? spdlog::level::err : spdlog::level::info, "request {}: {} over {} from {}: {}{}{} after {} us",
              caller.request_id, counters.method, counters.transport, caller.address,
              absl::StatusCodeToString(status.code()), ours ? ": " : "",
              ours ? std::string(status.message()) : std::string(),
              std::chrono::duration_cast<std::chrono::microseconds>(took).count());
}

void CallObserver::OnRefused(const Caller& caller, int http_status) const {
  if (log_ != RequestLog::kAll) return;
  spdlog::info("request {}: refused over http from {}: {}", caller.request_id, caller.address, http_status);
}

}  // namespace bertha::server
