// cuBLASLt as it is called here, against loops over doubles. Needs a GPU.
#include "models/kernels/cuda/matmul.h"

#include <cmath>

#include "tests/cuda/device_array.h"

namespace bertha::cuda {
namespace {

double Activated(double x, Epilogue epilogue) {
  if (epilogue == Epilogue::kBiasRelu) return std::max(x, 0.);
  if (epilogue != Epilogue::kBiasGeluTanh) return x;
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST_CASE("Products of every type, epilogue and shape that the engine uses, tuned and not") {
  struct {
    int rows, inputs, outputs, out_stride;
  } const shapes[] = {{16, 768, 2304, 2304}, {128, 768, 1536, 2304}, {1, 64, 64, 64},
                      {40, 3072, 768, 768},  {7, 36, 30, 90},        {9, 5, 3, 3}};
  for (const bool tune : {false, true}) {
    std::unique_ptr<Matmul> matmul;
    REQUIRE(Matmul::Create(tune, matmul).ok());
    const DeviceArray workspace(std::vector<float>(kWorkspaceBytes / 4), Dtype::kFp32);
    for (const auto& shape : shapes) {
      for (const Dtype dtype : kDtypes) {
        for (const Epilogue epilogue :
             {Epilogue::kNone, Epilogue::kBias, Epilogue::kBiasGeluTanh, Epilogue::kBiasRelu}) {
          if (dtype == Dtype::kFp32 && epilogue > Epilogue::kBias) continue;
          // The engine asks for no epilogue of odd shapes.
          if ((shape.inputs % 8 || shape.outputs % 8) && epilogue != Epilogue::kNone) continue;
          for (const bool fp32_out : {false, true}) {
            if (fp32_out && epilogue != Epilogue::kNone) continue;
            CAPTURE(tune, shape.rows, shape.inputs, shape.outputs, NameOf(dtype), static_cast<int>(epilogue), fp32_out);
            const auto x = RandomNumbers(static_cast<size_t>(shape.rows) * shape.inputs, dtype, 1),
                       weight = RandomNumbers(static_cast<size_t>(shape.outputs) * shape.inputs, dtype, 2,
                                              1 / std::sqrt(static_cast<float>(shape.inputs))),
                       bias = RandomNumbers(shape.outputs, dtype, 3);
            const Dtype out_type = fp32_out ? Dtype::kFp32 : dtype;
            const size_t count = static_cast<size_t>(shape.rows) * shape.out_stride;
            const DeviceArray dx(x, dtype), dweight(weight, dtype), dbias(bias, dtype),
                out(std::vector<float>(count, 5), out_type);
            const models::CudaOutcome outcome = matmul->Multiply(nullptr, workspace,
                                                                 {.dtype = dtype,
                                                                  .fp32_out = fp32_out,
                                                                  .rows = shape.rows,
                                                                  .inputs = shape.inputs,
                                                                  .outputs = shape.outputs,
                                                                  .x = dx,
                                                                  .weight = dweight,
                                                                  .bias = dbias,
                                                                  .out = out,
                                                                  .out_stride = shape.out_stride,
                                                                  .epilogue = epilogue});
            INFO(outcome.message);
            REQUIRE(outcome.ok());
            std::vector<double> expected(count, 5);
            for (int row = 0; row < shape.rows; ++row) {
              for (int output = 0; output < shape.outputs; ++output) {
                double sum = epilogue == Epilogue::kNone ? 0 : bias[static_cast<size_t>(output)];
                for (int i = 0; i < shape.inputs; ++i) {
                  sum += double{x[static_cast<size_t>(row) * shape.inputs + i]} *
                         weight[static_cast<size_t>(output) * shape.inputs + i];
                }
                expected[static_cast<size_t>(row) * shape.out_stride + output] = Activated(sum, epilogue);
              }
            }
            CheckClose(out.Values(), expected, Epsilon(out_type), epilogue == Epilogue::kBiasGeluTanh ? 1e-3 : 2e-5);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace bertha::cuda
