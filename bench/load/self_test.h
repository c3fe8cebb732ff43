// Does this program see a server that stands still? A server of its own answers at once, but for one second in which it
// answers nobody. An open loop must show that second; a closed loop, which waits meanwhile, hides it.
#ifndef BERTHA_BENCH_LOAD_SELF_TEST_H_
#define BERTHA_BENCH_LOAD_SELF_TEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/summary.h"
#include "bench/load/watch.h"

namespace bertha::load {

struct SelfTest {
  /// 200 calls a second for 5 s, of which the server stands still for one.
  Summary open;
  /// One call in flight for 2 s, of which the server stands still for one.
  Summary closed;
  /// What is wrong with this program, each a sentence; empty: nothing.
  std::vector<std::string> failures;
};

/// Takes 7 seconds and a port of the loopback interface, which may be refused.
absl::StatusOr<SelfTest> RunSelfTest(Watch& watch);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_SELF_TEST_H_
