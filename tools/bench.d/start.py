"""`tools/bench start`: `busybox true` from start to finish, and the soak test."""

import shutil
import statistics
import sys

import report
import systems

# What the soak may lose, in KiB, before it is called a leak. Other programs
# come and go meanwhile, so a small loss proves nothing.
ALLOWED_LOSS_KIB = {"Shmem": 4 * 1024, "MemAvailable": 64 * 1024}


def busybox_path():
    path = shutil.which("busybox")
    if path is None:
        raise systems.BenchError("no busybox in PATH (Debian package busybox-static)")
    return path


def measure(nr_runs, all_systems, busybox):
    """Interleaved runs. Returns ({system key: [ms]}, {system key: why it has no value})."""
    times = {system.key: [] for system in all_systems}
    problems = {system.key: system.missing for system in all_systems if system.missing}
    for _ in range(nr_runs):
        for system in all_systems:
            if system.key in problems:
                continue
            done = system.run([busybox, "true"])
            if done.status != 0 or done.timed_out:
                problems[system.key] = f"it {done.describe_end()}"
            times[system.key].append(done.seconds * 1000)
    return times, problems


def run(options, all_systems):
    """Measures and prints. Returns (result for JSON, whether all went well)."""
    if options.soak:
        return soak(options.soak, all_systems[-1])
    times, problems = measure(options.runs, all_systems, busybox_path())
    result = {"format": "levitate-bench-start-1", "runs": options.runs, "unit": "ms"}
    print(f"\nbusybox true, start to finish, {options.runs} runs each, interleaved")
    print(f"{'system':<10} {'median ms':>10} {'least ms':>10} {'x host':>10}")
    for system in all_systems:
        own = times[system.key]
        if system.key in problems:
            print(f"{system.title:<10} {'-':>10} {'-':>10} {'-':>10}  {problems[system.key]}")
            result[system.key] = {"error": problems[system.key]}
            continue
        median = statistics.median(own)
        host = median if system.key == "host" else result["host"].get("median")
        print(f"{system.title:<10} {report.number(median):>10} {report.number(min(own)):>10} "
              f"{report.number(host and median / host):>10}")
        result[system.key] = {"median": median, "min": min(own), "max": max(own), "values": own}
    return result, all(system.missing for system in all_systems if system.key in problems)


# ---- soak ---------------------------------------------------------------------

def memory_state():
    """{field: KiB} for the fields the soak compares."""
    return {field: int(report.read_first("/proc/meminfo", field).split()[0])
            for field in ALLOWED_LOSS_KIB}


def memory_losses(before):
    """{field: KiB lost since `before`}; negative is a gain."""
    now = memory_state()
    return {"Shmem": now["Shmem"] - before["Shmem"],
            "MemAvailable": before["MemAvailable"] - now["MemAvailable"]}


def soak(nr_runs, levitate):
    """Runs Levitate again and again. Ends early at 10 failed runs."""
    if levitate.missing:
        raise systems.BenchError(f"nothing to soak: {levitate.missing}")
    busybox = busybox_path()
    levitate.run([busybox, "true"])  # what the first run loads stays cached
    before = memory_state()
    times, failures, leftovers = [], [], []
    for number in range(1, nr_runs + 1):
        done = levitate.run([busybox, "true"])
        times.append(done.seconds * 1000)
        leftovers += done.leftovers
        if done.status != 0 or done.timed_out:
            failures.append(f"run {number} {done.describe_end()}")
        if number % 100 == 0:
            print(f"{number} of {nr_runs} runs", file=sys.stderr)
        if len(failures) == 10:
            break
    losses = memory_losses(before)
    leaked = [field for field, kib in losses.items() if kib > ALLOWED_LOSS_KIB[field]]
    print_soak(times, failures, leftovers, losses, leaked)
    result = {"format": "levitate-bench-soak-1", "runs": len(times),
              "median_ms": statistics.median(times), "max_ms": max(times),
              "failures": failures, "leftover_processes": leftovers, "memory_lost_kib": losses}
    return result, not (failures or leftovers or leaked)


def print_soak(times, failures, leftovers, losses, leaked):
    print(f"\nlevitate run -- busybox true: {len(times)} runs, median "
          f"{report.number(statistics.median(times))} ms, longest {report.number(max(times))} ms")
    print(f"  failed runs         {len(failures):>8}")
    for text in failures:
        print(f"    {text}")
    print(f"  processes left over {len(leftovers):>8}  {' '.join(sorted(set(leftovers)))}".rstrip())
    for field, kib in losses.items():
        verdict = "LEAK" if field in leaked else "ok"
        label = "Shmem grew by" if field == "Shmem" else "MemAvailable fell"
        print(f"  {label:<19} {kib:>8} KiB  {verdict} "
              f"(allowed {ALLOWED_LOSS_KIB[field]} KiB)")
