#include "bench/micro/gemm_ceiling.h"

#include <array>
#include <memory>
#include <utility>

#include "bench/micro/sample_values.h"
#include "models/activation_rows.h"
#include "models/fused_engine.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"
#include "models/onednn_products.h"
#include "models/ops/linear.h"

namespace bertha::bench {
namespace {

using models::Dtype;
using models::Element;

constexpr size_t kRows = 256;
constexpr std::array<models::ProductSize, 4> kProducts = {{{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}}};

double OperationsOfAll() {
  double operations = 0;
  for (const auto& [outputs, inputs] : kProducts) operations += 2.0 * static_cast<double>(kRows * outputs * inputs);
  return operations;
}

/// The products of our own engine.
class OurProducts {
 public:
  OurProducts(Dtype dtype, int threads) : team_(threads), linear_(team_, models::GetRowKernels()) {
    const models::GemmKernel& kernel = models::GemmKernelFor(dtype);
    const Element results = dtype == Dtype::kFp32 ? Element::kF32 : Element::kBf16;
    for (const auto& [outputs, inputs] : kProducts) {
      const std::vector<float> weights = SampleValues(outputs * inputs);
      const models::MatrixView view = {weights.data(), outputs, inputs, inputs, 1};
      Product& product = products_.emplace_back();
      product.weights = models::PackedMatrix(kernel, {{.weight = view, .bias = {}}}, team_);
      product.in = models::Operand(inputs, kernel.activations);
      product.in.Reserve(kRows);
      const std::vector<float> row = SampleValues(models::PaddedRow(inputs));
      for (size_t i = 0; i < kRows; ++i) product.in.Set(models::GetRowKernels(), i, row.data());
      product.out = models::Matrix(product.weights.padded_outputs(), results);
      product.out.Reserve(kRows);
    }
  }

  void Run() {
    for (Product& product : products_) {
      linear_.Run({.in = product.in.view(),
                   .rows = kRows,
                   .weights = &product.weights,
                   .panels = product.weights.panels(),
                   .out = product.out.rows()});
    }
  }

 private:
  struct Product {
    models::PackedMatrix weights;
    models::Operand in;
    models::Matrix out;
  };

  models::ThreadTeam team_;
  models::LinearRunner linear_;
  std::vector<Product> products_;
};

}  // namespace

std::vector<GemmCeiling> MakeGemmCeilings(absl::string_view dtype, int threads) {
  std::vector<GemmCeiling> ceilings;
  for (const Dtype ours : {Dtype::kFp32, Dtype::kBf16, Dtype::kInt8}) {
    if (dtype != models::DtypeName(ours)) continue;
    const auto products = std::make_shared<OurProducts>(ours, threads);
    ceilings.push_back({"fused", OperationsOfAll(), [products] { products->Run(); }});
  }
  if (auto products = models::MakeOneDnnProducts(dtype, threads, kRows, kProducts)) {
    ceilings.push_back({"onednn", OperationsOfAll(), std::move(products)});
  }
  return ceilings;
}

}  // namespace bertha::bench
