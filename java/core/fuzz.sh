#!/bin/sh
# Reads damaged files of every kind, each case once, in processes of their own; prints what went wrong and keeps its files.
# A case has a number and is always the same: to see one again, give its number as the first and 1 as the count.
#
#   java/core/fuzz.sh [TARGET|all [FIRST [COUNT [FOLDER]]]]
#
# TARGET: gguf, folder, tokenizer, tables, heads, torch, compact, tree, template, generation or calibration.
set -eu
target=${1:-all}
first=${2:-0}
count=${3:-100000}
kept=${4:-fuzz-findings}
case $kept in /*) ;; *) kept=$PWD/$kept ;; esac
cd "$(dirname "$0")/../.."
mkdir -p "$kept"
mvn -q -B -ntp -pl java/core test-compile dependency:build-classpath \
    -Dmdep.outputFile=target/test-class-path.txt -Dmdep.includeScope=test
cd java/core
exec java -Xmx64m -cp "target/test-classes:target/classes:$(cat target/test-class-path.txt)" \
    io.hydra4j.fuzz.Fuzz "$target" "$first" "$count" "$kept"
