#!/bin/bash
# Packs what a machine with an NVIDIA GPU but without Java, Maven and compilers needs to run, test and measure Hydra4J:
# a JRE, the classes, the native libraries with their tests and benchmarks, and run.sh, which runs them.
#
# Usage: benchmarks/bundle/pack.sh [GOLDEN]   writes bundle/hydra4j-bundle.tar.xz, from what `mvn package` has built
# GOLDEN: folder golden/ of reference outputs, for the tests that compare with them; without it they are skipped. Models are
# not packed: run.sh takes the repository's from the folder that it is called in.
set -euo pipefail
cd "$(dirname "$0")/../.."
golden=${1:-}
out=bundle/hydra4j

for built in native/build/libhydra4j_cuda.so java/target/test-classes benchmarks/target/hydra4j-benchmarks.jar; do
    [ -e "$built" ] && continue
    echo "$built is not there: run cmake/cuda-toolchain.sh, then mvn package -DskipTests" >&2
    exit 1
done
[ -z "$golden" ] || [ -d "$golden/hydra-original" ] || { echo "$golden has no folder hydra-original" >&2; exit 1; }

rm -rf bundle
mkdir -p "$out/native" "$out/tests" "$out/junit"

# Uncompressed, as xz sees more in it than jlink does.
jlink --add-modules java.base,java.logging,java.management,java.naming,java.sql,java.xml,jdk.management,jdk.unsupported \
    --strip-debug --no-man-pages --no-header-files --output "$out/jre"

unzip -q -d "$out/classes" benchmarks/target/hydra4j-benchmarks.jar
cp -r java/target/test-classes/. "$out/tests/"
version=$(sed -n 's|.*<junit.version>5\.\(.*\)</junit.version>.*|1.\1|p' pom.xml)
mvn -q -B -ntp dependency:copy "-Dartifact=org.junit.platform:junit-platform-console-standalone:$version" "-DoutputDirectory=$PWD/$out/junit"
mvn -q -B -ntp dependency:copy "-Dartifact=org.tukaani:xz:$(sed -n 's|.*<xz.version>\(.*\)</xz.version>.*|\1|p' pom.xml)" "-DoutputDirectory=$PWD/$out/junit"

for file in native/build/libhydra4j.so native/build/libhydra4j_cuda.so native/build/libhydra4j_cuda_emulated.so \
    $(find native/build/tests -type f \( -name '*_test' -o -name step_benchmark -o -name product_benchmark \)); do
    strip --strip-unneeded -o "$out/native/$(basename "$file")" "$file"
done
cp java/target/classes/META-INF/native/linux-x86_64/libjnihydra4j.so "$out/native/"
cp benchmarks/bundle/run.sh "$out/"
git rev-parse HEAD >"$out/commit" 2>/dev/null || echo unknown >"$out/commit"
if [ -n "$golden" ]; then
    mkdir -p "$out/shared/golden"
    cp -r "$golden/hydra-original" "$golden"/*.json "$out/shared/golden/"
fi

XZ_OPT="-9e -T1" tar -C bundle -cJf bundle/hydra4j-bundle.tar.xz hydra4j
rm -rf "$out"
ls -l bundle/hydra4j-bundle.tar.xz
