"""Tables, targets and the facts of the machine."""

import datetime
import os
import resource
import subprocess
import time

import systems

# (row, rival, Levitate's value is to be at most this many times the rival's, as text)
TARGETS = (
    ("null-call", "uml", 1 / 2, "1/2"),
    ("fork-exit", "host", 1, "1"),
    ("fork-exit", "uml", 1 / 6, "1/6"),
    ("fork-exec", "host", 1 / 2, "1/2"),
    ("fork-exec-only", "host", 1 / 2, "1/2"),
    ("first-touch", "host", 2, "2"),
    ("cow-fault", "host", 2, "2"),
    ("pipe-round-trip", "uml", 1 / 3, "1/3"),
    ("signal-self", "uml", 1 / 3, "1/3"),
    ("children-200", "uml", 1 / 3, "1/3"),
    ("fork-call-256m", "host", 1 / 20, "1/20"),
)
# Judged only under this strategy, which is also the default.
TARGET_FORK_MODES = {"fork-call-256m": "share"}

TITLES = {"host": "host", "uml": "UML", "levitate": "Levitate"}


def median_of(measured, key, name):
    """A system's median for a row, or None."""
    row = measured.get(key, {}).get(name)
    return row.median() if row else None


def ratio_of(measured, name, rival):
    """Levitate's median divided by the rival's, or None."""
    ours, theirs = median_of(measured, "levitate", name), median_of(measured, rival, name)
    return ours / theirs if ours is not None and theirs else None


def judge(measured, fork_mode):
    """Every target of the rows measured, as dicts; "met" is None where it cannot be told."""
    judged = []
    for name, rival, limit, text in TARGETS:
        if not any(name in series for series in measured.values()):
            continue
        ratio = ratio_of(measured, name, rival)
        wanted_mode = TARGET_FORK_MODES.get(name)
        if wanted_mode and fork_mode not in (None, wanted_mode):
            ratio = None
        judged.append({"row": name, "rival": rival, "limit": limit, "limit_text": text,
                       "ratio": ratio, "met": None if ratio is None else ratio <= limit})
    return judged


# ---- tables -----------------------------------------------------------------

def number(value):
    """Three significant digits, and never an exponent."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 0.01:
        return f"{value:.3g}"
    return f"{value:.4f}"


def mark(met):
    return {True: "ok", False: "MISS", None: "-"}[met]


def print_table(names, units, all_systems, measured, judged):
    """One line a row, at most 80 columns."""
    print()
    print(f"{'medians':<17} {'unit':<4} " + "".join(f"{s.title:>10}" for s in all_systems)
          + f"{'L/host':>9}{'L/UML':>9}  target")
    for name in names:
        cells = ""
        for system in all_systems:
            row = measured.get(system.key, {}).get(name)
            if row and row.problem:
                cells += f"{'skipped' if row.is_skipped else 'error':>10}"
            else:
                cells += f"{number(median_of(measured, system.key, name)):>10}"
        ratios = "".join(f"{number(ratio_of(measured, name, rival)):>9}"
                         for rival in ("host", "uml"))
        marks = " ".join(mark(t["met"]) for t in judged if t["row"] == name)
        print(f"{name:<17} {units[name]:<4} {cells}{ratios}  {marks}".rstrip())
    print("us: less is better; MB/s: more is better. L/host, L/UML: Levitate's value divided by")
    print("theirs.")


def print_targets(judged):
    if not judged:
        return
    print("\ntargets (Levitate's median, at most ... times the rival's)")
    for target in judged:
        print(f"  {target['row']:<17} {'<= ' + target['limit_text']:<7} x "
              f"{TITLES[target['rival']]:<5} {number(target['ratio']):>9}  {mark(target['met'])}")
    nr_known = sum(t["met"] is not None for t in judged)
    nr_met = sum(t["met"] is True for t in judged)
    text = f"{nr_met} of {len(judged)} met"
    if nr_known < len(judged):
        text += f", {len(judged) - nr_known} not judged"
    print(f"  {text}")


def print_problems(all_systems, measured):
    lines = [f"  {system.title}: {name}: {row.problem}"
             for system in all_systems
             for name, row in measured.get(system.key, {}).items() if row.problem]
    if lines:
        print("\nrows without a value")
        print("\n".join(lines))


def rows_as_json(names, units, measured, judged):
    """The whole measurement as plain data."""
    def cell(row):
        if row.problem:
            return {"skip" if row.is_skipped else "error": row.problem}
        return {"median": row.median(), "min": min(row.values), "max": max(row.values),
                "values": row.values}

    rows = {}
    for name in names:
        rows[name] = {"unit": units[name]}
        rows[name].update((key, cell(series[name])) for key, series in measured.items())
        for rival in ("host", "uml"):
            rows[name][f"levitate_to_{rival}"] = ratio_of(measured, name, rival)
    return {"format": "levitate-bench-rows-1", "rows": rows, "targets": judged}


# ---- the machine ------------------------------------------------------------

def read_first(path, prefix=""):
    """The text after "prefix :" on the first such line of a file, or "unknown"."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(prefix):
                    return line.partition(":")[2].strip() if prefix else line.strip()
    except OSError:
        pass
    return "unknown"


def git_commit():
    try:
        done = subprocess.run(["git", "-C", systems.REPO, "rev-parse", "--short", "HEAD"],
                              capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def environment(all_systems, cpu, options, foreign):
    """What the figures depend on, for the JSON file."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu_model": read_first("/proc/cpuinfo", "model name"),
        "architecture": os.uname().machine,
        "cpus_online": os.cpu_count(),
        "memory_total": read_first("/proc/meminfo", "MemTotal"),
        "host_kernel": " ".join(os.uname()[i] for i in (0, 2, 3)),
        "transparent_hugepage": read_first("/sys/kernel/mm/transparent_hugepage/enabled"),
        "pinned_cpu": cpu,
        "cpu_used_by_others": foreign,
        "guest_memory": systems.GUEST_MEMORY,
        "fork_mode": options.fork or "default",
        "commit": git_commit(),
        "systems": {s.key: {"missing": s.missing, "version": s.version} for s in all_systems},
    }


class LoadMeter:
    """How much of the pinned CPU went to other programs since it was created."""

    def __init__(self, cpu):
        self.cpu = cpu
        self.begin = self.sample()

    def sample(self):
        """(time now, seconds the CPU was busy, seconds of ours and of our finished children)"""
        ours = sum(usage.ru_utime + usage.ru_stime for usage in
                   map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        busy = None
        with open("/proc/stat", encoding="utf-8") as file:
            for line in file:
                fields = line.split()
                if fields[0] == f"cpu{self.cpu}":
                    # user nice system (idle iowait) irq softirq steal
                    ticks = [int(fields[i]) for i in (1, 2, 3, 6, 7, 8)]
                    busy = sum(ticks) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, ours

    def foreign_share(self):
        """From 0 to 1; None if the kernel does not tell, or in ticks too coarse for the time."""
        now, busy, ours = self.sample()
        if busy is None or self.begin[1] is None or now - self.begin[0] < 1:
            return None
        foreign = (busy - self.begin[1]) - (ours - self.begin[2])
        return round(min(1.0, max(0.0, foreign / (now - self.begin[0]))), 3)


def load_line(cpu, foreign):
    if foreign is None:
        return f"\nCPU {cpu}; its use by others is not known"
    text = f"\nCPU {cpu}; others used {foreign:.0%} of it meanwhile"
    return text + (": too much for good figures" if foreign > 0.05 else "")
