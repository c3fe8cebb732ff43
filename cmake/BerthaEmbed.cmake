# bertha_embed(TARGET FOLDER FUNCTION [GENERATED...]): a static library with every file of FOLDER inside, those that the
# build makes included, and a header of the same name:
#   #include "embedded/TARGET.h"     std::span<const bertha::server::StaticFile> bertha::server::FUNCTION();
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(bertha_embed target folder function)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_include/embedded)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${folder}/*)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_files.py)
  add_custom_command(
    OUTPUT ${out}/${target}.cc ${out}/${target}.h
    COMMAND Python3::Interpreter ${script} ${folder} ${out}/${target} ${function}
    DEPENDS ${script} ${files} ${ARGN}
    COMMENT "Embedding ${folder}" VERBATIM)
  add_library(${target} STATIC ${out}/${target}.cc ${out}/${target}.h)
  target_include_directories(${target} PUBLIC ${CMAKE_CURRENT_BINARY_DIR}/embedded_include)
endfunction()
