// How much memory may this process really use?
#ifndef BERTHA_SERVER_MEMORY_LIMIT_H_
#define BERTHA_SERVER_MEMORY_LIMIT_H_

#include <cstdint>

namespace bertha::server {

/// The cgroup's memory limit in bytes (v2 or v1); 0 if there is none below the machine's memory.
uint64_t ContainerMemoryLimit();

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MEMORY_LIMIT_H_
