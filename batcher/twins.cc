#include "batcher/twins.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace bertha::batcher {
namespace {

absl::string_view BytesOf(std::span<const int32_t> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

bool AskTheSame(const Request& a, const Request& b) {
  return a.model == b.model && a.priority == b.priority && std::ranges::equal(a.ids, b.ids) &&
         std::ranges::equal(a.type_ids, b.type_ids);
}

}  // namespace

void Twins::Prepare(Request& request) {
  request.hash_ = absl::HashOf(request.model, request.priority, BytesOf(request.ids)) | 1;
}

Request* Twins::Find(Request& request) const {
  if (request.hash_ == 0) Prepare(request);
  const auto found = leaders_.find(request.hash_);
  return found != leaders_.end() && AskTheSame(*found->second, request) ? found->second : nullptr;
}

Request* Twins::FindOrLead(Request& request) {
  if (request.hash_ == 0) Prepare(request);
  const auto [found, leads] = leaders_.try_emplace(request.hash_, &request);
  return !leads && AskTheSame(*found->second, request) ? found->second : nullptr;
}

void Twins::Join(Request& request, Request& leader) {
  request.leader_ = &leader;
  request.next_twin_ = std::exchange(leader.next_twin_, &request);
}

void Twins::Leave(Request& twin) {
  Request* before = twin.leader_;
  while (before->next_twin_ != &twin) before = before->next_twin_;
  before->next_twin_ = twin.next_twin_;
  twin.leader_ = twin.next_twin_ = nullptr;
}

void Twins::Replace(Request& leader, Request& next) {
  if (next.leader_ == &leader) Leave(next);
  next.hash_ = leader.hash_;
  next.next_twin_ = std::exchange(leader.next_twin_, nullptr);
  for (Request* twin = next.next_twin_; twin; twin = twin->next_twin_) twin->leader_ = &next;
  if (const auto found = leaders_.find(leader.hash_); found != leaders_.end() && found->second == &leader) {
    found->second = &next;
  }
}

void Twins::Close(Request& leader) {
  const auto found = leaders_.find(leader.hash_);
  if (found != leaders_.end() && found->second == &leader) leaders_.erase(found);
}

}  // namespace bertha::batcher
