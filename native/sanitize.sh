#!/bin/bash
# Builds the native tests with sanitizers and runs them: AddressSanitizer (with leaks) and UndefinedBehaviorSanitizer,
# then ThreadSanitizer, each in a build folder of its own under build/. Exits with 0 where all is clean; nothing is
# suppressed.
#
#   sanitize.sh [address|thread] [options of ctest]     both where none is named
#
# Left out are the CUDA backend's tests on its emulation: that runs the threads of a kernel on stacks which it switches
# by itself, unseen by the sanitizers, and has a page that faults after every piece of memory to find the same faults.
set -euo pipefail
cd "$(dirname "$0")"

# A huge allocation that a test wants to be refused is refused.
export ASAN_OPTIONS=halt_on_error=1:detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
# A test opens a backend in a forked child, where ThreadSanitizer would refuse its threads.
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0

kinds=(address thread)
case ${1:-} in
    address | thread)
        kinds=("$1")
        shift
        ;;
esac

mapfile -t tests < <(basename -s .cpp tests/*_test.cpp tests/host/*_test.cpp && basename -s .cpp tests/train/*_test.cpp | sed s/^/train_/)
for kind in "${kinds[@]}"; do
    folder=build/sanitize-$kind
    sanitizers=$kind
    [ "$kind" = thread ] || sanitizers=address,undefined
    cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHYDRA_SANITIZE="$sanitizers" -DHYDRA_CUDA=OFF
    cmake --build "$folder" --target "${tests[@]}"
    ctest --test-dir "$folder" --output-on-failure --no-tests=error -R "^($(IFS='|' && echo "${tests[*]}"))\$" "$@"
done
echo "clean: ${kinds[*]}"
