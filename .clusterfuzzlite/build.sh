#!/bin/bash -eu
# Builds the fuzzers as ClusterFuzzLite and OSS-Fuzz want it: compiler, options and engine come from the
# environment (CC, CFLAGS, LIB_FUZZING_ENGINE), programs and their seeds go to $OUT.
build=${WORK:-/tmp}/levitate
# shellcheck disable=SC2016
cmake -S "$SRC/levitate" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DLEVITATE_FUZZ=ON -DLEVITATE_FUZZ_FLAGS= \
	-DLEVITATE_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" '-DCMAKE_EXE_LINKER_FLAGS=-Wl,-rpath,$ORIGIN/lib'
cmake --build "$build"
mkdir -p "$OUT/lib"
for target in "$SRC"/levitate/tests/fuzz/fuzz_*.c; do
	name=$(basename "$target" .c)
	cp "$build/tests/fuzz/$name" "$OUT/"
	# The image that runs them has only libc.
	ldd "$OUT/$name" | awk '/libunwind|libcmocka|liblzma/ { print $3 }' | xargs -r cp -t "$OUT/lib"
	(cd "$SRC/levitate/tests/fuzz/corpus/${name#fuzz_}" && python3 -m zipfile -c "$OUT/${name}_seed_corpus.zip" ./*)
done
