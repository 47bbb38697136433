#!/bin/sh
# Rewrites the locked requirement files from the *.in files beside it. Needs uv on the PATH.
#
# The lock is universal (Linux, macOS, Windows). CUDA packages are left out: a CPU build of torch does not need
# them, and where pip finds only a CUDA build it brings them by itself.
set -eu
cd "$(dirname "$0")"
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
        --custom-compile-command "make lock" "$@"
}
without_cuda() { grep -vE '^(cuda-|nvidia-|triton)' ; }
: > development.txt
compile development.in | without_cuda > development.txt.new && mv development.txt.new development.txt
for name in student server kubernetes bundle; do
    compile -c development.txt "$name.in" | without_cuda > "$name.txt"
done
