#include "tests/batcher/shadow_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {

Request* ShadowQueue::NewRequest(int32_t text, size_t length, ModelId model, Priority priority) {
  requests.push_back(std::make_unique<TestRequest>(text, length, nullptr, model));
  Request& request = requests.back()->request;
  request.priority = priority;
  index_[&request] = requests.size() - 1;
  shadows[&request];
  return &request;
}

std::string ShadowQueue::Name(const Request* request) const { return absl::StrCat("request ", index_.at(request)); }

Request* ShadowQueue::LeaderOf(const Group& group) const {
  return *std::ranges::min_element(group.members, {},
                                   [&](const Request* r) { return std::tuple(r->deadline, Of(r).sequence); });
}

std::tuple<Priority, TimePoint, uint64_t> ShadowQueue::OrderOf(const Group& group) const {
  const Request* leader = LeaderOf(group);
  return {group.rank, leader->deadline, Of(leader).sequence};
}

bool ShadowQueue::Waits(const Group& group) const {
  return !group.members.empty() && Of(group.members[0]).state == Shadow::State::kWaiting;
}

bool ShadowQueue::HasGroupOf(ModelId model) const {
  return std::ranges::any_of(groups, [&](const Group& group) { return group.members[0]->model == model; });
}

std::vector<Group*> ShadowQueue::WaitingOf(ModelId model) {
  std::vector<Group*> waiting;
  for (Group& group : groups) {
    if (Waits(group) && !group.staged && group.members[0]->model == model) waiting.push_back(&group);
  }
  std::ranges::sort(waiting, {}, [&](const Group* group) { return OrderOf(*group); });
  return waiting;
}

// ---- places

std::vector<Held> ShadowQueue::HeldNow() const {
  std::vector<Held> held(models.size());
  for (const Group& group : groups) {
    if (!Waits(group)) continue;
    Held& own = held[group.members[0]->model];
    const size_t n = group.members.size(), length = group.members[0]->ids.size();
    const bool fixed = group.staged || models[group.members[0]->model].closed;
    own.requests += n;
    own.tokens += length;
    own.fixed_requests += fixed ? n : 0;
    own.fixed_tokens += fixed ? length : 0;
  }
  for (ModelId i = 0; i < held.size(); ++i) held[i].requests += models[i].closed ? 0 : models[i].reserved;
  return held;
}

double ShadowQueue::PartOf(ModelId model, const Held& held) const {
  return std::max(static_cast<double>(held.requests) / static_cast<double>(world.options.max_requests),
                  static_cast<double>(held.tokens) / static_cast<double>(world.options.max_tokens)) /
         world.limits[model].weight;
}

Ask ShadowQueue::AskFor(ModelId model, Priority priority, size_t n, size_t tokens) const {
  Ask ask{model, priority, HeldNow()};
  ask.held[model].requests += n;
  ask.held[model].tokens += tokens;
  Held all, fixed;
  double weights = 0;
  for (ModelId i = 0; i < models.size(); ++i) {
    const Held& held = ask.held[i];
    all.requests += held.requests;
    all.tokens += held.tokens;
    if (i != model) fixed.requests += held.fixed_requests;
    if (i != model) fixed.tokens += held.fixed_tokens;
    if (!models[i].closed && held.requests > 0) weights += world.limits[i].weight;
  }
  const size_t max_requests = world.options.max_requests, max_tokens = world.options.max_tokens;
  ask.fits = all.requests <= max_requests && all.tokens <= max_tokens;
  const double rest = 1 - std::max(static_cast<double>(fixed.requests) / static_cast<double>(max_requests),
                                   static_cast<double>(fixed.tokens) / static_cast<double>(max_tokens));
  ask.within_share = PartOf(model, ask.held[model]) < rest / weights - 1e-9;
  return ask;
}

// ---- what happens

bool ShadowQueue::Accept(Request& request) {
  Shadow& shadow = Of(&request);
  shadow.sequence = next_sequence_++;
  const auto key = std::tuple(request.model, request.priority, request.ids[0], request.ids.size());
  Group*& open = open_[key];
  const bool is_twin = open && world.options.share_identical;
  if (is_twin) {
    const bool runs = Of(open->members[0]).state == Shadow::State::kRunning;
    shadow.state = runs ? Shadow::State::kRunning : Shadow::State::kWaiting;
    const Request* leader = runs ? nullptr : LeaderOf(*open);
    open->members.push_back(&request);
    if (!runs && LeaderOf(*open) != leader) open->staged = false;
  } else {
    groups.push_back({key, {&request}, request.priority, 0, false});
    open = &groups.back();
    shadow.state = Shadow::State::kWaiting;
  }
  shadow.group = open;
  return is_twin;
}

void ShadowQueue::Leave(Request& request) {
  Shadow& shadow = Of(&request);
  Group& group = *shadow.group;
  if (shadow.state == Shadow::State::kWaiting && LeaderOf(group) == &request) group.staged = false;
  std::erase(group.members, &request);
  shadow.group = nullptr;
  shadow.state = Shadow::State::kEnded;
  if (group.members.empty()) Close(group);
}

/// The group is no more.
void ShadowQueue::Close(Group& group) {
  const auto it = open_.find(group.key);
  if (it != open_.end() && it->second == &group) open_.erase(it);
  groups.remove_if([&](const Group& each) { return &each == &group; });
}

void ShadowQueue::Promote() {
  for (Group& group : groups) {
    if (!Waits(group) || group.staged) continue;
    const Request* leader = LeaderOf(group);
    for (auto rank = static_cast<size_t>(group.rank); rank > 0; --rank) {
      const auto steps = static_cast<int64_t>(static_cast<size_t>(leader->priority) - rank + 1);
      if ((now - leader->accepted) / steps <= world.options.max_priority_delay) break;
      group.rank = static_cast<Priority>(rank - 1);
    }
  }
}

void ShadowQueue::Start(Request& leader) {
  Group& group = *Of(&leader).group;
  group.staged = false;
  running_leaders.insert(&leader);
  for (const Request* each : group.members) Of(each).state = Shadow::State::kRunning;
}

size_t ShadowQueue::Finish(Request& leader) {
  Group& group = *Of(&leader).group;
  running_leaders.erase(&leader);
  for (const Request* each : group.members) {
    Of(each).state = Shadow::State::kEnded;
    Of(each).group = nullptr;
  }
  const size_t answered = group.members.size();
  Close(group);
  return answered;
}

}  // namespace bertha::batcher
