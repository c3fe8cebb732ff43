# Target bertha_torch: LibTorch from the torch wheel in the tree's Python environment, CPU libraries only.
#
# -ltorch would pull in libtorch_cuda and everything it needs; libtorch_cpu and libc10 are enough. At run time they need
# libcudart and libcupti, from the CUDA toolkit or from two small wheels beside torch.
set(BERTHA_SITE_PACKAGES "" CACHE PATH "site-packages that holds torch; default: the one of .venv in the tree")
if(NOT BERTHA_SITE_PACKAGES)
  file(GLOB found ${CMAKE_SOURCE_DIR}/.venv/lib/python3.*/site-packages)
  list(GET found 0 BERTHA_SITE_PACKAGES)
endif()
set(torch_dir ${BERTHA_SITE_PACKAGES}/torch)
if(NOT EXISTS ${torch_dir}/include/torch/csrc/api/include/torch/torch.h)
  message(FATAL_ERROR "LibTorch is not at ${torch_dir}. Run scripts/serve --setup-only, or pass -DBERTHA_SITE_PACKAGES=...")
endif()

# The CUDA runtime wheels put their libraries below nvidia/; harmless where they are not installed.
file(GLOB nvidia_lib_dirs ${BERTHA_SITE_PACKAGES}/nvidia/*/lib)

add_library(bertha_torch INTERFACE)
target_include_directories(bertha_torch SYSTEM INTERFACE ${torch_dir}/include ${torch_dir}/include/torch/csrc/api/include)
# Torch's checks name the file that they stand in (__FILE__), its headers or ours: a program that is shipped says
# torch/... or models/..., not where it was built.
foreach(dir ${CMAKE_SOURCE_DIR} ${BERTHA_SITE_PACKAGES})
  target_compile_options(bertha_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fmacro-prefix-map=${dir}/=>)
endforeach()
target_link_directories(bertha_torch INTERFACE ${torch_dir}/lib)
target_link_options(bertha_torch INTERFACE -Wl,--as-needed -Wl,--allow-shlib-undefined -Wl,--disable-new-dtags)
foreach(dir ${torch_dir}/lib ${nvidia_lib_dirs})
  target_link_options(bertha_torch INTERFACE -Wl,-rpath,${dir})
endforeach()
target_link_libraries(bertha_torch INTERFACE torch_cpu c10)
