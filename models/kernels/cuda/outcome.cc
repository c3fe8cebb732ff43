#include "models/kernels/cuda/outcome.h"

namespace bertha::cuda {
namespace {

using Code = models::CudaOutcome::Code;

Code CodeOf(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return Code::kOk;
    case cudaErrorMemoryAllocation:
      return Code::kOutOfMemory;
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorNotSupported:
      return Code::kUnavailable;
    // Those that CUDA's documentation calls an inconsistent state of the process.
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorLaunchFailure:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorExternalDevice:
    case cudaErrorTensorMemoryLeak:
    case cudaErrorMpsClientTerminated:
    case cudaErrorContextIsDestroyed:
      return Code::kDeviceLost;
    default:
      return Code::kInternal;
  }
}

}  // namespace

models::CudaOutcome Outcome(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();
  return {CodeOf(error), std::string(what) + ": " + cudaGetErrorString(error)};
}

}  // namespace bertha::cuda
