#include "batcher/eviction.h"

#include <algorithm>
#include <utility>

namespace bertha::batcher {

double Eviction::PartHeld(const Holder& holder) const {
  return std::max(static_cast<double>(holder.requests) / static_cast<double>(max_requests_),
                  static_cast<double>(holder.tokens) / static_cast<double>(max_tokens_)) /
         holder.weight;
}

bool Eviction::Choose(size_t requests, size_t tokens) {
  victims_.clear();
  while (requests > max_requests_ || tokens > max_tokens_) {
    Holder& most = *std::ranges::max_element(
        holders_, {}, [&](const Holder& holder) { return std::pair(PartHeld(holder), holder.own); });
    if (Request* victim = most.waiting.Next()) {
      const size_t freed = victim->leads() ? victim->ids.size() : 0;
      victims_.push_back(victim);
      most.requests -= 1;
      most.tokens -= freed;
      requests -= 1;
      tokens -= freed;
    } else if (most.reserved > 0 && requests > max_requests_) {
      most.reserved -= 1;  // whoever holds them will be refused
      most.requests -= 1;
      requests -= 1;
    } else if (most.own) {
      return false;
    } else {
      most = holders_.back();
      holders_.pop_back();
    }
  }
  return true;
}

}  // namespace bertha::batcher
