# The target format-check, and the test of that name, where clang-format is installed; one clear line where not.
find_program(CLANG_FORMAT clang-format)
file(GLOB_RECURSE FORMATTED_SOURCES CONFIGURE_DEPENDS include/*.h src/*.h src/*.cpp src/*.cu src/*.cuh
     tests/*.h tests/*.cpp)
if(CLANG_FORMAT)
  add_test(NAME format COMMAND ${CLANG_FORMAT} --dry-run --Werror ${FORMATTED_SOURCES})
else()
  message(NOTICE "clang-format not found: the C++ formatting is not checked")
endif()
