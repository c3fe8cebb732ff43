#include "models/gemm_ceiling.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "models/fused_engine.h"
#include "models/kernels/cpu/aligned_buffer.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/ops/linear.h"

namespace bertha::models {
namespace {

constexpr size_t kRows = 256;

struct Size {
  size_t outputs, inputs;
};
constexpr std::array<Size, 4> kProducts = {{{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}}};

double OperationsOfAll() {
  double operations = 0;
  for (const auto& [outputs, inputs] : kProducts) operations += 2.0 * static_cast<double>(kRows * outputs * inputs);
  return operations;
}

/// Values like those of a network, so that no power-saving zeros are multiplied: of both signs, below 1.
std::vector<float> Values(size_t count) {
  std::vector<float> values(count);
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
  }
  return values;
}

/// The products of our own engine.
class OurProducts {
 public:
  OurProducts(Dtype dtype, int threads) : team_(threads), linear_(team_, GetRowKernels()) {
    const GemmKernel& kernel = GemmKernelFor(dtype);
    for (const auto& [outputs, inputs] : kProducts) {
      const std::vector<float> weights = Values(outputs * inputs);
      const MatrixView view = {weights.data(), outputs, inputs, inputs, 1};
      Product& product = products_.emplace_back();
      product.weights = PackedMatrix(kernel, {{.weight = view, .bias = {}}}, team_);
      product.in_stride = StrideOf(inputs, kernel.activations);
      product.in = AlignedBuffer(kRows * product.in_stride);
      const std::vector<float> row = Values(PaddedRow(inputs));
      for (size_t i = 0; i < kRows; ++i) {
        std::byte* const to = product.in.data() + i * product.in_stride;
        product.scales.push_back(GetRowKernels().convert(row.data(), inputs, kernel.activations, to));
      }
      product.out_element = dtype == Dtype::kFp32 ? Element::kF32 : Element::kBf16;
      product.out_stride = StrideOf(product.weights.padded_outputs(), product.out_element);
      product.out = AlignedBuffer(kRows * product.out_stride);
    }
  }

  void Run() {
    for (Product& product : products_) {
      linear_.Run({.in = {product.in.data(), product.in_stride, product.scales.data()},
                   .rows = kRows,
                   .weights = &product.weights,
                   .panels = product.weights.panels(),
                   .out = {product.out.data(), product.out_stride, product.out_element}});
    }
  }

 private:
  struct Product {
    PackedMatrix weights;
    AlignedBuffer in, out;
    size_t in_stride = 0, out_stride = 0;
    std::vector<float> scales;
    Element out_element = Element::kF32;
  };

  /// As the engine lays out its rows: whole vectors, and not a power of two apart.
  static size_t StrideOf(size_t columns, Element element) {
    return PaddedRow(columns) * SizeOf(element) + AlignedBuffer::kAlignment;
  }

  ThreadTeam team_;
  LinearRunner linear_;
  std::vector<Product> products_;
};

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

/// oneDNN's products of packed weights, as LibTorch has them.
class OneDnnProducts {
 public:
  OneDnnProducts(at::ScalarType type, int threads)
      : threads_(threads), multiply_(Operator<Multiply>("mkldnn::_linear_pointwise")) {
    c10::InferenceMode inference;
    const ThreadCount count(threads);
    for (const auto& size : kProducts) {
      const auto outputs = static_cast<int64_t>(size.outputs), inputs = static_cast<int64_t>(size.inputs);
      const auto rows = static_cast<int64_t>(kRows);
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

template <class Products>
GemmCeiling CeilingOf(const char* by, std::shared_ptr<Products> products) {
  return {by, OperationsOfAll(), [products = std::move(products)] { products->Run(); }};
}

}  // namespace

std::vector<GemmCeiling> MakeGemmCeilings(absl::string_view dtype, int threads) {
  std::vector<GemmCeiling> ceilings;
  for (const Dtype ours : {Dtype::kFp32, Dtype::kBf16, Dtype::kInt8}) {
    if (dtype == DtypeName(ours)) ceilings.push_back(CeilingOf("fused", std::make_shared<OurProducts>(ours, threads)));
  }
  if (dtype != "fp32" && dtype != "bf16") return ceilings;
  try {
    const auto products = std::make_shared<OneDnnProducts>(dtype == "fp32" ? at::kFloat : at::kBFloat16, threads);
    products->Run();  // throws here what it would throw later
    ceilings.push_back(CeilingOf("onednn", products));
  } catch (const std::exception&) {  // a processor without this type
  }
  return ceilings;
}

}  // namespace bertha::models
