#include "server/memory_limit.h"

#include <unistd.h>

#include <fstream>

namespace bertha::server {

uint64_t ContainerMemoryLimit() {
  const uint64_t machine =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    uint64_t limit = 0;
    // "max" is no number; v1 says "none" with a number beyond all memory.
    if (std::ifstream(file) >> limit) return limit < machine ? limit : 0;
  }
  return 0;
}

}  // namespace bertha::server
