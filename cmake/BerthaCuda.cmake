# BERTHA_CUDA: whether the CUDA plug-ins are built. No other target needs them, or CUDA.
#
# nvcc is called by hand for the few .cu files: CMake's own CUDA language would put the C++ warnings of this tree, which
# nvcc does not know, on its command line.
set(BERTHA_CUDA AUTO CACHE STRING "CUDA plug-ins: ON, OFF, or AUTO, where nvcc is found")
set_property(CACHE BERTHA_CUDA PROPERTY STRINGS AUTO ON OFF)
# As CMAKE_CUDA_ARCHITECTURES: N-real is machine code, N-virtual PTX, N both. The default compiles fast and runs from
# compute capability 7.5 on (bf16 from 9.0 on; fp16 everywhere); "75-real;80-real;86-real;89-real;90" is for releases.
set(BERTHA_CUDA_ARCHITECTURES "75-virtual;90" CACHE STRING "Compute capabilities, as CMAKE_CUDA_ARCHITECTURES")

set(BERTHA_HAS_CUDA OFF)
if(NOT BERTHA_CUDA STREQUAL "OFF" AND NOT BERTHA_PURE_ONLY)
  find_package(CUDAToolkit 12.0 QUIET)
  if(CUDAToolkit_FOUND AND TARGET CUDA::cublasLt AND CUDAToolkit_NVCC_EXECUTABLE)
    set(BERTHA_HAS_CUDA ON)
    message(STATUS "CUDA plug-ins: ${CUDAToolkit_VERSION} for ${BERTHA_CUDA_ARCHITECTURES}")
  elseif(BERTHA_CUDA STREQUAL "AUTO")
    message(STATUS "CUDA plug-ins: not built, nvcc or cuBLAS was not found")
  else()
    message(FATAL_ERROR "BERTHA_CUDA=${BERTHA_CUDA}, but nvcc or cuBLAS was not found")
  endif()
endif()

set(BERTHA_NVCC_FLAGS -std=c++20 -O3 -Werror all-warnings -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra)
foreach(architecture ${BERTHA_CUDA_ARCHITECTURES})
  string(REGEX MATCH "^[0-9]+a?" number ${architecture})
  if(architecture MATCHES "virtual")
    set(code compute_${number})
  elseif(architecture MATCHES "real")
    set(code sm_${number})
  else()
    set(code [compute_${number},sm_${number}])
  endif()
  list(APPEND BERTHA_NVCC_FLAGS --generate-code=arch=compute_${number},code=${code})
endforeach()

# bertha_cuda_objects(RESULT SOURCES...): the object files that nvcc makes of .cu files.
function(bertha_cuda_objects result)
  set(objects "")
  foreach(source ${ARGN})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${source}.o)
    get_filename_component(directory ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${directory})
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} -ccbin ${CMAKE_CXX_COMPILER} ${BERTHA_NVCC_FLAGS} -I${CMAKE_SOURCE_DIR}
              -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
      DEPFILE ${object}.d
      COMMENT "Compiling ${source} by nvcc"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(${result} ${objects} PARENT_SCOPE)
endfunction()
