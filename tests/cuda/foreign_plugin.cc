// A plug-in of another version: nothing of it but that may be looked at.
#include "models/cuda_plugin.h"

extern "C" bertha::models::CudaPluginEntry bertha_cuda_plugin;
bertha::models::CudaPluginEntry bertha_cuda_plugin = {.version = bertha::models::kCudaPluginVersion + 1,
                                                      .build = nullptr};
