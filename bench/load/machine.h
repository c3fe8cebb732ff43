// The machine that this program runs on, for reports.
#ifndef BERTHA_BENCH_LOAD_MACHINE_H_
#define BERTHA_BENCH_LOAD_MACHINE_H_

#include "bench/load/summary_json.h"

namespace bertha::load {

Report::Machine ThisMachine();

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_MACHINE_H_
