#include "bench/load/early_stopping.h"

#include <boost/math/distributions/binomial.hpp>

namespace bertha::load {
namespace {

// Nothing here throws: what is out of the domain would set errno.
using NoThrow =
    boost::math::policies::policy<boost::math::policies::domain_error<boost::math::policies::errno_on_error>,
                                  boost::math::policies::overflow_error<boost::math::policies::errno_on_error>,
                                  boost::math::policies::evaluation_error<boost::math::policies::errno_on_error>>;
using Binomial = boost::math::binomial_distribution<double, NoThrow>;

/// Of the number of calls over the latency, if exactly a share of `quantile` is within it.
Binomial CallsOver(size_t calls, double quantile) { return {static_cast<double>(calls), 1 - quantile}; }

bool ShowsThatItMeets(size_t calls, size_t over, double quantile, double confidence) {
  return over < calls && cdf(CallsOver(calls, quantile), static_cast<double>(over)) <= 1 - confidence;
}

bool ShowsThatItFails(size_t calls, size_t over, double quantile, double confidence) {
  if (over == 0) return false;
  return cdf(complement(CallsOver(calls, quantile), static_cast<double>(over - 1))) <= 1 - confidence;
}

}  // namespace

Shown EarlyStopping(size_t calls, size_t over, double quantile, double confidence) {
  if (calls == 0) return Shown::kUndecided;
  if (ShowsThatItMeets(calls, over, quantile, confidence)) return Shown::kMeets;
  return ShowsThatItFails(calls, over, quantile, confidence) ? Shown::kFails : Shown::kUndecided;
}

size_t CallsNeeded(size_t over, double quantile, double confidence) {
  size_t too_few = over, enough = over + 1;
  for (; !ShowsThatItMeets(enough, over, quantile, confidence); enough *= 2) too_few = enough;
  while (enough - too_few > 1) {
    const size_t middle = too_few + (enough - too_few) / 2;
    (ShowsThatItMeets(middle, over, quantile, confidence) ? enough : too_few) = middle;
  }
  return enough;
}

}  // namespace bertha::load
