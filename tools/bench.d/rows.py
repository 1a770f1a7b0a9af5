"""`tools/bench`: the rows of user/bench.c on every system, round by round."""

import statistics
import sys

import report
import systems

# Repetitions inside one run; its median is the run's value.
REPS_IN_A_RUN = 3


class Series:
    """What one system gave for one row: a value a round, or why there is none."""

    def __init__(self):
        self.values = []
        self.problem = None
        self.is_skipped = False

    def median(self):
        return statistics.median(self.values) if self.values and not self.problem else None


def parse(output, series):
    """Takes the result lines out of a run's output. Returns the names of the rows seen."""
    seen = set()
    for line in output.splitlines():
        fields = line.split("\t")
        if len(fields) < 3 or fields[0] not in series:
            continue
        row = series[fields[0]]
        if fields[1] in ("error", "skip"):
            row.problem = fields[2]
            row.is_skipped = fields[1] == "skip"
        else:
            try:
                row.values.append(float(fields[1]))
            except ValueError:
                continue
        seen.add(fields[0])
    return seen


def measure_round(system, program, series):
    """One round on one system. A row that ends the whole run is blamed, the rest run again."""
    wanted = [name for name, row in series.items() if not row.problem]
    nr_silent = 0
    while wanted:
        run = system.run([program, "--reps", str(REPS_IN_A_RUN), "--rows", ",".join(wanted)])
        seen = parse(run.output, series)
        rest = [name for name in wanted if name not in seen]
        if not rest:
            return
        nr_silent = 0 if seen else nr_silent + 1
        blamed = rest if nr_silent == 2 else rest[:1]
        for name in blamed:
            series[name].problem = f"the run {run.describe_end()}"
        wanted = [name for name in rest if name not in blamed]


def select(names, text):
    """The rows asked for, in the program's order."""
    if text is None:
        return list(names)
    asked = [name for name in text.split(",") if name]
    unknown = [name for name in asked if name not in names]
    if unknown or not asked:
        raise systems.BenchError(f"no row is called {', '.join(unknown) or repr(text)}; "
                                 f"there are {', '.join(names)}")
    return [name for name in names if name in asked]


def run(options, all_systems, program):
    """Measures and prints. Returns (result for JSON, whether every row of every system worked)."""
    units = systems.list_rows(program)
    names = select(units, options.rows)
    measured = {system.key: {name: Series() for name in names}
                for system in all_systems if not system.missing}
    for number in range(1, options.reps + 1):
        for system in all_systems:
            if not system.missing:
                print(f"round {number} of {options.reps}: {system.title}", file=sys.stderr)
                measure_round(system, program, measured[system.key])

    judged = report.judge(measured, options.fork)
    report.print_table(names, units, all_systems, measured, judged)
    report.print_targets(judged)
    report.print_problems(all_systems, measured)
    failed = any(row.problem and not row.is_skipped
                 for series in measured.values() for row in series.values())
    return report.rows_as_json(names, units, measured, judged), not failed
