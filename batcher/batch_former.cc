#include "batcher/batch_former.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace bertha::batcher {
namespace {

constexpr size_t kAnyLength = std::numeric_limits<size_t>::max();
/// A batch is made larger even if its goodput is lower by this factor: estimates are not better than that.
constexpr double kAsGood = 0.999;
/// Lengths at which batches of shorter sequences are tried grow by this.
constexpr double kLengthStep = 1.3;

/// Sizes at which a growing batch is weighed: every one at first, then in steps of an eighth.
bool WeighedAt(size_t size) { return size < 8 || size % (std::bit_floor(size) / 8) == 0; }

}  // namespace

size_t BatchFormer::Window(const ModelLimits& limits) {
  return std::min((limits.pads ? 4 : 2) * limits.max_batch_requests, kMostBatchRequests);
}

BatchFormer::Trial BatchFormer::Try(std::span<const Candidate> candidates, size_t longest_allowed,
                                    const ModelLimits& limits, const CostTable& costs, TimePoint now) {
  Trial now_tried, best;
  TimePoint latest_end = TimePoint::max();  // for those passed over because of their length
  Duration put_off{0};                      // their work
  const auto computed = [&](size_t count, size_t tokens, size_t longest) {
    return limits.pads ? count * longest : tokens;
  };
  const Duration first_cost = costs.Estimate(candidates[0].tokens, candidates[0].tokens);
  const TimePoint soonest = candidates[0].deadline;
  const auto weigh = [&] {
    Trial& trial = now_tried;
    trial.cost = costs.Estimate(computed(trial.count, trial.tokens, trial.longest), trial.longest);
    if (now + trial.cost > latest_end) return;
    // A batch may not make one late that was in time without it.
    if (trial.count > 1 && now + trial.cost + trial.cost / 8 > soonest && now + first_cost <= soonest) return;
    Duration in_time{0};
    for (const size_t i : tried_) {
      if (candidates[i].deadline >= now + trial.cost) in_time += candidates[i].work;
    }
    trial.goodput = static_cast<double>(in_time.count()) / std::max(1.0, static_cast<double>(trial.cost.count()));
    if (trial.goodput >= kAsGood * best.goodput) best = trial;
  };
  tried_.clear();
  bool limited = false;
  for (size_t i = 0; i < candidates.size() && !limited; ++i) {
    const Candidate& candidate = candidates[i];
    const size_t longest = std::max(now_tried.longest, candidate.tokens);
    const bool too_long = candidate.tokens > longest_allowed;
    const bool fits = tried_.empty() || computed(now_tried.count + 1, now_tried.tokens + candidate.tokens, longest) <=
                                            limits.max_batch_tokens;
    if (too_long || !fits) {
      limited = candidate.firm;
      now_tried.full = true;
      if (too_long) {
        const Duration alone = costs.Estimate(candidate.tokens, candidate.tokens);
        latest_end = std::min(latest_end, candidate.deadline - alone - put_off);
        put_off += candidate.work;
      }
      continue;
    }
    tried_.push_back(i);
    now_tried.count += 1;
    now_tried.tokens += candidate.tokens;
    now_tried.longest = longest;
    limited = tried_.size() == limits.max_batch_requests;
    now_tried.full = now_tried.full || limited;
    if (WeighedAt(tried_.size())) weigh();
  }
  if (best.count < now_tried.count) weigh();
  best.full = best.count < now_tried.count || now_tried.full;
  return best;
}

BatchFormer::Choice BatchFormer::Choose(std::span<const Candidate> candidates, const ModelLimits& limits,
                                        const CostTable& costs, TimePoint now) {
  Trial best = Try(candidates, kAnyLength, limits, costs, now);
  best_.swap(tried_);
  if (limits.pads && costs.known()) {
    // Not only up to the longest of the best prefix, which may end before the first long one.
    const size_t longest = std::ranges::max(candidates, {}, &Candidate::tokens).tokens;
    for (auto length = static_cast<double>(candidates[0].tokens); length < static_cast<double>(longest);
         length = length * kLengthStep + 1) {
      const Trial trial = Try(candidates, static_cast<size_t>(length), limits, costs, now);
      if (kAsGood * trial.goodput <= best.goodput) continue;
      best = trial;
      best_.swap(tried_);
    }
  }
  const size_t computed = limits.pads ? best.count * best.longest : best.tokens;
  return {std::span(best_).first(best.count), best.tokens, computed, best.cost, best.full};
}

}  // namespace bertha::batcher
