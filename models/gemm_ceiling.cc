#include "models/gemm_ceiling.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>

#include <exception>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bertha::models {
namespace {

constexpr int64_t kRows = 256;
/// Outputs and inputs.
constexpr std::pair<int64_t, int64_t> kProducts[] = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}};

using Scalars = c10::List<std::optional<at::Scalar>>;
using PackWeight = at::Tensor(const at::Tensor&, std::optional<int64_t>);
using Multiply = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
                            Scalars, std::optional<std::string_view>);

template <class Signature>
auto Operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

struct Product {
  at::Tensor input, weight;
};

/// The count belongs to the calling thread, whose encoders have set theirs.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;

 private:
  const int before_;
};

GemmCeiling Make(at::ScalarType type, int threads) {
  c10::InferenceMode inference;
  const ThreadCount count(threads);
  std::vector<Product> products;
  GemmCeiling ceiling;
  for (const auto& [outputs, inputs] : kProducts) {
    const at::Tensor weight = at::randn({outputs, inputs}).to(type);
    products.push_back({at::randn({kRows, inputs}).to(type),
                        Operator<PackWeight>("mkldnn::_reorder_linear_weight").call(weight, kRows)});
    ceiling.operations += 2.0 * static_cast<double>(kRows * outputs * inputs);
  }
  ceiling.run = [products = std::move(products), multiply = Operator<Multiply>("mkldnn::_linear_pointwise"), threads] {
    c10::InferenceMode inference;
    const ThreadCount count(threads);
    for (const Product& product : products) {
      multiply.call(product.input, product.weight, std::nullopt, "none", Scalars(), "");
    }
  };
  ceiling.run();  // throws here what it would throw later
  return ceiling;
}

}  // namespace

absl::StatusOr<GemmCeiling> MakeGemmCeiling(absl::string_view dtype, int threads) {
  if (dtype != "fp32" && dtype != "bf16") {
    return absl::UnimplementedError(absl::StrCat("no ceiling is known for ", dtype));
  }
  try {
    return Make(dtype == "fp32" ? at::kFloat : at::kBFloat16, threads);
  } catch (const std::exception& error) {
    const absl::string_view reason = error.what();
    return absl::UnimplementedError(absl::StrCat("oneDNN's matrix product: ", reason.substr(0, reason.find('\n'))));
  }
}

}  // namespace bertha::models
