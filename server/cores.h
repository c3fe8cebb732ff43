// How many cores may this process really use?
#ifndef BERTHA_SERVER_CORES_H_
#define BERTHA_SERVER_CORES_H_

#include <vector>

namespace bertha::server {

/// The smaller of the scheduler's affinity mask and the cgroup's CPU quota (v2 or v1, rounded up); at least 1. In a
/// container std::thread::hardware_concurrency() sees the whole machine, and threads beyond the quota only wait.
int AvailableCores();

/// The numbers of the cores in the affinity mask, ascending.
std::vector<int> CoreNumbers();

/// Keeps the calling thread on one core. False if the system refuses.
bool StayOnCore(int core);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CORES_H_
