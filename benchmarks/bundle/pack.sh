#!/bin/bash
# Packs what a machine with an NVIDIA GPU but without Java, Maven and compilers needs to run, test, measure and train with
# Hydra4J: a JRE, the classes, the native libraries with their tests and benchmarks, and run.sh, which runs them.
#
# Usage: benchmarks/bundle/pack.sh [GOLDEN]   writes bundle/hydra4j-bundle.tar.xz, from what `mvn package` has built
# GOLDEN: folder golden/ of reference outputs, for the tests that compare with more of them than are committed; without it
# they are skipped, and nothing is measured along the continuations that they have. Models of real sizes and text to train on
# are not packed: run.sh takes the repository's model from the folder that it is called in, all else from a folder of one's own.
set -euo pipefail
cd "$(dirname "$0")/../.."
golden=${1:-}
build=native/build
out=bundle/hydra4j

for built in $build/libhydra4j_cuda.so java/{core,train}/target/test-classes java/cli/target/hydra4j-cli.jar \
    benchmarks/target/hydra4j-benchmarks.jar; do
    [ -e "$built" ] && continue
    echo "$built is not there: run cmake/cuda-toolchain.sh, then mvn package -DskipTests -Dnative.tests=ON" >&2
    exit 1
done
[ -z "$golden" ] || [ -d "$golden/hydra-original" ] || { echo "$golden has no folder hydra-original" >&2; exit 1; }

rm -rf bundle
mkdir -p "$out/native" "$out/shared/golden"

# Nothing is compressed by itself, as xz then sees more in the whole: neither the JRE's modules nor jars nor golden files.
jlink --add-modules java.base,java.logging,java.management,jdk.management,jdk.unsupported \
    --exclude-resources '**/uniName.dat' \
    --strip-debug --no-man-pages --no-header-files --output "$out/jre"
rm "$out/jre/lib/jrt-fs.jar" # with which other JREs read this one

unzip -q -d "$out/classes" benchmarks/target/hydra4j-benchmarks.jar
rm -r "$out/classes/META-INF/native" # those of $out/native are used
# The commands `devices` and `train`.
cp -r java/cli/target/classes/io java/train/target/classes/io "$out/classes/"
unzip -q -d "$out/classes" java/cli/target/hydra4j-cli.jar 'me/tongfei/*'
# What no step reaches: the mathematics that JMH's statistics leave alone.
rm -r "$out/classes/org/apache/commons/math3"/{dfp,filter,fitting,genetics,geometry,ml,ode,optim,optimization,primes,transform}
cp -r java/core/target/test-classes "$out/tests"
cp -r java/train/target/test-classes/. "$out/tests"
find "$out/tests/golden" -name '*.xz' -exec xz -d {} +
version=$(sed -n 's|.*<junit.version>5\.\(.*\)</junit.version>.*|1.\1|p' pom.xml)
mvn -q -B -ntp dependency:copy "-Dartifact=org.junit.platform:junit-platform-console-standalone:$version" \
    "-DoutputDirectory=$PWD/bundle"
unzip -q -d "$out/junit" "bundle/junit-platform-console-standalone-$version.jar"

# The tests that say something of a card.
kernel_tests=$(ctest --test-dir $build -N | sed -n 's/.*: \(cuda_.*_test\)_reversed$/\1/p' | grep -v '^cuda_emulation_')
train_tests=$(ctest --test-dir $build -N | sed -n 's/.*: \(train_.*_test\)_cuda_reversed$/\1/p')
for name in operations_test $kernel_tests $train_tests step_benchmark libhydra4j.so libhydra4j_train.so libhydra4j_cuda.so; do
    strip --strip-unneeded -o "$out/native/$name" "$(find $build -name 'sanitize-*' -prune -o -type f -name "$name" -print)"
done
cp java/core/target/classes/META-INF/native/linux-x86_64/libjnihydra4j.so \
    java/train/target/classes/META-INF/native/linux-x86_64/libjnihydra4j_train.so native/tests/train/golden/heads.golden "$out/native/"
find "$out/jre" "$out/classes" -name '*.so' -exec strip --strip-unneeded {} +
cp benchmarks/bundle/run.sh "$out/"
git rev-parse HEAD >"$out/commit" 2>/dev/null || echo unknown >"$out/commit"

# For the tiny model, with which run.sh is tried where there is no GPU.
for first in 10 20 30; do
    echo "[256, $(seq -s ', ' $first $((first + 20)))]"
done >"$out/tiny-prompts.jsonl"
sed 's/.*/{"prompt_ids": &, "greedy_ids": &}/; 1s/^/[/; $!s/$/,/; $s/$/]/' "$out/tiny-prompts.jsonl" >"$out/tiny-golden.json"
if [ -n "$golden" ]; then
    cp -r --no-preserve=mode "$golden/hydra-original" "$golden"/*.json "$out/shared/golden/"
    for family in llama smollm2 vicuna; do
        mkdir -p "$out/shared/golden/families/$family"
        cp --no-preserve=mode "$golden/families/$family"/*.json "$golden/families/$family"/*.safetensors "$out/shared/golden/families/$family/"
    done
    find "$out/shared" -name '*.pt' -delete # beside each there is the same as safetensors
fi

# One block, with a dictionary that holds all of it, and machine code's calls as addresses.
tar -C bundle --sort=name --owner=0 --group=0 --mtime=@0 -cf - hydra4j |
    xz -T1 --x86 --lzma2=preset=9e,dict=192MiB >bundle/hydra4j-bundle.tar.xz
rm -r "$out" bundle/*.jar
ls -l bundle/hydra4j-bundle.tar.xz
