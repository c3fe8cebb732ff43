// Measuring on demand: one request a line, one answer a line, so that a script can time us in turns with others.
//
//   {"engine": 0, "lengths": [128, 128], "seconds": 0.3}   -> {"ms": [9.1, 9.0], "operations": 3.4e10}
//   {"engine": 0, "ids": [[101, 102], [101, 7, 102]]}      -> {"logits": [[0.1, 0.2], [0.3, 0.4]]}
//   {"gemm": "bf16", "seconds": 0.1}                       -> {"gflops": 430.0}: the fastest products, by as many
//   threads as engine 0
//   {"read": true, "seconds": 0.1}                         -> {"gb_per_s": 31.0}: memory, by as many threads
//   anything else                                          -> {"error": "..."}
//
// The first line that comes out is {"ready": true, "processor", "engines"}; `engine` counts in that order. "operations"
// is null if nobody can tell. Between requests the process sleeps.
#ifndef BERTHA_BENCH_ENCODER_SERVE_H_
#define BERTHA_BENCH_ENCODER_SERVE_H_

#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "bench/encoder/engines.h"

namespace bertha::bench {

/// Until `in` ends.
void Serve(const std::vector<Engine>& engines, std::istream& in, const std::function<void(const std::string&)>& write);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_SERVE_H_
