#!/bin/bash
# The papers' comparison on the embedded model: sets of heads that learn from the same tokens in the same order, one choice apart.
#
#   benchmarks/ablations.sh TEXT FOLDER          from the repository's root, after a build
#
# Trains those that FOLDER lacks, two beside each other with a thread each, measures their decoding, for which the machine should be quiet, and
# prints a table. What was interrupted goes on. STEPS="train measure table" says what is done, TOKENS how many each learns from.
set -euo pipefail
export text=$1 folder=$2 tokens=${TOKENS:-160000}
export cli=${CLI:-java/cli/target/hydra4j-cli.jar} benchmarks=${BENCHMARKS:-benchmarks/target/hydra4j-benchmarks.jar}
export model=models/javalm-19m-q8_0.gguf held_out=benchmarks/src/main/resources/io/hydra4j/benchmarks/java-heldout.jsonl
export common="--learning-rate 0.002 --warm-up 10 --floor 0.1 --weight-decay 0.01 --batch 2 --sequence-length 512 --held-out-tokens 8192"

# Folder, kind of heads for the benchmark, options.
cells=(
  "medusa                    medusa  --recipe medusa"
  "hydra                     hydra   --recipe hydra"
  "hydra-noise               hydra   --recipe hydra --noise 15"
  "hydra-teacher             hydra   --recipe hydra --data-weight 0 --teacher-weight 1"
  "hydra-blocks-2            hydra   --recipe hydra --blocks 2"
  "hydra-blocks-4            hydra   --recipe hydra --blocks 4"
  "hydra-prefix              hydra++ --recipe hydra --prefix-layer"
  "hydra-plus-plus-no-prefix hydra   --recipe hydra++ --dropout 0 --no-prefix-layer"
  "hydra-plus-plus           hydra++ --recipe hydra++ --dropout 0"
  "hydra-plus-plus-dropout   hydra++ --recipe hydra++ --dropout 0.2"
)

train() {
  local name kind options
  read -r name kind options <<<"$1"
  [ ! -f "$folder/$name/tree.json" ] || return 0
  [ ! -f "$folder/$name/checkpoint.safetensors" ] || options+=" --resume"
  java -Xmx2g -jar "$cli" train --model "$model" --data "$text" --held-out "$held_out" --output "$folder/$name" --tokens "$tokens" \
    --evaluate-every "$tokens" --checkpoint-every $((tokens / 5)) --threads 1 $common $options
}

measure() {
  local name kind options
  read -r name kind options <<<"$1"
  java -jar "$benchmarks" --compare --model "$model" --heads "$folder/$name" --prompts-file "$held_out" --method-list "$kind" \
    --trees "default,$folder/$name/tree.json" --seconds "${SECONDS_EACH:-20}" --out "$folder/$name/decoding.json" >"$folder/$name/decoding.txt"
}

row() {
  local name kind options lengths speeds=
  read -r name kind options <<<"$1"
  [ -f "$folder/$name/tree.json" ] || return 0
  lengths=$(grep chain_length "$folder/$name/log.jsonl" | tail -1 | sed -E 's/.*"accuracies":\[\[([0-9.E-]+).*chain_length":([0-9.]+).*default_tree_length":([0-9.]+).*tuned_tree_length":([0-9.]+).*/\1 \2 \3 \4/')
  [ ! -f "$folder/$name/decoding.txt" ] || speeds=$(awk '$2 == "default" || $2 ~ /tree.json/ {printf "%s (%s) ", $4, $5}' "$folder/$name/decoding.txt")
  awk -v options="$options" -v lengths="$lengths" -v speeds="$speeds" 'BEGIN {
    split(lengths, l); split(speeds, s, /\) ?/)
    printf "| `%s` | %.1f | %.3f | %.3f | %.3f | %s | %s |\n", options, 100 * l[1], l[2], l[3], l[4], s[1] ? s[1] ")" : "", s[2] ? s[2] ")" : ""
  }'
}

mkdir -p "$folder"
export -f train
for step in ${STEPS:-train measure table}; do
  case $step in
    train) printf '%s\n' "${cells[@]}" | xargs -d '\n' -P 2 -I{} bash -c 'train "{}"' ;;
    measure) for cell in "${cells[@]}"; do measure "$cell"; done ;;
    table)
      echo "| options of \`train\` | first head right, % | chain | default tree | tuned, 16 nodes | tokens/s, default tree (x plain) | tokens/s, 16 nodes (x plain) |"
      echo "|---|---|---|---|---|---|---|"
      for cell in "${cells[@]}"; do row "$cell"; done
      ;;
  esac
done
