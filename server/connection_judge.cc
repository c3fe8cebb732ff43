#include "server/connection_judge.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

/// Clients that send more of the largest messages side by side are not known.
constexpr uint64_t kMostMessagesUnderWay = 8;
constexpr uint64_t kFewestMessagesUnderWay = 3;

}  // namespace

std::optional<std::string> ConnectionJudge::Judge(const Activity& activity, batcher::TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - last_time_.value_or(now)).count();
  const double allowed = static_cast<double>(options_.max_resets_per_second);
  resets_ =
      std::max(0.0, resets_ - seconds * allowed) + static_cast<double>(activity.streams_failed - last_.streams_failed);
  if (activity.messages_received > last_.messages_received || activity.streams_succeeded > last_.streams_succeeded) {
    bytes_at_progress_ = activity.bytes_received;
  }
  last_ = activity;
  last_time_ = now;
  if (options_.max_resets_per_second > 0 && resets_ > allowed) {
    return absl::StrCat("it resets more than ", options_.max_resets_per_second, " streams per second");
  }
  const uint64_t ended = activity.streams_succeeded + activity.streams_failed;
  const uint64_t open = activity.streams_started - std::min(activity.streams_started, ended);
  if (options_.max_resets_per_second > 0 && open > options_.max_open_streams + options_.max_resets_per_second) {
    return absl::StrCat("it opened ", open, " streams faster than the server can end them");
  }
  const uint64_t unproductive = activity.bytes_received - std::min(activity.bytes_received, bytes_at_progress_);
  const uint64_t messages = open > 0 ? std::clamp(open, kFewestMessagesUnderWay, kMostMessagesUnderWay) : 0;
  if (unproductive > options_.max_idle_bytes + messages * options_.max_message_bytes) {
    return absl::StrCat("it sent ", unproductive, " bytes that make no message");
  }
  return std::nullopt;
}

}  // namespace bertha::server
