#!/bin/bash
# Packs what a machine with an NVIDIA GPU but without Java, Maven and compilers needs to run, test and measure Hydra4J:
# a JRE, the classes, the native libraries with their tests and benchmarks, and run.sh, which runs them.
#
# Usage: benchmarks/bundle/pack.sh [GOLDEN]   writes bundle/hydra4j-bundle.tar.xz, from what `mvn package` has built
# GOLDEN: folder golden/ of reference outputs, for the tests that compare with more of them than are committed; without it
# they are skipped. Models of real sizes are not packed: run.sh takes the repository's from the folder that it is called in.
set -euo pipefail
cd "$(dirname "$0")/../.."
golden=${1:-}
build=native/build
out=bundle/hydra4j

for built in $build/libhydra4j_cuda.so java/target/test-classes benchmarks/target/hydra4j-benchmarks.jar; do
    [ -e "$built" ] && continue
    echo "$built is not there: run cmake/cuda-toolchain.sh, then mvn package -DskipTests" >&2
    exit 1
done
[ -z "$golden" ] || [ -d "$golden/hydra-original" ] || { echo "$golden has no folder hydra-original" >&2; exit 1; }

rm -rf bundle
mkdir -p "$out/native" "$out/junit" "$out/shared/golden"

# Uncompressed, as xz sees more in it than jlink does.
jlink --add-modules java.base,java.logging,java.management,java.naming,java.sql,java.xml,jdk.management,jdk.unsupported \
    --strip-debug --no-man-pages --no-header-files --output "$out/jre"

unzip -q -d "$out/classes" benchmarks/target/hydra4j-benchmarks.jar
rm -r "$out/classes/META-INF/native" # those of $out/native are used
cp -r java/target/test-classes "$out/tests"
version=$(sed -n 's|.*<junit.version>5\.\(.*\)</junit.version>.*|1.\1|p' pom.xml)
for artifact in "org.junit.platform:junit-platform-console-standalone:$version" \
    "org.tukaani:xz:$(sed -n 's|.*<xz.version>\(.*\)</xz.version>.*|\1|p' pom.xml)"; do
    mvn -q -B -ntp dependency:copy "-Dartifact=$artifact" "-DoutputDirectory=$PWD/$out/junit"
done

# The tests that ctest runs on the CUDA backend; those of the emulation and of the processor's code say nothing of a card.
tests=$(ctest --test-dir $build -N | sed -n 's/.*: \(.*_test\)_cuda$/\1/p')
kernel_tests=$(ctest --test-dir $build -N | sed -n 's/.*: \(cuda_.*_test\)_reversed$/\1/p' | grep -v '^cuda_emulation_')
for name in $tests $kernel_tests step_benchmark libhydra4j.so libhydra4j_cuda.so libhydra4j_cuda_emulated.so; do
    strip --strip-unneeded -o "$out/native/$name" "$(find $build -type f -name "$name")"
done
cp java/target/classes/META-INF/native/linux-x86_64/libjnihydra4j.so "$out/native/"
cp benchmarks/bundle/run.sh "$out/"
git rev-parse HEAD >"$out/commit" 2>/dev/null || echo unknown >"$out/commit"

# For the tiny model, with which run.sh is tried where there is no GPU.
cp -r java/src/test/resources/golden/hydra-original "$out/shared/golden/"
find "$out/shared" -name '*.xz' -exec xz -d {} +
for first in 10 20 30; do
    echo "[256, $(seq -s ', ' $first $((first + 20)))]"
done >"$out/tiny-prompts.jsonl"
if [ -n "$golden" ]; then
    cp -r --no-preserve=mode "$golden/hydra-original" "$golden"/*.json "$out/shared/golden/"
    for family in llama smollm2 vicuna; do
        mkdir -p "$out/shared/golden/families/$family"
        cp --no-preserve=mode "$golden/families/$family"/*.json "$golden/families/$family"/*.safetensors "$out/shared/golden/families/$family/"
    done
fi

XZ_OPT="-9e -T1" tar -C bundle -cJf bundle/hydra4j-bundle.tar.xz hydra4j
rm -rf "$out"
ls -l bundle/hydra4j-bundle.tar.xz
