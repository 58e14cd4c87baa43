# The library of training, libhydra4j_train, which shares with libhydra4j only sources.
#   target hydra4j_train          libhydra4j_train.so
#   HYDRA_TRAIN_OBJECTS           its objects, for tests
file(GLOB TRAIN_SOURCES CONFIGURE_DEPENDS src/train/*.cpp src/train/cpu/*.cpp src/train/cuda/*.cpp)
file(GLOB TRAIN_KERNEL_SOURCES CONFIGURE_DEPENDS src/train/kernels/*.cpp)

hydra_isa_libraries(train HYDRA_TRAIN_OBJECTS ${TRAIN_KERNEL_SOURCES})

# Products of bf16, of processors that have instructions for them.
hydra_isa_library(train avx512_bf16 avx512 "${HYDRA_AVX512_FLAGS} -mavx512bf16" src/train/kernels/product_bf16.cpp)
target_compile_definitions(hydra4j_train_avx512_bf16 PRIVATE HYDRA_AVX512_BF16=1)
hydra_tiles_library(train_tiles amx_bf16 avx512 "${HYDRA_AVX512_FLAGS}" src/train/tiles/product.cpp)
list(APPEND HYDRA_TRAIN_OBJECTS $<TARGET_OBJECTS:hydra4j_train_avx512_bf16> $<TARGET_OBJECTS:hydra4j_train_tiles_amx_bf16>)

add_library(hydra4j_train_objects OBJECT ${TRAIN_SOURCES} src/program/error.cpp src/program/allocation.cpp src/program/process.cpp
                                         src/cpu/team.cpp src/cpu/processor.cpp)
target_include_directories(hydra4j_train_objects PUBLIC include src)
hydra_compile_options(hydra4j_train_objects)
set(HYDRA_TRAIN_OBJECTS $<TARGET_OBJECTS:hydra4j_train_objects> ${HYDRA_TRAIN_OBJECTS})

set(HYDRA_TRAIN_EXPORTS ${CMAKE_CURRENT_SOURCE_DIR}/src/train/exports.map)
add_library(hydra4j_train SHARED ${HYDRA_TRAIN_OBJECTS})
set_target_properties(hydra4j_train PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${HYDRA_TRAIN_EXPORTS})
target_link_options(hydra4j_train PRIVATE -Wl,--version-script=${HYDRA_TRAIN_EXPORTS} -Wl,--no-undefined -Wl,-z,defs -static-libstdc++ -static-libgcc)
target_link_libraries(hydra4j_train PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
