#include "server/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace bertha::server {
namespace {

int QuotaCores(double quota_us, double period_us, int fallback) {
  if (quota_us <= 0 || period_us <= 0) return fallback;
  return std::max(1, static_cast<int>(std::ceil(quota_us / period_us)));
}

int CgroupCores(int fallback) {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period) return quota == "max" ? fallback : QuotaCores(std::atof(quota.c_str()), period, fallback);
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double us = 0;
  if (v1_quota >> us && v1_period >> period) return QuotaCores(us, period, fallback);
  return fallback;
}

}  // namespace

int AvailableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
  return std::min(affinity, CgroupCores(affinity));
}

std::vector<int> CoreNumbers() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> numbers;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return numbers;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<size_t>(i), &set)) numbers.push_back(i);
  }
  return numbers;
}

bool StayOnCore(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

}  // namespace bertha::server
