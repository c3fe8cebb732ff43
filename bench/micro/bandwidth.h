// How fast this machine's memory is: what bounds a pass over weights that no cache holds.
//
// In the manner of STREAM (McCalpin, 1995): every thread walks over memory of its own, all at once; the best pass
// counts, since whatever else the machine does only makes it slower.
#ifndef BERTHA_BENCH_MICRO_BANDWIDTH_H_
#define BERTHA_BENCH_MICRO_BANDWIDTH_H_

#include <cstddef>

namespace bertha::bench {

/// GB/s, 10^9 bytes.
struct Bandwidth {
  double read = 0;
  /// Bytes read and bytes written, together.
  double copy = 0;
};

/// Over `bytes` in all, shared by `threads`, for about `seconds`.
Bandwidth MeasureBandwidth(size_t bytes, int threads, double seconds);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_MICRO_BANDWIDTH_H_
