#include "models/onednn_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>

#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace bertha::models {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using PackWeight = at::Tensor(const at::Tensor&, std::optional<int64_t>);
using Multiply = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
                            Scalars, std::optional<std::string_view>);

template <class Signature>
auto Operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

/// Torch's number of threads belongs to the calling thread, whose encoders have set theirs.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;

 private:
  const int before_;
};

class OneDnnProducts {
 public:
  OneDnnProducts(at::ScalarType type, int threads, size_t row_count, std::span<const ProductSize> sizes)
      : threads_(threads), multiply_(Operator<Multiply>("mkldnn::_linear_pointwise")) {
    c10::InferenceMode inference;
    const ThreadCount count(threads);
    const auto rows = static_cast<int64_t>(row_count);
    for (const ProductSize& size : sizes) {
      const auto outputs = static_cast<int64_t>(size.outputs), inputs = static_cast<int64_t>(size.inputs);
      const at::Tensor weight = at::randn({outputs, inputs}).to(type);
      products_.emplace_back(at::randn({rows, inputs}).to(type),
                             Operator<PackWeight>("mkldnn::_reorder_linear_weight").call(weight, rows));
    }
  }

  void Run() const {
    c10::InferenceMode inference;
    const ThreadCount count(threads_);
    for (const auto& [input, weight] : products_) multiply_.call(input, weight, std::nullopt, "none", Scalars(), "");
  }

 private:
  const int threads_;
  const c10::TypedOperatorHandle<Multiply> multiply_;
  std::vector<std::pair<at::Tensor, at::Tensor>> products_;
};

}  // namespace

std::function<void()> MakeOneDnnProducts(absl::string_view dtype, int threads, size_t rows,
                                         std::span<const ProductSize> sizes) {
  if (dtype != "fp32" && dtype != "bf16") return nullptr;
  try {
    const auto type = dtype == "fp32" ? at::kFloat : at::kBFloat16;
    const auto products = std::make_shared<OneDnnProducts>(type, threads, rows, sizes);
    products->Run();  // throws here what it would throw later
    return [products] { products->Run(); };
  } catch (const std::exception&) {  // a processor without this type
    return nullptr;
  }
}

}  // namespace bertha::models
