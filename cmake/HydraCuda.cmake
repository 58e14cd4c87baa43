# The CUDA backend: the library libhydra4j_cuda where a CUDA compiler is found, one clear line where not; and its
# emulation with the tests (HYDRA_TESTS).
#
# nvcc is looked for in CUDACXX, CUDA_HOME, PATH, and the folder that cmake/cuda-toolchain.sh makes.
#   target hydra4j_cuda           libhydra4j_cuda.so, if HYDRA_NVCC is set; -DHYDRA_CUDA_VERBOSE=ON prints what ptxas says of
#                                 registers, spills and shared memory
#   target hydra4j_cuda_emulated  libhydra4j_cuda_emulated.so: the same sources for the processor; never packed
get_filename_component(HYDRA_ROOT ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)
set(HYDRA_CUDA_TOOLCHAIN ${HYDRA_ROOT}/.toolchain/cuda CACHE PATH "Folder made by cmake/cuda-toolchain.sh")
option(HYDRA_CUDA "Build the CUDA backend where a CUDA compiler is found" ON)
option(HYDRA_CUDA_VERBOSE "Print registers, spills and shared memory of every kernel" OFF)

set(HYDRA_NATIVE ${HYDRA_ROOT}/native)
file(GLOB HYDRA_CUDA_SOURCES CONFIGURE_DEPENDS ${HYDRA_NATIVE}/src/cuda/*.cu ${HYDRA_NATIVE}/src/train/cuda/*.cu)
file(GLOB HYDRA_EMULATION_SOURCES CONFIGURE_DEPENDS ${HYDRA_NATIVE}/src/cuda/emulation/*.cpp)

# Code for Ampere (A100; runs on all of 8.x), Hopper and, where the compiler knows them, the Blackwells of servers (10.x) and
# of workstations (12.x), and PTX from which the driver makes code for others: of all kernels that would take half a minute.
# HYDRA_CUDA_CODE in the environment, such as "sm_80 compute_90", names others.
set(HYDRA_CUDA_TARGETS
    -gencode arch=compute_80,code=sm_80
    -gencode arch=compute_90,code=sm_90
    -gencode arch=compute_90,code=compute_90)
set(HYDRA_CUDA_BLACKWELL
    -gencode arch=compute_100,code=sm_100
    -gencode arch=compute_120,code=sm_120)

# Sets HYDRA_NVCC to a compiler that is new enough, or HYDRA_NVCC_MISSING to the reason why there is none.
function(hydra_find_nvcc)
  set(HYDRA_NVCC "" PARENT_SCOPE)
  if(NOT HYDRA_CUDA)
    set(HYDRA_NVCC_MISSING "HYDRA_CUDA is off" PARENT_SCOPE)
    return()
  endif()
  find_program(nvcc_in_path nvcc NO_CACHE)
  set(candidates $ENV{CUDACXX} $ENV{CUDA_HOME}/bin/nvcc ${nvcc_in_path} ${HYDRA_CUDA_TOOLCHAIN}/bin/nvcc)
  set(reason "no nvcc in CUDACXX, CUDA_HOME, PATH or ${HYDRA_CUDA_TOOLCHAIN}; cmake/cuda-toolchain.sh brings one")
  foreach(candidate ${candidates})
    if(NOT EXISTS ${candidate} OR IS_DIRECTORY ${candidate})
      continue()
    endif()
    execute_process(COMMAND ${candidate} --version OUTPUT_VARIABLE words ERROR_QUIET RESULT_VARIABLE failed)
    if(failed OR NOT words MATCHES "release ([0-9]+\\.[0-9]+)")
      set(reason "${candidate} does not run")
    elseif(CMAKE_MATCH_1 VERSION_LESS 12.4)
      set(reason "${candidate} is of CUDA ${CMAKE_MATCH_1}, 12.4 or newer is needed")
    else()
      message(STATUS "CUDA backend: ${candidate}, CUDA ${CMAKE_MATCH_1}")
      set(HYDRA_NVCC ${candidate} PARENT_SCOPE)
      if(DEFINED ENV{HYDRA_CUDA_CODE})
        set(HYDRA_CUDA_TARGETS)
        string(REPLACE " " ";" wanted "$ENV{HYDRA_CUDA_CODE}")
        foreach(code ${wanted})
          string(REGEX REPLACE "^(sm|compute)_" "compute_" architecture ${code})
          list(APPEND HYDRA_CUDA_TARGETS -gencode arch=${architecture},code=${code})
        endforeach()
        set(HYDRA_CUDA_TARGETS ${HYDRA_CUDA_TARGETS} PARENT_SCOPE)
      elseif(CMAKE_MATCH_1 VERSION_GREATER_EQUAL 12.8)
        list(APPEND HYDRA_CUDA_TARGETS ${HYDRA_CUDA_BLACKWELL})
        set(HYDRA_CUDA_TARGETS ${HYDRA_CUDA_TARGETS} PARENT_SCOPE)
      endif()
      return()
    endif()
  endforeach()
  set(HYDRA_NVCC_MISSING ${reason} PARENT_SCOPE)
endfunction()

# -fmad=false: a multiplication and an addition are fused where the source says fmaf and nowhere else.
# --no-compress: nvcc would compress the PTX, in which xz (the bundle for GPU machines) sees more when it is plain text.
function(hydra_cuda_library)
  find_package(Threads REQUIRED)
  get_filename_component(toolkit ${HYDRA_NVCC} REALPATH)
  get_filename_component(toolkit ${toolkit}/../.. ABSOLUTE)
  find_library(runtime cudart_static PATHS ${toolkit} PATH_SUFFIXES lib64 lib targets/x86_64-linux/lib targets/sbsa-linux/lib
               NO_DEFAULT_PATH NO_CACHE REQUIRED)
  set(flags -std=c++20 -O3 -fmad=false --no-compress -cudart static --Werror all-warnings -ccbin ${CMAKE_CXX_COMPILER}
      -Xcompiler -fPIC,-fvisibility=hidden,-fvisibility-inlines-hidden,-Wall,-Wextra,-Werror,-ffp-contract=off
      -I ${HYDRA_NATIVE}/include -I ${HYDRA_NATIVE}/src)
  if(HYDRA_CUDA_VERBOSE)
    list(APPEND flags -Xptxas -v)
  endif()
  set(objects)
  foreach(source ${HYDRA_CUDA_SOURCES})
    file(RELATIVE_PATH name ${HYDRA_NATIVE}/src ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    add_custom_command(OUTPUT ${object}
                       COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
                       COMMAND ${HYDRA_NVCC} ${flags} ${HYDRA_CUDA_TARGETS} -MD -MF ${object}.d -c ${source} -o ${object}
                       DEPENDS ${source} DEPFILE ${object}.d COMMENT "nvcc ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_library(hydra4j_cuda SHARED ${objects})
  set_target_properties(hydra4j_cuda PROPERTIES LINKER_LANGUAGE CXX)
  # The runtime's symbols stay inside: another copy of it in the process must not be mixed up with ours.
  target_link_options(hydra4j_cuda PRIVATE -Wl,--no-undefined -Wl,-z,defs -Wl,--exclude-libs,ALL -static-libstdc++ -static-libgcc)
  target_link_libraries(hydra4j_cuda PRIVATE ${runtime} ${CMAKE_DL_LIBS} rt Threads::Threads)
endfunction()

hydra_find_nvcc()
if(HYDRA_NVCC)
  hydra_cuda_library()
else()
  message(NOTICE "CUDA backend left out: ${HYDRA_NVCC_MISSING}")
  # A library of a time when there was a compiler must not be taken for one of this build.
  file(REMOVE ${CMAKE_CURRENT_BINARY_DIR}/libhydra4j_cuda.so)
endif()

# -Wno-unknown-pragmas: of nvcc's unrolling. -O1: half of the compiler's time, and the emulation itself takes most of that of tests; it
# sees less of what is initialized where.
if(HYDRA_TESTS)
  add_library(hydra4j_cuda_emulated SHARED ${HYDRA_CUDA_SOURCES} ${HYDRA_EMULATION_SOURCES})
  set_source_files_properties(${HYDRA_CUDA_SOURCES} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS
                              "-x;c++;-Wno-unknown-pragmas;-O1;-Wno-maybe-uninitialized")
  target_include_directories(hydra4j_cuda_emulated PRIVATE ${HYDRA_NATIVE}/include ${HYDRA_NATIVE}/src)
  hydra_compile_options(hydra4j_cuda_emulated)
endif()
