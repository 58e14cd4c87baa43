#!/bin/sh
# Makes a folder with a CUDA compiler (nvcc, headers, static runtime) from NVIDIA's wheels, for machines without a CUDA
# toolkit: cmake/cuda-toolchain.sh [FOLDER], by default .toolchain/cuda of this repository, where the build looks for
# it. Needs python3 with pip and about 300 MB. Does nothing where the folder is complete.
set -eu

VERSION=13.0
PACKAGES="nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cccl"

fail() {
    echo "cuda-toolchain: $*" >&2
    exit 1
}

[ $# -le 1 ] || fail "usage: cuda-toolchain.sh [FOLDER]"
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$here/.toolchain/cuda}

# Prints what nvcc of the folder says, where it can compile for a device and link the static runtime.
works() {
    [ -x "$1/bin/nvcc" ] && [ -f "$1/lib/libcudart_static.a" ] && "$1/bin/nvcc" --version 2>/dev/null |
        grep "release $VERSION"
}

if works "$folder" >/dev/null; then
    echo "cuda-toolchain: $folder is complete"
    exit 0
fi
[ ! -e "$folder" ] || fail "$folder exists, but is no CUDA $VERSION toolchain; remove it and try again"
case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-aarch64) ;;
    *) fail "no wheels for $(uname -s) on $(uname -m)" ;;
esac
command -v python3 >/dev/null || fail "python3 not found"
python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip"

# Made beside its place and moved there at the end, so that what is cut short is never taken for complete.
mkdir -p "$(dirname "$folder")"
making=$(mktemp -d "$(dirname "$folder")/making.XXXXXX")
trap 'rm -rf "$making"' EXIT
set --
for package in $PACKAGES; do set -- "$@" "$package==$VERSION.*"; done
python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target "$making" "$@" 2>"$making.log" ||
    { cat "$making.log" >&2; rm -f "$making.log"; fail "pip could not install $PACKAGES"; }
rm -f "$making.log"
toolkit=$making/nvidia/cu13
works "$toolkit" >/dev/null || fail "the installed wheels hold no working nvcc $VERSION in nvidia/cu13"
mv "$toolkit" "$folder"
echo "cuda-toolchain: $(works "$folder" | sed 's/^ *//') in $folder"
