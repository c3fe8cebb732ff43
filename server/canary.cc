#include "server/canary.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::TimePoint;

/// It looks at least so often: what is missed of a time in which the process stood still is shorter.
constexpr Duration kHeartbeat = std::chrono::seconds(1);

}  // namespace

absl::Status CompareWithProbe(const models::Probe& probe, std::span<const float> answer, float tolerance) {
  if (answer.size() != probe.logits.size()) {
    return absl::FailedPreconditionError(absl::StrCat(answer.size(), " numbers instead of ", probe.logits.size()));
  }
  float largest = 0;
  for (size_t i = 0; i < answer.size(); ++i) {
    const float difference = std::abs(answer[i] - probe.logits[i]);
    if (std::isnan(difference)) return absl::FailedPreconditionError("NaN");
    largest = std::max(largest, difference);
  }
  if (largest <= tolerance) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("it differs from the exporter's by ", largest, ", more than ", tolerance));
}

/// A probe on its way; holds its model, and itself until it is answered.
class Canary::Replay final : public batcher::Listener {
 public:
  Replay(std::shared_ptr<const ServingModel> model, const models::Probe& probe, TimePoint deadline)
      : model_(std::move(model)), probe_(probe) {
    request_.model = model_->id;
    request_.ids = probe.ids;
    request_.type_ids = probe.type_ids;
    request_.deadline = deadline;
    request_.priority = model_->health->CanaryPriority();
    request_.listener = this;
  }

  static void Start(std::shared_ptr<Replay> replay, batcher::Dispatcher& dispatcher) {
    const std::shared_ptr<const ServingModel> model = replay->model_;
    model->health->BeginCanary();
    batcher::Request* request = &replay->request_;
    absl::StatusOr<batcher::Reservation> reservation = dispatcher.Reserve(request->model, 1, request->priority);
    absl::Status status = reservation.status();
    if (status.ok()) {
      replay->self_ = replay;
      status = dispatcher.Submit(*std::move(reservation), std::span(&request, 1));
      if (!status.ok()) replay->self_.reset();
    }
    if (!status.ok()) model->health->OnCanary(absl::Status(absl::StatusCode::kUnavailable, status.message()));
  }

 private:
  void OnDone(batcher::Request&, const batcher::Outcome& outcome) override {
    const std::shared_ptr<Replay> self = std::move(self_);
    model_->health->OnCanary(outcome.status.ok()
                                 ? CompareWithProbe(probe_, outcome.output, model_->probes.tolerance)
                                 : absl::Status(absl::StatusCode::kUnavailable, outcome.status.message()));
  }

  const std::shared_ptr<const ServingModel> model_;
  const models::Probe& probe_;  // the model's
  batcher::Request request_;
  std::shared_ptr<Replay> self_;
};

Canary::Canary(HealthBoard& board, const ModelTable& table, batcher::Dispatcher& dispatcher,
               const batcher::Clock& clock)
    : board_(board), table_(table), dispatcher_(dispatcher), clock_(clock) {}

Canary::~Canary() { Stop(); }

void Canary::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Canary::Stop() {
  stopping_ = true;
  board_.Ring();
  if (thread_.joinable()) thread_.join();
}

void Canary::Run() {
  while (!stopping_) {
    const TimePoint next = Look();
    board_.AwaitRing(next);
    if (const Duration late = clock_.Now() - next; late > kHeartbeat) Forgive(late);
  }
}

void Canary::Forgive(Duration time) const {
  for (const ModelEntry& entry : table_.List()) {
    if (entry.model && entry.model->health) entry.model->health->Forgive(time);
  }
}

TimePoint Canary::Look() {
  board_.Refresh();
  const TimePoint now = clock_.Now();
  TimePoint next = now + kHeartbeat;
  const std::vector<ModelEntry> entries = table_.List();
  const HealthSnapshot snapshot = board_.Snapshot();
  std::set<batcher::ModelId> seen;
  for (const ModelEntry& entry : entries) {
    if (!entry.model || !entry.model->health || entry.model->canaries.empty()) continue;
    const ModelHealth& health = *entry.model->health;
    seen.insert(entry.model->id);
    const bool spare = std::ranges::any_of(
        snapshot.models, [&](const auto& other) { return other.first != entry.key && other.second.ok; });
    if (health.CanaryDue(spare) <= now) Send(entry.model);
    next = std::min(next, health.CanaryDue(spare));
    if (const TimePoint stale = health.StaleAt(); stale > now) next = std::min(next, stale);
  }
  std::erase_if(next_probe_, [&](const auto& item) { return !seen.contains(item.first); });
  return next;
}

void Canary::Send(const std::shared_ptr<const ServingModel>& model) {
  const size_t probe = next_probe_[model->id]++ % model->canaries.size();
  Replay::Start(std::make_shared<Replay>(model, model->canaries[probe], clock_.Now() + model->health->CanaryPatience()),
                dispatcher_);
}

}  // namespace bertha::server
