// How many cores may this process really use?
#ifndef BERTHA_SERVER_CORES_H_
#define BERTHA_SERVER_CORES_H_

namespace bertha::server {

/// The smaller of the scheduler's affinity mask and the cgroup's CPU quota (v2 or v1, rounded up); at least 1. In a
/// container std::thread::hardware_concurrency() sees the whole machine, and threads beyond the quota only wait.
int AvailableCores();

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CORES_H_
