// main() of the tests that need a GPU: without one it says so and exits 77, which ctest shows as "Skipped".
#include <cstdio>
#include <vector>

#include "models/cuda/device_list.h"

#define CATCH_CONFIG_RUNNER
#include "tests/catch.h"

int main(int argc, char** argv) {
  std::vector<bertha::models::CudaDevice> devices;
  const bertha::models::CudaOutcome outcome = bertha::cuda::ListDevices(devices);
  if (!outcome.ok()) {
    printf("skipped: %s\n", outcome.message.c_str());
    return 77;
  }
  printf("on %s, compute capability %d.%d\n", devices[0].name.c_str(), devices[0].major, devices[0].minor);
  return Catch::Session().run(argc, argv);
}
