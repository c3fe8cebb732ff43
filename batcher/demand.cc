#include "batcher/demand.h"

#include <algorithm>
#include <bit>

namespace bertha::batcher {

Demand::Job Demand::JobOf(Duration work, TimePoint deadline, TimePoint now) {
  constexpr int64_t kFinest = 1 << 20;  // about a millisecond
  const auto left = static_cast<uint64_t>(std::max<int64_t>(0, (deadline - now).count()));
  const int64_t step = std::max(kFinest, static_cast<int64_t>(std::bit_floor(left) / 8));
  const int64_t at = deadline.time_since_epoch().count();
  return {work, TimePoint(Duration(at - at % step))};
}

void Demand::Add(const Job& job) {
  auto slot = std::lower_bound(slots_.begin(), slots_.end(), job.deadline,
                               [](const Slot& s, TimePoint deadline) { return s.deadline < deadline; });
  if (slot == slots_.end() || slot->deadline != job.deadline) slot = slots_.insert(slot, Slot{job.deadline});
  slot->work += job.work;
  slot->jobs += 1;
  total_ += job.work;
}

void Demand::Remove(const Job& job) {
  const auto slot = std::lower_bound(slots_.begin(), slots_.end(), job.deadline,
                                     [](const Slot& s, TimePoint deadline) { return s.deadline < deadline; });
  slot->work -= job.work;
  total_ -= job.work;
  if (--slot->jobs == 0) slots_.erase(slot);
}

Duration Demand::Excess(const Job& job, Duration before, double speed, TimePoint now) const {
  const auto excess = [&](Duration work, TimePoint deadline) {
    return static_cast<double>((before - (deadline - now)).count()) + static_cast<double>(work.count()) / speed;
  };
  auto slot = slots_.begin();
  Duration work = job.work;
  for (; slot != slots_.end() && slot->deadline <= job.deadline; ++slot) work += slot->work;
  double worst = excess(work, job.deadline);
  for (; slot != slots_.end(); ++slot) {
    work += slot->work;
    worst = std::max(worst, excess(work, slot->deadline));
  }
  return Duration(static_cast<int64_t>(worst));
}

}  // namespace bertha::batcher
