# Compiler flags of the native build, and its sanitizer switch.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O3")

set(HYDRA_SANITIZE "" CACHE STRING "Sanitizers to build with, such as address,undefined")

# -ffp-contract=off: a multiplication and an addition are fused where the source says so and nowhere else, or equal code would give
# different bits on different instruction sets.
function(hydra_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno)
  if(HYDRA_SANITIZE)
    target_compile_options(${target} PRIVATE -O1 -fsanitize=${HYDRA_SANITIZE} -fno-omit-frame-pointer -g)
  endif()
endfunction()

if(HYDRA_SANITIZE)
  add_link_options(-fsanitize=${HYDRA_SANITIZE})
endif()

# Compiles the kernel sources for one instruction set, in a namespace of its name.
function(hydra_isa_library isa flags)
  string(TOUPPER ${isa} macro)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  add_library(hydra4j_kernels_${isa} OBJECT ${KERNEL_SOURCES})
  target_include_directories(hydra4j_kernels_${isa} PRIVATE include src)
  target_compile_definitions(hydra4j_kernels_${isa} PRIVATE HYDRA_ISA=${isa} HYDRA_${macro}=1)
  target_compile_options(hydra4j_kernels_${isa} PRIVATE ${flags} -fno-exceptions -fno-rtti)
  hydra_compile_options(hydra4j_kernels_${isa})
  set(HYDRA_KERNEL_OBJECTS ${HYDRA_KERNEL_OBJECTS} $<TARGET_OBJECTS:hydra4j_kernels_${isa}> PARENT_SCOPE)
endfunction()

# Compiles the products by tiles over the kernels of the instruction set `base`, in a namespace of the name `isa`; the instructions
# are emulated where `isa` is emulated.
function(hydra_tiles_library isa base flags)
  string(TOUPPER ${base} macro)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  add_library(hydra4j_tiles_${isa} OBJECT ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../native/src/cpu/tiles/product.cpp)
  target_include_directories(hydra4j_tiles_${isa} PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../native/include
                                                          ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../native/src)
  target_compile_definitions(hydra4j_tiles_${isa} PRIVATE HYDRA_ISA=${isa} HYDRA_BASE=${base} HYDRA_${macro}=1)
  if(isa STREQUAL emulated)
    target_compile_definitions(hydra4j_tiles_${isa} PRIVATE HYDRA_EMULATED_TILES=1)
  endif()
  target_compile_options(hydra4j_tiles_${isa} PRIVATE ${flags} -fno-exceptions -fno-rtti)
  hydra_compile_options(hydra4j_tiles_${isa})
endfunction()
