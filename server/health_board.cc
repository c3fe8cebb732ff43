#include "server/health_board.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

using batcher::TimePoint;

constexpr char kStuck[] = "every worker is in a forward pass that does not return";
constexpr char kLost[] = "the CUDA device is lost to this process";

Verdict JudgeModel(const ModelEntry& entry) {
  if (entry.state == ModelState::kLoading) return {false, "being loaded"};
  if (entry.state == ModelState::kFailed) return {false, entry.reason};
  return entry.model->health ? entry.model->health->Judge() : Verdict{true, ""};
}

}  // namespace

std::string ChangeLog::Say(const std::string& what, const Verdict& state, TimePoint now) {
  constexpr size_t kMost = 6;
  constexpr auto kWindow = std::chrono::minutes(1);
  if (state.ok != last_ok_) ++unsaid_;
  last_ok_ = state.ok;
  if (now >= window_end_) said_ = 0;
  if (unsaid_ == 0 || said_ >= kMost) return "";
  // A minute of flapping is worth a line even if it stands where it stood.
  const std::string also = unsaid_ == 1 ? "" : absl::StrCat(" (after ", unsaid_, " changes)");
  if (said_++ == 0) window_end_ = now + kWindow;
  unsaid_ = 0;
  return state.ok ? absl::StrCat(what, ": SERVING again", also)
                  : absl::StrCat(what, ": NOT_SERVING", also, ": ", state.reason);
}

HealthBoard::HealthBoard(const ModelTable& table, const batcher::Clock& clock, Options options)
    : table_(table), clock_(clock), options_(std::move(options)), snapshot_(Look({}, table.List())) {}

void HealthBoard::SetStarted() { Set(&State::started, true); }
void HealthBoard::SetDraining() { Set(&State::draining, true); }
void HealthBoard::SetDeviceLost() { Set(&State::device_lost, true); }
void HealthBoard::SetWorkersStuck(bool stuck) { Set(&State::workers_stuck, stuck); }

void HealthBoard::Set(bool State::*member, bool value) {
  {
    MutexLock lock(mutex_);
    state_.*member = value;
  }
  Refresh();
}

HealthSnapshot HealthBoard::Look(const State& state, const std::vector<ModelEntry>& entries) const {
  HealthSnapshot snapshot;
  if (state.workers_stuck) snapshot.live = {false, kStuck};
  if (state.device_lost) snapshot.live = {false, kLost};
  bool serves = false;
  for (const ModelEntry& entry : entries) {  // versions of a name in ascending order
    Verdict verdict = JudgeModel(entry);
    if (!snapshot.live.ok) verdict = snapshot.live;
    if (state.draining) verdict = {false, "the server is shutting down"};
    serves |= verdict.ok;
    snapshot.models[entry.key] = verdict;
    const bool chosen = entry.state == ModelState::kServing || !snapshot.names.contains(entry.key.name);
    if (chosen) snapshot.names[entry.key.name] = verdict;
  }
  snapshot.ready = !snapshot.live.ok ? snapshot.live
                   : state.draining  ? Verdict{false, "the server is shutting down"}
                   : !state.started  ? Verdict{false, "packages are being loaded"}
                   : !serves         ? Verdict{false, "no model serves"}
                                     : Verdict{true, ""};
  return snapshot;
}

void HealthBoard::Refresh() {
  MutexLock refresh_lock(refresh_mutex_);
  State state;
  {
    MutexLock lock(mutex_);
    state = state_;
  }
  const std::vector<ModelEntry> entries = table_.List();
  HealthSnapshot snapshot = Look(state, entries);
  if (options_.log && !state.draining) Log(snapshot, entries);
  {
    MutexLock lock(mutex_);
    if (snapshot == snapshot_) return;
    snapshot_ = snapshot;
  }
  if (options_.on_change) options_.on_change(snapshot);
  Ring();  // a new model has dates of its own
}

/// What loads, is refused or is removed, is told where that happens.
void HealthBoard::Log(const HealthSnapshot& snapshot, const std::vector<ModelEntry>& entries) {
  const TimePoint now = clock_.Now();
  const auto say = [&](ChangeLog& log, const std::string& what, const Verdict& verdict) {
    if (const std::string line = log.Say(what, verdict, now); !line.empty()) options_.log(!verdict.ok, line);
  };
  say(server_log_, "the server", snapshot.live);
  std::set<ModelKey> serving;
  for (const ModelEntry& entry : entries) {
    if (entry.state != ModelState::kServing) continue;
    serving.insert(entry.key);
    if (snapshot.live.ok) say(logs_[entry.key], entry.key.ToString(), snapshot.models.at(entry.key));
  }
  std::erase_if(logs_, [&](const auto& log) { return !serving.contains(log.first); });
}

HealthSnapshot HealthBoard::Snapshot() const {
  MutexLock lock(mutex_);
  return snapshot_;
}

void HealthBoard::Ring() {
  MutexLock lock(ring_mutex_);
  ring_ = true;
  rung_.NotifyAll();
}

void HealthBoard::AwaitRing(TimePoint until) {
  MutexLock lock(ring_mutex_);
  while (!ring_ && rung_.WaitUntil(ring_mutex_, until)) {
  }
  ring_ = false;
}

}  // namespace bertha::server
