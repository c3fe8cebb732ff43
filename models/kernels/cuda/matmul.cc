#include "models/kernels/cuda/matmul.h"

#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <limits>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "models/kernels/cuda/outcome.h"

namespace bertha::cuda {
namespace {

using models::CudaOutcome;
using Code = CudaOutcome::Code;

constexpr int kCandidates = 8;

CudaOutcome Failed(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return {};
  const Code code = status == CUBLAS_STATUS_ALLOC_FAILED      ? Code::kOutOfMemory
                    : status == CUBLAS_STATUS_NOT_INITIALIZED ? Code::kUnavailable
                                                              : Code::kInternal;
  return {code, std::string(what) + ": " + cublasLtGetStatusName(status)};
}

cudaDataType_t TypeOf(Dtype dtype) {
  if (dtype == Dtype::kFp32) return CUDA_R_32F;
  return dtype == Dtype::kFp16 ? CUDA_R_16F : CUDA_R_16BF;
}

/// Largest power of two up to 256 that divides the address and the bytes between rows.
uint32_t Alignment(const void* address, size_t row_bytes) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(address) | row_bytes | 256;
  return 1u << std::countr_zero(bits);
}

/// What an algorithm is good for.
struct Shape {
  Dtype dtype;
  bool fp32_out;
  int rows, inputs, outputs, out_stride;
  Epilogue epilogue;
  uint32_t weight_alignment, out_alignment;

  auto operator<=>(const Shape&) const = default;
};

size_t OutBytes(const MatmulCall& call) { return call.fp32_out ? 4 : BytesOf(call.dtype); }

Shape ShapeOf(const MatmulCall& call) {
  return {call.dtype,
          call.fp32_out,
          call.rows,
          call.inputs,
          call.outputs,
          call.out_stride,
          call.epilogue,
          Alignment(call.weight, call.inputs * BytesOf(call.dtype)),
          Alignment(call.out, call.out_stride * OutBytes(call))};
}

/// cuBLASLt is column-major: what lies here as rows is its transpose. outᵀ [outputs, rows] = weight · xᵀ, where the
/// weight, [inputs, outputs] to cuBLASLt, is transposed back: the arrangement that tensor cores like best.
class Description {
 public:
  CudaOutcome Set(const MatmulCall& call) {
    const cudaDataType_t type = TypeOf(call.dtype), out_type = call.fp32_out ? CUDA_R_32F : type;
    cublasStatus_t status = cublasLtMatmulDescInit(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
      if (status != CUBLAS_STATUS_SUCCESS) return;
      status = cublasLtMatmulDescSetAttribute(&operation, attribute, &value, sizeof value);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, EpilogueOf(call.epilogue));
    if (call.epilogue != Epilogue::kNone) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias);
    auto layout = [&](cublasLtMatrixLayout_t matrix, cudaDataType_t of, int rows, int columns, int stride) {
      if (status != CUBLAS_STATUS_SUCCESS) return;
      status =
          cublasLtMatrixLayoutInit(matrix, of, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride);
    };
    layout(&weight, type, call.inputs, call.outputs, call.inputs);
    layout(&x, type, call.inputs, call.rows, call.inputs);
    layout(&out, out_type, call.outputs, call.rows, call.out_stride);
    return Failed(status, "describing a matrix product");
  }

  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t weight, x, out;

 private:
  static cublasLtEpilogue_t EpilogueOf(Epilogue epilogue) {
    switch (epilogue) {
      case Epilogue::kNone:
        break;
      case Epilogue::kBias:
        return CUBLASLT_EPILOGUE_BIAS;
      case Epilogue::kBiasGeluTanh:
        return CUBLASLT_EPILOGUE_GELU_BIAS;
      case Epilogue::kBiasRelu:
        return CUBLASLT_EPILOGUE_RELU_BIAS;
    }
    return CUBLASLT_EPILOGUE_DEFAULT;
  }
};

class Events {
 public:
  Events() {
    for (cudaEvent_t& event : events_) {
      if (cudaEventCreate(&event) != cudaSuccess) event = nullptr;
    }
  }
  ~Events() {
    for (cudaEvent_t event : events_) {
      if (event) cudaEventDestroy(event);
    }
  }
  Events(const Events&) = delete;
  cudaEvent_t begin() const { return events_[0]; }
  cudaEvent_t end() const { return events_[1]; }

 private:
  cudaEvent_t events_[2] = {};
};

class LtMatmul final : public Matmul {
 public:
  explicit LtMatmul(bool tune) : tune_(tune) {}
  ~LtMatmul() override {
    if (handle_) cublasLtDestroy(handle_);
  }

  CudaOutcome Init() { return Failed(cublasLtCreate(&handle_), "starting cuBLASLt"); }

  CudaOutcome Multiply(cudaStream_t stream, void* workspace, const MatmulCall& call) override {
    if (call.rows == 0) return {};
    Description description;
    if (CudaOutcome outcome = description.Set(call); !outcome.ok()) return outcome;
    cublasLtMatmulAlgo_t algorithm;
    if (CudaOutcome outcome = Choose(stream, workspace, call, description, algorithm); !outcome.ok()) return outcome;
    return Failed(Queue(stream, workspace, call, call.weight, description, algorithm), "a matrix product");
  }

 private:
  using Candidates = std::array<cublasLtMatmulHeuristicResult_t, kCandidates>;

  cublasStatus_t Queue(cudaStream_t stream, void* workspace, const MatmulCall& call, const void* weight,
                       Description& description, const cublasLtMatmulAlgo_t& algorithm) {
    const float one = 1, zero = 0;
    return cublasLtMatmul(handle_, &description.operation, &one, weight, &description.weight, call.x, &description.x,
                          &zero, call.out, &description.out, call.out, &description.out, &algorithm, workspace,
                          kWorkspaceBytes, stream);
  }

  CudaOutcome Choose(cudaStream_t stream, void* workspace, const MatmulCall& call, Description& description,
                     cublasLtMatmulAlgo_t& algorithm) {
    const Shape shape = ShapeOf(call);
    {
      std::shared_lock lock(mutex_);
      if (const auto found = algorithms_.find(shape); found != algorithms_.end()) {
        algorithm = found->second;
        return {};
      }
    }
    std::unique_lock tuning(tuning_mutex_);  // two would disturb each other's timings
    Candidates candidates;
    int count = 0;
    if (CudaOutcome outcome = Ask(call, shape, description, candidates, count); !outcome.ok()) return outcome;
    const int best = tune_ && count > 1 ? Fastest(stream, workspace, call, description, candidates, count) : 0;
    algorithm = candidates[static_cast<size_t>(best)].algo;
    std::unique_lock lock(mutex_);
    algorithms_.emplace(shape, algorithm);
    return {};
  }

  CudaOutcome Ask(const MatmulCall& call, const Shape& shape, Description& description, Candidates& candidates,
                  int& count) {
    cublasLtMatmulPreferenceOpaque_t preference;
    cublasStatus_t status = cublasLtMatmulPreferenceInit(&preference);
    auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      if (status != CUBLAS_STATUS_SUCCESS) return;
      status = cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value);
    };
    const uint64_t workspace = kWorkspaceBytes;
    // Parts of a sum are added in fp32, in a fixed order: the same batch gets the same bits.
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.weight_alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, Alignment(call.x, call.inputs * BytesOf(call.dtype)));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.out_alignment);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.out_alignment);
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = cublasLtMatmulAlgoGetHeuristic(handle_, &description.operation, &description.weight, &description.x,
                                              &description.out, &description.out, &preference, kCandidates,
                                              candidates.data(), &count);
    }
    if (status == CUBLAS_STATUS_SUCCESS && count == 0) status = CUBLAS_STATUS_NOT_SUPPORTED;
    return Failed(status, "choosing an algorithm for a matrix product");
  }

  /// Index of the fastest; one that fails is passed over, and 0 stands if all do.
  int Fastest(cudaStream_t stream, void* workspace, const MatmulCall& call, Description& description,
              const Candidates& candidates, int count) {
    constexpr int kRounds = 2;
    const Events events;
    if (!events.begin() || !events.end()) return 0;
    int best = 0;
    float best_time = std::numeric_limits<float>::infinity();
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < count; ++i) {
        const float time = Time(stream, workspace, call, description, candidates[static_cast<size_t>(i)].algo, events);
        if (time < best_time) best_time = time, best = i;
      }
    }
    return best;
  }

  float Time(cudaStream_t stream, void* workspace, const MatmulCall& call, Description& description,
             const cublasLtMatmulAlgo_t& algorithm, const Events& events) {
    constexpr size_t kLaunches = 12;
    const float never = std::numeric_limits<float>::infinity();
    auto run = [&](const void* weight) {
      return Queue(stream, workspace, call, weight, description, algorithm) == CUBLAS_STATUS_SUCCESS;
    };
    if (!run(call.weight) || cudaEventRecord(events.begin(), stream) != cudaSuccess) return never;
    for (size_t i = 0; i < kLaunches; ++i) {
      if (!run(call.peers.empty() ? call.weight : call.peers[i % call.peers.size()])) return never;
    }
    float time = never;
    if (cudaEventRecord(events.end(), stream) != cudaSuccess) return never;
    if (cudaEventSynchronize(events.end()) != cudaSuccess) return never;
    return cudaEventElapsedTime(&time, events.begin(), events.end()) == cudaSuccess ? time : never;
  }

  const bool tune_;
  cublasLtHandle_t handle_ = nullptr;
  std::mutex tuning_mutex_;
  std::shared_mutex mutex_;
  std::map<Shape, cublasLtMatmulAlgo_t> algorithms_;
};

}  // namespace

CudaOutcome Matmul::Create(bool tune, std::unique_ptr<Matmul>& matmul) {
  auto made = std::make_unique<LtMatmul>(tune);
  CudaOutcome outcome = made->Init();
  if (outcome.ok()) matmul = std::move(made);
  return outcome;
}

}  // namespace bertha::cuda
