// Finds the highest rate that keeps an objective: which rate to try next, and for how long, from what became of the
// rates before. Pure: whoever holds it makes the runs.
//
//   CapacitySearch search(options);
//   while (const auto step = search.Next()) search.Add(Summarize(plan of *step, its record, options.objective));
//   use(search.result());
//
// Rates are doubled, in short runs, until one fails; then the gap is bisected in longer ones, until it is narrower than
// `precision`; then both ends must prove themselves in long runs, the lower one that it meets the objective with
// confidence (early_stopping.h). An end that does not is moved, each time by twice as much, and the search goes on from
// there: one unlucky run, early or late, costs time and not the result. A rate that is undecided after three runs
// counts as one that does not meet the objective.
//
// An INVALID run (Summary::invalid) never shows that the objective is met. That it is missed it shows only if too many
// calls were late for that to be this program's fault (Summary::surely_over). Otherwise it is made again, up to three
// times; then its rate counts as not met, and if the search ends there its result is INVALID too. So is one that is far
// below a rate that was shown to meet the objective earlier.
//
// Thread-compatible. Invariants: no rate is below options.lowest_rate or above options.limit; there are at most
// options.max_runs runs.
#ifndef BERTHA_BENCH_LOAD_CAPACITY_SEARCH_H_
#define BERTHA_BENCH_LOAD_CAPACITY_SEARCH_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "batcher/clock.h"
#include "bench/load/objective.h"
#include "bench/load/summary.h"

namespace bertha::load {

struct CapacityOptions {
  Objective objective;
  /// Calls a second of the first run.
  double first_rate = 16;
  /// If this does not meet the objective, nothing does.
  double lowest_rate = 1;
  /// No rate above this is tried: what the client, or the user's patience, can do.
  double limit = 100'000;
  /// How far the rate that is found may be below one that fails: 0.025 is 2.5%.
  double precision = 0.025;
  /// Of a run while rates double, while they are bisected, and for the proof, without the warm-up. At low rates runs
  /// are longer: too few calls decide nothing.
  batcher::Duration doubling = std::chrono::seconds(2), bisecting = std::chrono::seconds(4),
                    proving = std::chrono::seconds(15);
  size_t max_runs = 60;
};

class CapacitySearch {
 public:
  enum class Purpose { kDoubling, kBisecting, kProving };

  struct Step {
    double rate = 0;
    /// That count: the warm-up comes before.
    batcher::Duration length{};
    Purpose purpose = Purpose::kDoubling;
  };

  /// All runs at one rate that led to a decision.
  struct Tried {
    double rate = 0;
    std::optional<bool> met;  ///< unset: not decided
    double seconds = 0;
    size_t calls = 0, over = 0;
  };

  struct Result {
    /// The highest rate that was shown to meet the objective; 0: none was.
    double per_s = 0;
    std::vector<Tried> tried;  ///< in order
    /// Why `per_s` is not the server's capacity; empty: it is. Each a sentence for a person.
    std::vector<std::string> invalid;
  };

  explicit CapacitySearch(const CapacityOptions& options);

  /// The run to make now; nothing when the search is over.
  const std::optional<Step>& Next() const { return next_; }
  /// What became of the run of Next(), which must not be over. Summarized with the same objective.
  void Add(const Summary& summary);

  Result result() const;

 private:
  /// One end of the gap in which the capacity lies.
  struct End {
    double rate = 0;
    /// How well is it known that it belongs on its side?
    enum class State { kAssumed, kTried, kProven } state = State::kAssumed;
    /// Of an upper end that no valid run decided: why those runs were INVALID.
    std::string invalid;
  };

  /// Of the runs at the present rate together.
  std::optional<bool> Verdict() const;
  bool TryAgain() const;
  void Decide(bool met, const std::string& invalid);
  void TakeLow(double rate);
  void TakeHigh(double rate, const std::string& invalid);
  std::optional<Step> Choose() const;
  /// A rate far above `per_s` that was shown to meet the objective.
  std::optional<double> MetBefore(double per_s) const;
  Step MakeStep(double rate, Purpose purpose) const;

  const CapacityOptions options_;
  std::optional<Step> next_;
  Tried present_;
  size_t runs_ = 0, present_runs_ = 0, present_invalid_ = 0;
  std::string why_invalid_;
  std::optional<End> low_, high_;
  /// By how much a low end that did not prove itself goes down, and rates without a high end go up.
  double down_, up_ = 2;
  /// After a surprise bisection takes long runs.
  bool surprised_ = false;
  std::vector<Tried> tried_;
};

/// "doubling", "bisecting", "proving".
std::string NameOf(CapacitySearch::Purpose purpose);

/// For the latency-load curve: from a tenth of the capacity to five times it, closer together around it.
std::vector<double> SweepRates(double capacity);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_CAPACITY_SEARCH_H_
