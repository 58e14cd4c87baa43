#!/bin/bash
# Tells on a machine with an NVIDIA GPU what of Hydra4J is right and how fast it is. Needs a driver and, for the step
# sanitizer, CUDA's compute-sanitizer; nothing else.
#
# Usage: run.sh [STEP...]   all of them if none is named
#   describe    the card, the driver, and what the library says of them
#   native      the kernels against plain references, every operation of the C ABI, the programs; on the card
#   steps       time of every operation and of whole steps, beside the time that their bytes take
#   sanitizer   the kernels under compute-sanitizer: memcheck, racecheck, initcheck, synccheck
#   java        the JUnit tests of the CUDA backend: the tokens of the original code, the bits of plain decoding
#   bench       decoding of the embedded model, plain and with Hydra++, by the JMH module; from the repository's root
# OUT: folder for the logs, ./results if not set. Every step runs to its end whatever the others found; the last lines say
# which failed, and so does the exit status.
set -uo pipefail
bundle=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$PWD/results}
mkdir -p "$out"
java=$bundle/jre/bin/java
export HYDRA4J_CUDA_LIBRARY=${HYDRA4J_CUDA_LIBRARY:-$bundle/native/libhydra4j_cuda.so}  # another one to try run.sh itself
natives=(-Dhydra4j.library.path="$bundle/native" -Dhydra4j.cuda.library="$HYDRA4J_CUDA_LIBRARY")
results=()

note() { # NAME STATUS
    results+=("$([ "$2" = 0 ] && echo passed || echo FAILED) $1")
    echo "== ${results[-1]}"
}

describe() {
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem --format=csv | tee "$out/card.csv"
    echo "commit $(cat "$bundle/commit")" | tee "$out/versions.txt"
    "$java" "${natives[@]}" -cp "$bundle/classes" io.hydra4j.cli.Main devices | tee -a "$out/versions.txt"
    grep -q '^cuda 0' "$out/versions.txt"
    note describe $?
}

native() {
    local test name
    for test in "$bundle"/native/*_test; do
        name=$(basename "$test")
        timeout 120 "$test" --gtest_brief=1 --gtest_output="json:$out/native/$name.json" >"$out/$name.log" 2>&1
        note "native $name" $?
        grep -E '^\[  FAILED  \]|Failure|error' "$out/$name.log" | head -20
    done
}

steps() {
    local model
    for model in 135m 1b 7b; do
        timeout 150 "$bundle/native/step_benchmark" "$HYDRA4J_CUDA_LIBRARY" $model bf16 512 2>&1 | tee -a "$out/steps.txt"
        note "steps $model" "${PIPESTATUS[0]}"
    done
}

# Few cases of every kernel: under racecheck a kernel takes some hundred times as long.
sanitizer() {
    local tool test name
    if ! command -v compute-sanitizer >/dev/null; then
        echo "compute-sanitizer is not there: it comes with the CUDA toolkit"
        note sanitizer 1
        return
    fi
    for tool in memcheck racecheck initcheck synccheck; do
        for test in "$bundle"/native/cuda_*_test; do
            name=$(basename "$test")
            [ "$name" = cuda_emulation_test ] && continue
            timeout 60 compute-sanitizer --tool $tool --error-exitcode 9 "$test" --gtest_brief=1 >"$out/$tool-$name.log" 2>&1
            local status=$?
            # A run that no test took part in says nothing.
            grep -q '\[  PASSED  \] [1-9]' "$out/$tool-$name.log" || status=1
            note "sanitizer $tool $name" $status
        done
    done
}

java() {
    local data=()
    [ -d "$bundle/shared" ] && data=(-Dhydra4j.shared="$bundle/shared")
    timeout 240 "$java" "${natives[@]}" "${data[@]}" -Dhydra4j.test.cuda="$HYDRA4J_CUDA_LIBRARY" \
        -cp "$bundle/tests:$bundle/classes:$bundle/junit/*" org.junit.platform.console.ConsoleLauncher execute \
        --include-classname '.*Cuda.*Test' --scan-class-path "$bundle/tests" --fail-if-no-tests --details=tree --disable-banner \
        >"$out/junit.log" 2>&1
    note java $?
    tail -20 "$out/junit.log"
}

bench() {
    if [ ! -d models ]; then
        echo "no folder models here: call from the repository's root"
        note bench 1
        return
    fi
    timeout 240 "$java" "${natives[@]}" -cp "$bundle/classes" io.hydra4j.benchmarks.Main --backend cuda --compare \
        --trees default,nodes:16,tuned,auto --prompts 12 --seconds 90 --out "$out/compare.json" 2>"$out/compare.log"
    note bench $?
}

mkdir -p "$out/native"
for step in "${@:-describe native steps sanitizer java bench}"; do
    for name in $step; do
        case $name in
        describe | native | steps | sanitizer | java | bench) $name ;;
        *) echo "unknown step: $name" >&2; exit 2 ;;
        esac
    done
done

echo
printf '%s\n' "${results[@]}" | tee "$out/summary.txt"
! grep -q '^FAILED' "$out/summary.txt"
