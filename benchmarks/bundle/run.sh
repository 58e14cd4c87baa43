#!/bin/bash
# Tells on a machine with an NVIDIA GPU what of Hydra4J is right and how fast it is. Needs a driver and, for the step
# sanitizer, CUDA's compute-sanitizer; nothing else. The steps up to bench end together within eight minutes.
#
# Usage: run.sh [STEP...]   those up to bench if none is named
#   describe    the card, the driver, and what the library says of them
#   native      the kernels against plain references, every operation of the C ABI, the programs; on the card
#   java        the JUnit tests of the CUDA backend: the tokens of the original code, the bits of plain decoding
#   sanitizer   the kernels under compute-sanitizer: memcheck, racecheck, synccheck, initcheck
#   steps       time of every operation and of whole steps, beside the time that their bytes take
#   bench       decoding of the embedded model, plain and with Hydra++, by the JMH module
#   train, train-hydra, train-medusa   Hydra++, Hydra and Medusa heads of the embedded model: loss, tokens a second, and tokens a
#               step on held-out text and along the golden continuations, beside what they are to reach
#   train-smollm2   Hydra++ heads of SmolLM2 on DISTILL_TOKENS (2000000) tokens of chats that it writes itself before
#   train-smollm2-hydra, train-smollm2-medusa   others on the same chats, after it
#   train-sanitizer the kernels of training under compute-sanitizer
# java, bench and the training take the embedded model from the folder models of the folder that they are called in.
# Each training ends within TRAIN_MINUTES and two minutes, train-smollm2 within five; one that was cut off goes on where it was.
#
# OUT: folder for the logs, ./results if not set: a file for each step, compare.json and summary.txt.
# HEADS: folder for heads that are trained, ./heads if not set.
# TRAIN_MINUTES: how long heads learn, 7 if not set; by how much they have learned their learning rate falls.
# HYDRA4J_SHARED: folder with more models and golden files than the bundle has. Training needs its data/java-train.jsonl.xz
# and data/java-heldout.jsonl.xz; train-smollm2 models/smollm2-135m-instruct and data/sharegpt_100.jsonl.
# HYDRA4J_CUDA_LIBRARY: another library, to try this script itself: with libhydra4j_cuda_emulated.so, which the native build
# leaves, steps, bench and train take tiny models, and everything may take longer.
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
heads=${HEADS:-$PWD/heads}
minutes=${TRAIN_MINUTES:-7}
model=$PWD/models/javalm-19m-q8_0.gguf
held_out=$shared/data/java-heldout.jsonl.xz
text=$shared/data/java-train.jsonl.xz
golden_of() { # FILE of the folder, or of the bundle
    [ -e "$shared/golden/$1" ] && echo "$shared/golden/$1" || echo "$bundle/shared/golden/$1"
}
golden=$(golden_of javalm-19m.json)
learning=(--minutes "$minutes" --learning-rate 0.002 --warm-up 100 --floor 0.05 --weight-decay 0.01 --batch 16
    --sequence-length 512 --held-out-tokens 8192)
if [[ $HYDRA4J_CUDA_LIBRARY == *emulated* ]]; then
    slowness=10
    models=("tiny 2 tables")
    repeats=1
    base=$bundle/tests/golden/hydra-original
    comparison=(--model "$base/base" --heads "$base/hydra-plus-plus" --prompts-file "$bundle/tiny-prompts.jsonl"
        --trees chain:2 --prompts 1 --max-tokens 16)
    model=$heads/tiny/base
    held_out=$heads/tiny/data.jsonl
    text=$held_out
    golden=$bundle/tiny-golden.json
    learning=(--tokens 96 --sequence-length 24 --batch 2 --heads 2 --blocks 2 --held-out-tokens 128 --evaluate-every 96 --nodes 0)
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
    begin native 85
    export HYDRA4J_TRAIN_GOLDEN=$bundle/native
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
    sanitize sanitizer 130 "$bundle"/native/cuda_*_test
}

train-sanitizer() {
    sanitize train-sanitizer 480 "$bundle"/native/train_*_test
}

sanitize() { # STEP SECONDS TEST...
    local step=$1 tool test part status
    begin "$1" "$2"
    shift 2
    if ! command -v compute-sanitizer >/dev/null; then
        echo "compute-sanitizer is not there: it comes with the CUDA toolkit" | tee -a "$log"
        note "$step" 1
        return
    fi
    part=$(mktemp)
    for tool in memcheck racecheck synccheck initcheck; do
        for test in "$@"; do
            within 30 compute-sanitizer --tool $tool --error-exitcode 9 --log-file "$part" "$test" --gtest_brief=1
            status=$?
            # Where nothing was checked nothing is found: the tool must have seen a device at work, and give its verdict.
            [ $status = 0 ] && { grep -q 'SUMMARY: 0 ' "$part" && ! grep -q 'before first instrumented API call' "$part" ||
                status=1; }
            head -200 "$part" >>"$log"
            : >"$part"
            note "$step $tool $(basename "$test")" $status
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

# What is to be reached are the heads that PyTorch trained for 200 seconds each on an H100, by the same measures. On held-out text
# of 256 prompts, 256 tokens each, these have 3.69, 2.81 and 2.00.
train() {
    train_heads train 3.56 3.41 --recipe hydra++ --dropout 0
}

train-hydra() {
    train_heads train-hydra 2.82 2.68 --recipe hydra
}

train-medusa() {
    train_heads train-medusa 1.94 1.97 --recipe medusa
}

# The reference learned from 10.6 million tokens of answers. Its figures are those along its answers to MT-Bench, and the golden ones.
train-smollm2() {
    mkdir -p "$heads"
    # What a chat begins with, and an answer, which is not learned from: the model writes its own.
    sed -E 's/.*"turns": *\[("([^"\\]|\\.)*").*/{"messages": [{"role": "user", "content": \1}, {"role": "assistant", "content": "."}]}/' \
        "$shared/data/sharegpt_100.jsonl" >"$heads/smollm2-prompts.jsonl"
    writing=180 text=$heads/smollm2-prompts.jsonl train_smollm2 train-smollm2 3.17 2.50 --recipe hydra++ --dropout 0 \
        --self-distill --distill-tokens "${DISTILL_TOKENS:-2000000}"
}

train-smollm2-hydra() {
    text=$heads/train-smollm2/self-distilled.jsonl train_smollm2 train-smollm2-hydra 2.51 - --recipe hydra
}

train-smollm2-medusa() {
    text=$heads/train-smollm2/self-distilled.jsonl train_smollm2 train-smollm2-medusa 1.94 1.72 --recipe medusa
}

train_smollm2() { # as train_heads
    local found=("$shared"/models/smollm2-135m-instruct/*.gguf)
    model=${found[0]} held_out= golden=$(golden_of smollm2-135m-instruct.json) train_heads "$@"
}

train_heads() { # STEP TOKENS_A_STEP_ON_HELD_OUT_TEXT TOKENS_A_STEP_ALONG_GOLDEN_TEXT OPTIONS...
    local step=$1 held_out_aim=$2 golden_aim=$3 folder=$heads/$1 status reached
    shift 3
    begin "$step" "$(awk -v minutes="$minutes" -v writing="${writing:-0}" 'BEGIN { print int(60 * minutes + 120 + writing) }')"
    mkdir -p "$heads"
    if [ "$slowness" != 1 ] && [ ! -e "$heads/tiny" ]; then
        within 60 "${java[@]}" -cp "$bundle/tests:$bundle/classes:$bundle/junit" io.hydra4j.train.TinyBase "$heads/tiny"
    fi
    [ ! -e "$folder/checkpoint.safetensors" ] || set -- "$@" --resume
    within 6000 "${java[@]}" -cp "$bundle/classes" io.hydra4j.cli.Main train --backend cuda --products bf16 --model "$model" \
        --data "$text" ${held_out:+--held-out "$held_out"} --output "$folder" "${learning[@]}" "$@"
    status=$?
    note "$step" $status
    tail -4 "$log"
    [ $status = 0 ] || return
    awk -F '[:,]' '/"loss":/ {
        for (i = 1; i < NF; i++) value[$i] = $(i + 1)
    } END {
        printf "%d tokens in %.0f s, %.0f a second in the end, loss %.3f\n", value["\"tokens\""], value["\"seconds\""], value["\"tokens_per_second\""], value["\"loss\""]
    }' "$folder/log.jsonl" | tee -a "$log"
    reached=$(sed -nE 's/.*"default_tree_length":([0-9.]+).*/\1/p' "$folder/log.jsonl" | tail -1)
    compare_with_aim "$step" "on held-out text" "$reached" "$held_out_aim"
    within 60 "${java[@]}" -cp "$bundle/classes" io.hydra4j.benchmarks.Main --backend cuda --along "$golden" --model "$model" \
        --heads "$folder" --out "$out/$step.json"
    status=$?
    [ $status = 0 ] || { tail -2 "$log"; note "$step along golden continuations" $status; return; }
    reached=$(sed -nE 's/.*"default_tree" : ([0-9.]+).*/\1/p' "$out/$step.json")
    compare_with_aim "$step" "along golden continuations" "$reached" "$golden_aim"
}

compare_with_aim() { # STEP WHERE TOKENS_A_STEP AIM
    printf '%s: %.3f tokens a step %s with the default tree, aim %s\n' "$1" "$3" "$2" "$4" | tee -a "$log"
    # The tiny model has no aim, - is none.
    [ "$4" = - ] || [ "$slowness" != 1 ] || awk -v reached="$3" -v aim="$4" 'BEGIN { exit reached + 0 < aim }'
    note "$1 $2" $?
}

all=(describe native java sanitizer steps bench)
more=(train train-hydra train-medusa train-smollm2 train-smollm2-hydra train-smollm2-medusa train-sanitizer)
[ $# -gt 0 ] || set -- "${all[@]}"
for step in "$@"; do
    [[ " ${all[*]} ${more[*]} " == *" $step "* ]] || { echo "unknown step: $step; there are ${all[*]} ${more[*]}" >&2; exit 2; }
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
