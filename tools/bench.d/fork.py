"""`tools/bench fork`: what fork costs by strategy, beside the host's own fork and memcpy.

Two programs with the same arguments and output are measured in turns:

    fork_bench  (user/)        a guest: its real fork(), on the host and on Levitate
    fork_model  (tests/cost/)  the address-space algorithm alone, over a fake machine

docs/PERFORMANCE.md explains the rows.
"""

import os
import statistics
import subprocess
import sys

import forkdoc
import report
import systems

MODES = ("eager", "cow", "share")
GUEST_SIZES = (1, 4, 16, 64, 256, 1024)
SPARSE_SIZES = (1, 4, 16, 64, 256, 1024, 4096, 16384)
EAGER_SIZES = (1, 4, 16, 64, 256, 1024)
MODEL_SWEEP_SIZES = (1, 2, 4, 16, 64, 256)
GUEST_SWEEP_SIZES = (1, 16, 64)
COMPARED_MIB = 1024      # cow against the host, eager against memcpy
REWRITE_MIB = 256
NR_VMAS = 10000
GUEST_MEMORY = "5G"      # 1 GiB, its eager copy, and the copy before that


class Programs:
    """How each of the measured programs is run. A key is (program, mode)."""

    def __init__(self, options):
        self.levitate = {mode: systems.Levitate(options.levitate, mode, GUEST_MEMORY) for mode in MODES}
        build = os.path.dirname(self.levitate["share"].binary)
        self.guest = os.path.join(build, "user", "fork_bench")
        self.model = os.path.join(build, "tests", "cost", "fork_model")
        self.counts = os.path.join(build, "tests", "cost", "test_cost")
        for path in (self.guest, self.model, self.counts):
            if not os.access(path, os.X_OK):
                raise systems.BenchError(f"no {os.path.relpath(path, systems.REPO)}; build it with "
                                         "`cmake --preset host && cmake --build --preset host`")
        if self.levitate["share"].missing:
            raise systems.BenchError(self.levitate["share"].missing)

    def run(self, system, mode, *arguments):
        """{row: microseconds} of one run."""
        arguments = [str(a) for a in arguments]
        if system == "model":
            run = systems.run_pinned([self.model, mode, *arguments])
        elif system == "host":
            run = systems.run_pinned([self.guest, "-", *arguments])
        else:
            run = self.levitate[mode].run([self.guest, "-", *arguments])
        if run.status != 0 or run.timed_out:
            raise systems.BenchError(f"{system} {mode} {' '.join(arguments)} {run.describe_end()}")
        return {fields[0]: float(fields[1]) for fields in
                (line.split("\t") for line in run.output.splitlines()) if len(fields) == 5}


class Results:
    """Values by (what, system, mode, size or None, row); medians over the rounds."""

    def __init__(self):
        self.values = {}

    def add(self, what, system, mode, size, rows):
        for row, value in rows.items():
            self.values.setdefault((what, system, mode, size, row), []).append(value)

    def median(self, what, system, mode, size, row):
        values = self.values.get((what, system, mode, size, row))
        return statistics.median(values) if values else None

    def rows(self, what, system, mode, size):
        """The row names there are, in the order they were measured."""
        return [key[4] for key in self.values if key[:4] == (what, system, mode, size)]

    def as_json(self):
        return [{"what": what, "system": system, "mode": mode, "size": size, "row": row, "unit": "us",
                 "median": statistics.median(values), "values": values}
                for (what, system, mode, size, row), values in self.values.items()]


# ---- measuring ------------------------------------------------------------------

def reps_for(size):
    return 21 if size <= 16 else 9 if size <= 64 else 5 if size <= 256 else 3


def measure_calls(programs, results, sizes):
    """The fork call and the exit of an unmodified child, every system after the other."""
    for size in sizes:
        contenders = [("host", "-")] + [("levitate", mode) for mode in MODES] + [("model", mode) for mode in MODES]
        for system, mode in contenders:
            results.add("call", system, mode, size, programs.run(system, mode, "call", size, reps_for(size)))
    for size in SPARSE_SIZES:
        for mode in ("cow", "share"):
            results.add("sparse", "model", mode, size, programs.run("model", mode, "call", f"s{size}", 21))


def measure_others(programs, results):
    for system in ("host", "model"):
        results.add("memcpy", system, "-", COMPARED_MIB, programs.run(system, "-", "memcpy", COMPARED_MIB, 3))
    results.add("memcpy", "levitate", "share", COMPARED_MIB,
                programs.run("levitate", "share", "memcpy", COMPARED_MIB, 3))
    for system, mode in [("host", "-")] + [(s, m) for s in ("levitate", "model") for m in ("cow", "share")]:
        results.add("vmas", system, mode, NR_VMAS, programs.run(system, mode, "vmas", NR_VMAS, 21))
        results.add("rewrite", system, mode, REWRITE_MIB, programs.run(system, mode, "rewrite", REWRITE_MIB, 3))


def measure_sweeps(programs, results):
    for size in MODEL_SWEEP_SIZES:
        for name, value in programs.run("model", "-", "cycle", size, 9 if size <= 64 else 5).items():
            mode, _, row = name.partition(" ")
            results.add("cycle", "model", mode, size, {row: value})
    for size in GUEST_SWEEP_SIZES:
        for system, mode in (("levitate", "cow"), ("levitate", "share")):
            results.add("cycle", system, mode, size, programs.run(system, mode, "cycle", size, 31 if size <= 1 else 9))


def measure_threshold(programs, results):
    for name, value in programs.run("model", "-", "threshold", 0, 1000).items():
        how, _, row = name.partition(" ")
        results.add("threshold", "model", how, None, {row: value})


def count_costs(programs):
    """The lines of the cost test's tables, which are counts and need no second run."""
    done = subprocess.run([programs.counts], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise systems.BenchError(f"the cost test failed:\n{done.stdout}{done.stderr}")
    return [line for line in done.stdout.splitlines() if line.startswith(("mode ", "eager ", "cow ", "share "))]


# ---- targets ----------------------------------------------------------------------

def ratio(a, b):
    return a / b if a is not None and b else None


def spread(results, what, system, sizes, row):
    """The largest of the medians divided by the smallest."""
    values = [results.median(what, system, "share", size, row) for size in sizes]
    values = [value for value in values if value]
    return max(values) / min(values) if values else None


def cycle_ratio(results, system, size, row):
    """share / cow. The algorithm takes turns in one process and knows the ratio of each turn."""
    if system == "model":
        return results.median("cycle", system, "ratio", size, row)
    return ratio(results.median("cycle", system, "share", size, row),
                 results.median("cycle", system, "cow", size, row))


def worst_cycle(results, system, sizes):
    """The largest share / cow of all whole cycles."""
    found = [cycle_ratio(results, system, size, row) for size in sizes
             for row in results.rows("cycle", system, "share", size)]
    return max(filter(None, found), default=None)


def judge(results, sizes):
    """[(target, what was measured, value, limit, met)]; a value is to be at most its limit."""
    def call(system, mode, row):
        return results.median("call", system, mode, COMPARED_MIB, row)

    def memcpy(system, mode):
        return results.median("memcpy", system, mode, COMPARED_MIB, "memcpy")

    largest = f"{sizes[-1] // 1024} GiB" if sizes[-1] >= 1024 else f"{sizes[-1]} MiB"
    found = [
        ("share: fork call flat", "algorithm, 1 MiB to 16 GiB",
         spread(results, "sparse", "model", SPARSE_SIZES, "call again"), 1.5),
        ("", f"guest, 1 MiB to {largest}", spread(results, "call", "levitate", sizes, "call again"), 1.5),
        ("share: exit of an unmodified child flat", "algorithm, 1 MiB to 16 GiB",
         spread(results, "sparse", "model", SPARSE_SIZES, "exit again"), 1.5),
        ("", f"guest, 1 MiB to {largest}", spread(results, "call", "levitate", sizes, "exit again"), 1.5),
    ]
    if COMPARED_MIB in sizes:
        found += [
            ("cow: fork call of 1 GiB / the host's", "algorithm, nothing written since the last fork",
             ratio(call("model", "cow", "call again"), call("host", "-", "call again")), 0.25),
            ("", "algorithm, every page written since",
             ratio(call("model", "cow", "call"), call("host", "-", "call")), 0.25),
            ("", "guest, nothing written since the last fork",
             ratio(call("levitate", "cow", "call again"), call("host", "-", "call again")), 0.25),
            ("", "guest, every page written since",
             ratio(call("levitate", "cow", "call"), call("host", "-", "call")), 0.25),
            ("eager: fork call of 1 GiB / memcpy of it", "algorithm",
             ratio(call("model", "eager", "call again"), memcpy("model", "-")), 1 / 0.8),
            ("", "guest / the host's memcpy",
             ratio(call("levitate", "eager", "call again"), memcpy("host", "-")), 1 / 0.8),
        ]
    vmas = {key: results.median("vmas", *key, NR_VMAS, "vmas call")
            for key in (("host", "-"), ("levitate", "share"), ("model", "share"))}
    found += [
        ("10,000 VMAs: fork call / the host's", "guest",
         ratio(vmas["levitate", "share"], vmas["host", "-"]), 1 / 50),
        ("whole cycle, share / cow, the worst", "algorithm", worst_cycle(results, "model", MODEL_SWEEP_SIZES), 1.25),
        ("", "guest", worst_cycle(results, "levitate", GUEST_SWEEP_SIZES), 1.25),
    ]
    return [(target, what, value, limit, None if value is None else value <= limit)
            for target, what, value, limit in found]


# ---- the command ------------------------------------------------------------------

def run(options):
    """Measures and prints. Returns (result for JSON, True)."""
    programs = Programs(options)
    sizes = [size for size in GUEST_SIZES if size <= options.max_size]
    results = Results()
    for number in range(1, options.rounds + 1):
        for name, measure in (("fork calls", lambda: measure_calls(programs, results, sizes)),
                              ("memcpy, VMAs, rewriting", lambda: measure_others(programs, results)),
                              ("whole cycles", lambda: measure_sweeps(programs, results)),
                              ("threshold", lambda: measure_threshold(programs, results))):
            print(f"round {number} of {options.rounds}: {name}", file=sys.stderr)
            measure()
    judged = judge(results, sizes)
    counts = count_costs(programs)
    texts = forkdoc.texts(results, sizes, judged, sys.modules[__name__])
    print("\n\n".join(texts.values()))
    if options.write:
        forkdoc.write(texts, counts, results, sizes, options, report)
    return {"format": "levitate-bench-fork-1", "values": results.as_json(), "counts": counts,
            "targets": [dict(zip(("target", "what", "value", "limit", "met"), row)) for row in judged]}, True
