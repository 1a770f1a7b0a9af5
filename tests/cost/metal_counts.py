#!/usr/bin/env python3
"""Instructions of the bare-metal machines, which QEMU counts exactly: none takes more than it did, and some room.

    metal_counts.py ARCH

Runs `tools/bench metal ARCH --no-linux`. A change that makes a row cheaper lowers its limit here; the figures beside
Linux's are in docs/PERFORMANCE.md. Exit status: 0 passed, 1 failed, 77 skipped (no QEMU, no image).
"""

import json
import os
import subprocess
import sys
import tempfile

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tools", "boot.d"))

import qemu  # noqa: E402

SKIP = 77
# Instructions an operation, a tenth more than measured.
LIMITS = {
    "x86_64": {"boot": 9_200_000, "null-call": 177, "fork-exit": 26_800, "fork-exec": 153_000, "first-touch": 750,
               "cow-fault": 1_360, "pipe-round-trip": 4_870, "signal-self": 2_100, "children-200": 38_300,
               "fork-call-64m": 16_000, "thread-join": 13_200},
    "aarch64": {"boot": 1_400_000, "null-call": 202, "fork-exit": 24_600, "fork-exec": 140_000, "first-touch": 400,
                "cow-fault": 1_560, "pipe-round-trip": 4_750, "signal-self": 2_190, "children-200": 33_600,
                "fork-call-64m": 15_000, "thread-join": 13_200},
}
# Memory of the parent does not matter to fork: 64 MiB against 1 MiB, by which the counts may differ.
FLAT_RATIO = 1.1


def measure(arch):
    """{row: instructions}; skips when there is nothing to measure on."""
    rows = [row for row in LIMITS[arch] if row != "boot"] + ["fork-call-1m"]
    with tempfile.TemporaryDirectory(prefix="lvt.") as work:
        path = os.path.join(work, "counts.json")
        done = subprocess.run([os.path.join(REPO, "tools", "bench"), "metal", arch, "--no-linux", "--rounds", "1",
                               "--rep-ms", "2", "--rows", ",".join(rows), "--json", path])
        if done.returncode != 0:
            sys.exit(1)
        with open(path, encoding="utf-8") as file:
            return {row["row"]: row["levitate"] for row in json.load(file)["rows"]}


def main():
    arch = sys.argv[1]
    try:
        qemu.program(arch)
        qemu.image(arch)
    except qemu.QemuError as error:
        print(f"skipped: {error}")
        return SKIP
    if not os.path.exists(os.path.join(REPO, "build", arch, "user", "bench")):
        print("skipped: the guest programs are not built")
        return SKIP
    counts, status = measure(arch), 0
    for row, limit in LIMITS[arch].items():
        verdict = "ok" if counts[row] <= limit else "FAIL"
        print(f"{verdict} {row}: {counts[row]:.0f} instructions, at most {limit}")
        status |= verdict == "FAIL"
    ratio = counts["fork-call-64m"] / counts["fork-call-1m"]
    print(f"{'ok' if ratio <= FLAT_RATIO else 'FAIL'} fork call, 64 MiB against 1 MiB: {ratio:.2f} times")
    return 1 if status or ratio > FLAT_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
