#!/bin/bash
# Tells on a machine with an NVIDIA GPU what of Hydra4J is right and how fast it is. Needs a driver and, for the step
# sanitizer, CUDA's compute-sanitizer; nothing else. All steps together end within eight minutes.
#
# Usage: run.sh [STEP...]   all of them if none is named
#   describe    the card, the driver, and what the library says of them
#   native      the kernels against plain references, every operation of the C ABI, the programs; on the card
#   java        the JUnit tests of the CUDA backend: the tokens of the original code, the bits of plain decoding
#   sanitizer   the kernels under compute-sanitizer: memcheck, racecheck, synccheck, initcheck
#   steps       time of every operation and of whole steps, beside the time that their bytes take
#   bench       decoding of the embedded model, plain and with Hydra++, by the JMH module
# java and bench take the embedded model from the folder models of the folder that they are called in.
#
# OUT: folder for the logs, ./results if not set: a file for each step, compare.json and summary.txt.
# HYDRA4J_SHARED: folder with more models and golden files than the bundle has.
# HYDRA4J_CUDA_LIBRARY: another library, to try this script itself: with libhydra4j_cuda_emulated.so, which the native build
# leaves, steps and bench take tiny models, and everything may take longer.
#
# What runs out of time has failed. Every step runs to its end whatever the others found; the last lines say which
# failed, and so does the exit status.
set -uo pipefail
bundle=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$PWD/results}
shared=${HYDRA4J_SHARED:-$bundle/shared}
export HYDRA4J_CUDA_LIBRARY=${HYDRA4J_CUDA_LIBRARY:-$bundle/native/libhydra4j_cuda.so}
java=("$bundle/jre/bin/java" -Dhydra4j.library.path="$bundle/native" -Dhydra4j.cuda.library="$HYDRA4J_CUDA_LIBRARY"
    -Dhydra4j.models="$PWD/models" -Dhydra4j.shared="$shared")
results=()
slowness=1
# Models, their sequences, and whether their draft heads have tables too.
models=("135m 1 tables" "1b 1" "1b 32" "7b 1 tables")
repeats=21
comparison=(--trees default,nodes:16,tuned,auto --prompts 12 --seconds 30)
if [[ $HYDRA4J_CUDA_LIBRARY == *emulated* ]]; then
    slowness=10
    models=("tiny 2 tables")
    repeats=1
    base=$bundle/tests/golden/hydra-original
    comparison=(--model "$base/base" --heads "$base/hydra-plus-plus" --prompts-file "$bundle/tiny-prompts.jsonl"
        --trees chain:2 --prompts 1 --max-tokens 16)
fi

note() { # NAME STATUS
    local word=FAILED
    [ "$2" = 0 ] && word=passed
    results+=("$word $1$([ "$2" = 124 ] && echo ', out of time')")
    echo "== ${results[-1]}"
}

begin() { # STEP SECONDS
    echo
    echo "== $1"
    log=$out/$1.txt
    deadline=$((SECONDS + $2 * slowness))
    : >"$log"
}

# Runs a command for so many seconds at most, and not beyond the step's end; its output goes to the log.
within() { # SECONDS COMMAND...
    local left=$((deadline - SECONDS)) most=$(($1 * slowness))
    shift
    echo "-- $*" >>"$log"
    [ $left -gt 0 ] || return 124
    timeout -k 5 $((left < most ? left : most)) "$@" >>"$log" 2>&1
}

describe() {
    begin describe 20
    local status
    echo "commit $(cat "$bundle/commit")" >>"$log"
    within 10 nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem --format=csv
    status=$?
    within 10 "${java[@]}" -cp "$bundle/classes" io.hydra4j.cli.Main devices
    cat "$log"
    grep -q '^cuda 0: ' "$log" || status=1
    note describe $status
}

native() {
    begin native 75
    local test suite suites
    for test in "$bundle"/native/*_test; do
        # A process for each suite, as a kernel that fails takes with it what its process does on the card from then on.
        suites=$("$test" --gtest_list_tests 2>>"$log" | sed -n 's/^\([^ ]*\.\).*/\1/p')
        [ -n "$suites" ] || note "native $(basename "$test")" 1
        for suite in $suites; do
            within 40 "$test" --gtest_brief=1 --gtest_filter="$suite*"
            note "native $(basename "$test") ${suite%.}" $?
        done
    done
    grep -E '\[  FAILED  \]|Failure$' "$log" | sort -u | head -20
}

java() {
    begin java 80
    within 80 "${java[@]}" -Dhydra4j.test.cuda="$HYDRA4J_CUDA_LIBRARY" \
        -cp "$bundle/tests:$bundle/classes:$bundle/junit" org.junit.platform.console.ConsoleLauncher execute \
        --include-classname '.*Cuda.*Test' --exclude-tag long --scan-class-path "$bundle/tests" \
        --fail-if-no-tests --details=tree --disable-banner --disable-ansi-colors
    note java $?
    tail -16 "$log"
}

# The tests of the kernels, which take the library's table and no other part of the runtime.
sanitizer() {
    begin sanitizer 130
    local tool test part status
    if ! command -v compute-sanitizer >/dev/null; then
        echo "compute-sanitizer is not there: it comes with the CUDA toolkit" | tee -a "$log"
        note sanitizer 1
        return
    fi
    part=$(mktemp)
    for tool in memcheck racecheck synccheck initcheck; do
        for test in "$bundle"/native/cuda_*_test; do
            within 30 compute-sanitizer --tool $tool --error-exitcode 9 --log-file "$part" "$test" --gtest_brief=1
            status=$?
            # Where nothing was checked nothing is found: the tool must have seen a device at work, and give its verdict.
            [ $status = 0 ] && { grep -q 'SUMMARY: 0 ' "$part" && ! grep -q 'before first instrumented API call' "$part" ||
                status=1; }
            head -200 "$part" >>"$log"
            : >"$part"
            note "sanitizer $tool $(basename "$test")" $status
        done
    done
    rm -f "$part"
}

steps() {
    begin steps 75
    local model options
    for model in "${models[@]}"; do
        read -r model options <<<"$model"
        # shellcheck disable=SC2086
        within 40 "$bundle/native/step_benchmark" "$HYDRA4J_CUDA_LIBRARY" "$model" bf16 512 $repeats $options
        note "steps $model $options" $?
    done
}

bench() {
    begin bench 85
    within 85 "${java[@]}" -cp "$bundle/classes" io.hydra4j.benchmarks.Main --backend cuda --compare \
        "${comparison[@]}" --out "$out/compare.json"
    note bench $?
}

all=(describe native java sanitizer steps bench)
[ $# -gt 0 ] || set -- "${all[@]}"
for step in "$@"; do
    [[ " ${all[*]} " == *" $step "* ]] || { echo "unknown step: $step; there are ${all[*]}" >&2; exit 2; }
done
mkdir -p "$out"
for step in "$@"; do
    $step
done

echo
for step in steps bench; do
    [[ " $* " == *" $step "* ]] && tr '\r' '\n' <"$out/$step.txt"
done
echo
printf '%s\n' "${results[@]}" | tee "$out/summary.txt"
echo "$SECONDS seconds"
! grep -q '^FAILED' "$out/summary.txt"
