#include "server/rate_limiter.h"

#include <algorithm>

#include "absl/hash/hash.h"

namespace bertha::server {

RateLimiter::RateLimiter(const Options& options)
    : interval_(options.per_second > 0 ? std::max<int64_t>(1, static_cast<int64_t>(1e9 / options.per_second)) : 0),
      tolerance_(static_cast<int64_t>(static_cast<double>(interval_) * (std::max(options.burst, 1.0) - 1))),
      sets_per_shard_((options.max_clients + kShards * kWays - 1) / (kShards * kWays)) {
  if (!enabled()) return;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.sets.resize(sets_per_shard_);
  }
}

batcher::Duration RateLimiter::Acquire(absl::string_view client, batcher::TimePoint now) {
  if (!enabled()) return {};
  const uint64_t hash = absl::HashOf(client);
  const int64_t time = now.time_since_epoch().count();
  Shard& shard = shards_[hash % kShards];
  MutexLock lock(shard.mutex);
  Set& set = shard.sets[hash / kShards % sets_per_shard_];
  Entry* entry = std::ranges::find(set, hash, &Entry::client);
  if (entry == set.end()) {
    entry = std::ranges::min_element(set, {}, &Entry::full_at);
    *entry = {.client = hash, .full_at = INT64_MIN};
  }
  const int64_t full_at = std::max(entry->full_at, time);
  if (full_at - time > tolerance_) return batcher::Duration(full_at - time - tolerance_);
  entry->full_at = full_at + interval_;
  return {};
}

}  // namespace bertha::server
