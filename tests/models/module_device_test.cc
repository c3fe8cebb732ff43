// Modules moved off the CPU. There is no GPU here, but there is Torch's "meta" device: tensors on it have shapes and no
// numbers, and an operation that is given one of them and one of the CPU's fails, as it would with CUDA.
#include "models/cuda/module_device.h"

#include <torch/script.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "models/package_contents.h"
#include "tests/catch.h"

namespace bertha::cuda {
namespace {

/// How often a graph of the module names `device`.
size_t Names(const torch::jit::Module& module, const std::string& device) {
  const std::string constant = absl::StrCat("value=\"", device, "\"");
  size_t count = 0;
  for (const torch::jit::Module& part : module.modules()) {
    for (const torch::jit::Method& method : part.get_methods()) {
      const std::string graph = method.graph()->toString();
      for (size_t at = graph.find(constant); at != std::string::npos; at = graph.find(constant, at + 1)) ++count;
    }
  }
  return count;
}

// Running them takes kernels that Torch has for "meta" in Python only.
TEST_CASE("Modules of all demo packages are moved whole") {
  size_t packages = 0, named = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BERTHA_DEMO_MODELS)) {
    if (entry.path().filename() != models::kModuleFile) continue;
    CAPTURE(entry.path());
    torch::jit::Module module = torch::jit::load(entry.path(), torch::kCPU);
    const size_t before = Names(module, "cpu");
    MoveModule(module, "meta");
    CHECK(Names(module, "cpu") == 0);
    CHECK(Names(module, "meta") >= before);
    size_t tensors = 0;
    for (const torch::jit::Module& part : module.modules()) {
      for (const auto& attribute : part.named_attributes(false)) {
        if (!attribute.value.isTensor()) continue;
        CHECK(attribute.value.toTensor().is_meta());
        ++tensors;
      }
    }
    CHECK(tensors > 10);
    ++packages;
    named += before;
  }
  CHECK(packages >= 6);
  CHECK(named > 0);  // XLNet's positions
}

TEST_CASE("What a trace bakes in is moved: devices, tensors, and the CPU that nobody named") {
  const char* const sources[] = {
      "def forward(self, x):\n  return x + torch.arange(7, device=torch.device('cpu'))\n",
      "def forward(self, x):\n  return x + torch.arange(7)\n",
      "def forward(self, x):\n  if x.size(0) > 1:\n    x = x + torch.ones([7], dtype=4)\n  return x\n",
  };
  for (const char* source : sources) {
    CAPTURE(source);
    torch::jit::Module module("m");
    module.define(source);
    auto forward = [&] {
      return module.forward({at::ones({2, 7}, at::TensorOptions(torch::kInt64).device(torch::kMeta))});
    };
    CHECK_THROWS(forward());
    torch::jit::Module moved("m");
    moved.define(source);
    MoveModule(moved, "meta");
    module = moved;
    CHECK_NOTHROW(forward());
  }
}

}  // namespace
}  // namespace bertha::cuda
