// Any bytes as a ModelInferRequest, as gRPC's callers send it: its tensors are read in place, out of `contents` or
// raw_input_contents.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "inference/grpc_service.pb.h"
#include "tests/fuzz/infer_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] static const auto loud = google::protobuf::SetLogHandler(nullptr);
  inference::ModelInferRequest request;
  // What is no message never reaches the server's code.
  if (request.ParseFromArray(data, static_cast<int>(size))) bertha::server::oip::fuzz::CheckTensors(request);
  return 0;
}
