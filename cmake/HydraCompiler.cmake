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
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno ${ARGN})
  if(HYDRA_SANITIZE)
    target_compile_options(${target} PRIVATE -O1 -fsanitize=${HYDRA_SANITIZE} -fno-omit-frame-pointer -g)
  endif()
endfunction()

if(HYDRA_SANITIZE)
  add_link_options(-fsanitize=${HYDRA_SANITIZE})
endif()

set(HYDRA_AVX512_FLAGS "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -mbmi2 -mprefer-vector-width=512")

# Compiles sources for an instruction set, in a namespace of its name, as hydra4j_<name>_<isa>; `base` says which of portable, avx2 and
# avx512 its vectors are.
function(hydra_isa_library name isa base flags)
  string(TOUPPER ${base} macro)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  add_library(hydra4j_${name}_${isa} OBJECT ${ARGN})
  target_include_directories(hydra4j_${name}_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(hydra4j_${name}_${isa} PRIVATE HYDRA_ISA=${isa} HYDRA_${macro}=1)
  target_compile_options(hydra4j_${name}_${isa} PRIVATE ${flags} -fno-exceptions -fno-rtti)
  hydra_compile_options(hydra4j_${name}_${isa})
endfunction()

# Compiles sources once per instruction set; adds the objects to the list `objects`. -O2: of vectors that are arrays -O3 makes three
# times the compiler's work, and slower code.
function(hydra_isa_libraries name objects)
  set(flags_portable "-O2")
  set(flags_avx2 "-mavx2 -mfma -mf16c -mbmi2")
  set(flags_avx512 "${HYDRA_AVX512_FLAGS}")
  foreach(isa portable avx2 avx512)
    hydra_isa_library(${name} ${isa} ${isa} "${flags_${isa}}" ${ARGN})
    list(APPEND ${objects} $<TARGET_OBJECTS:hydra4j_${name}_${isa}>)
  endforeach()
  set(${objects} ${${objects}} PARENT_SCOPE)
endfunction()

# Compiles products by tiles, whose instructions are emulated where `isa` is emulated.
function(hydra_tiles_library name isa base flags)
  hydra_isa_library(${name} ${isa} ${base} "${flags}" ${ARGN})
  target_compile_definitions(hydra4j_${name}_${isa} PRIVATE HYDRA_BASE=${base})
  if(isa STREQUAL emulated)
    target_compile_definitions(hydra4j_${name}_${isa} PRIVATE HYDRA_EMULATED_TILES=1)
  endif()
endfunction()
