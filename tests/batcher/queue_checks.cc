#include "tests/batcher/queue_checks.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bertha::batcher {

bool IsFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && absl::StrContains(status.message(), "is full");
}

// ---- what comes in

void QueueChecks::Room(Ask ask, const absl::Status& status, std::vector<Ended>& ended) {
  Check(status.ok() || ended.empty(), "somebody made room for a call that was refused");
  const bool refused = IsFull(status);
  Check(!refused || !ask.within_share, "a model within its share is refused for being full");
  Check(!refused || !ask.fits, "refused though there was room");
  if (status.ok() && !ask.fits && ask.within_share) tally_.within_share += 1;
  for (const Ended& each : ended) {
    Victim(each, ask);
    const ModelId model = each.request->model;
    ask.held[model].requests -= 1;
    ask.held[model].tokens -= shadow_.Of(each.request).group->members.size() == 1 ? each.request->ids.size() : 0;
    tally_.endings[each.why] += 1;
    shadow_.Leave(*each.request);
  }
  ended.clear();
  if (!status.ok()) tally_.refused += 1;
}

/// It was right that this one made room.
void QueueChecks::Victim(const Ended& each, const Ask& ask) {
  const ModelId model = each.request->model;
  const Group& group = *shadow_.Of(each.request).group;
  Check(each.why == Ending::kEvicted, "ended while nothing was chosen");
  Check(!ask.fits, "evicted though there was room");
  Check(!group.staged && !shadow_.models[model].closed, "evicted though it is staged, or its model closed");
  if (model == ask.model) {
    Check(group.rank > ask.priority, "evicted for its own model, but not for a higher priority");
  } else {
    Check(shadow_.PartOf(model, ask.held[model]) > shadow_.PartOf(ask.model, ask.held[ask.model]),
          "evicted for a model that has more");
    tally_.gave_room += 1;
  }
  for (const Group& other : shadow_.groups) {
    if (!shadow_.Waits(other) || other.staged || other.members[0]->model != model) continue;
    Check(shadow_.OrderOf(other) <= shadow_.OrderOf(group), "evicted though another one is less urgent");
  }
  Check(group.members.size() == 1 || each.request != shadow_.LeaderOf(group), "evicted before its twins");
}

// ---- what goes out

void QueueChecks::Endings(Ending expected, std::vector<Ended>& ended) {
  for (const Ended& each : ended) {
    if (shadow_.Of(each.request).state != Shadow::State::kWaiting) {
      return Fail(
          absl::StrCat(shadow_.Name(each.request), " ended, for ", static_cast<int>(each.why), ", but did not wait"));
    }
    tally_.endings[each.why] += 1;
    Why(each, expected);
    shadow_.Leave(*each.request);
  }
  ended.clear();
}

void QueueChecks::Why(const Ended& each, Ending expected) {
  const Request& request = *each.request;
  const std::string name = shadow_.Name(&request);
  const Duration left = request.deadline - shadow_.now;
  const Duration alone = queue_.costs(request.model).Estimate(request.ids.size(), request.ids.size());
  const Duration target = world_.options.overload_target;
  switch (each.why) {
    case Ending::kExpired:
      return Check(left <= Duration::zero(), absl::StrCat(name, " ended as expired and was not"));
    case Ending::kTooLate:
      return Check(world_.options.admission && left < alone, absl::StrCat(name, " was not too late"));
    case Ending::kShed:
      Check(target > Duration::zero() && shadow_.now - request.accepted > target,
            absl::StrCat(name, " was shed though it is not old"));
      return Check(request.deadline == request.accepted + world_.options.default_deadline,
                   absl::StrCat(name, " was shed though it has a deadline of its own"));
    default:
      Check(each.why == expected, "ended for a reason that nobody gave");
  }
}

// ---- batches

void QueueChecks::Formed(const Batch& batch, bool staged, std::vector<Ended>& ended) {
  Endings(Ending::kExpired, ended);
  shadow_.Promote();
  if (batch.requests.empty()) return;
  Members(batch);
  if (good()) Order(batch);
  for (const Request* request : batch.requests) shadow_.Of(request).group->staged = staged;
}

void QueueChecks::Members(const Batch& batch) {
  const ModelLimits& limits = world_.limits[batch.model];
  size_t tokens = 0, longest = 0;
  for (Request* request : batch.requests) {
    const Shadow& shadow = shadow_.Of(request);
    const std::string name = shadow_.Name(request);
    if (shadow.state != Shadow::State::kWaiting) return Fail(absl::StrCat(name, " runs and did not wait"));
    if (shadow.group->staged) return Fail(absl::StrCat(name, " is staged elsewhere"));
    if (shadow_.LeaderOf(*shadow.group) != request) return Fail(absl::StrCat(name, " is not the most urgent twin"));
    if (std::ranges::count(batch.requests, request) > 1) return Fail(absl::StrCat(name, " is there twice"));
    Check(request->model == batch.model, "a batch of two models");
    InTime(*request);
    Together(*request, "not its twins");
    tokens += request->ids.size();
    longest = std::max(longest, request->ids.size());
  }
  const size_t n = batch.requests.size(), computed = limits.pads ? n * longest : tokens;
  Check(n <= limits.max_batch_requests, "too many requests in a batch");
  Check(n == 1 || computed <= limits.max_batch_tokens, "over the token budget");
  Check(batch.stats.size == n && batch.stats.tokens == tokens && batch.stats.padded_tokens == computed, "wrong stats");
  Check(batch.longest == longest, "wrong longest");
}

void QueueChecks::Together(const Request& leader, const std::string& what) {
  std::set<const Request*> together;
  for (const Request* each = &leader; each; each = each->twin()) together.insert(each);
  const auto& members = shadow_.Of(&leader).group->members;
  Check(together == std::set<const Request*>(members.begin(), members.end()), what);
}

void QueueChecks::InTime(const Request& request) {
  const Duration alone = queue_.costs(request.model).Estimate(request.ids.size(), request.ids.size());
  const bool in_time =
      static_cast<double>((request.deadline - shadow_.now).count()) >= 0.9 * static_cast<double>(alone.count());
  Check(!world_.options.admission || shadow_.Of(&request).tries || in_time,
        absl::StrCat(shadow_.Name(&request), " cannot end in time and starts"));
  for (const Request* each = &request; each; each = each->twin()) {
    Check(each->deadline > shadow_.now, absl::StrCat(shadow_.Name(each), " is expired and starts"));
  }
}

/// Earliest deadline first within a class, but for what may be passed over.
void QueueChecks::Order(const Batch& batch) {
  const ModelLimits& limits = world_.limits[batch.model];
  const CostTable& costs = queue_.costs(batch.model);
  size_t next = 0, tokens = 0, longest = 0;
  for (Group* group : shadow_.WaitingOf(batch.model)) {
    if (next == batch.requests.size()) return;
    const Request* leader = shadow_.LeaderOf(*group);
    const std::string name = shadow_.Name(leader);
    const size_t length = leader->ids.size();
    if (leader == batch.requests[next]) {
      ++next;
      tokens += length;
      longest = std::max(longest, length);
      continue;
    }
    Check(next > 0, absl::StrCat("the most urgent is ", name, ", not ", shadow_.Name(batch.requests[0])));
    Check(group->skips < world_.options.max_skips, absl::StrCat(name, " was passed over too often"));
    const size_t with = limits.pads ? (next + 1) * std::max(longest, length) : tokens + length;
    const bool slack = limits.pads && shadow_.now + batch.cost <= leader->deadline - costs.Estimate(length, length);
    Check(with > limits.max_batch_tokens || slack, absl::StrCat(name, " was passed over without a reason"));
    group->skips += 1;
    tally_.passed_over += 1;
  }
  Check(next == batch.requests.size(), "the members are not in order");
}

void QueueChecks::NobodyMoreUrgent(const Batch& batch) {
  const auto last = shadow_.OrderOf(*shadow_.Of(batch.requests.back()).group);
  for (const Group* group : shadow_.WaitingOf(batch.model)) {
    Check(batch.full, "newcomers could have joined");
    Check(shadow_.OrderOf(*group) > last,
          absl::StrCat(shadow_.Name(shadow_.LeaderOf(*group)), " is more urgent than what starts"));
  }
}

// ---- the books

void QueueChecks::Counts() {
  size_t requests = 0, tokens = 0, unstaged = 0;
  std::vector<size_t> of_model(shadow_.models.size());
  for (const Group& group : shadow_.groups) {
    if (!shadow_.Waits(group)) continue;
    requests += group.members.size();
    tokens += group.members[0]->ids.size();
    unstaged += !group.staged;
    of_model[group.members[0]->model] += 1;
  }
  Check(queue_.size() == requests, absl::StrCat("size is ", queue_.size(), ", should be ", requests));
  Check(queue_.tokens() == tokens, absl::StrCat("tokens are ", queue_.tokens(), ", should be ", tokens));
  Check(queue_.unstaged() == unstaged, absl::StrCat("unstaged are ", queue_.unstaged(), ", should be ", unstaged));
  Check(queue_.empty() == (requests == 0), "wrongly empty");
  for (ModelId i = 0; i < of_model.size(); ++i) Check(queue_.Waits(i) == (of_model[i] > 0), "Waits is wrong");
  Check(requests <= world_.options.max_requests, "over max_requests");
  Check(tokens <= world_.options.max_tokens, "over max_tokens");
}

}  // namespace bertha::batcher
