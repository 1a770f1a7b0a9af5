"""`tools/bench metal ARCH`: instructions an operation takes on the bare metal, beside Debian 12's Linux.

Both kernels run the same program as the first one, from the same initrd, on the same QEMU line with
`-icount shift=0,sleep=off`: each instruction takes a nanosecond of virtual time, so the times that the
program measures are counts of instructions, and repeat.
"""

import os
import re
import subprocess
import sys
import tempfile

import forkdoc
import report
import systems

sys.path.insert(0, os.path.join(systems.REPO, "tools", "boot.d"))

import qemu  # noqa: E402
import root  # noqa: E402

MEMORY = "1G"
# QEMU counts every round of a repeated string instruction as one: Linux would clear pages byte by byte where it can.
CPU = {"x86_64": "max,erms=off,fsrm=off", "aarch64": "cortex-a72"}
TIMEOUT_SECONDS = 1500
LINUX_OPTIONS = ["transparent_hugepage=never", "mitigations=off"]
# How the virtual time of one tick of the CPU's counter is: x86's counts instructions, QEMU's arm has 62.5 MHz.
NS_PER_TICK = {"x86_64": 1, "aarch64": 16}
BOOT = "boot"
# Row -> Levitate / Linux, at most.
TARGETS = {BOOT: 1 / 20, "fork-exit": 1 / 6, "fork-call-256m": 1 / 200, "fork-exit-256m": 1 / 200}
OTHER_TARGET = 1 / 2
# Flat: with 256 MiB no more than this times what it takes with 1 MiB.
FLAT = {"fork-call": 1.1, "fork-exit": 1.1}
WHAT = {BOOT: "QEMU's start to the first instruction of init"}


def guest_program(arch):
    """The benchmark, static, as the image's preset built it."""
    path = os.path.join(systems.REPO, "build", arch, "user", "bench")
    if not os.path.exists(path):
        raise systems.BenchError(f"no build/{arch}/user/bench: cmake --preset {arch} && cmake --build --preset {arch}")
    return path


def make_initrd(arch, path):
    """An initrd with the benchmark as /init, and no more."""
    archive = root.Archive()
    archive.device("dev/console", 5, 1)
    archive.copy(guest_program(arch), "init")
    archive.write(path)


def run_machine(arch, kernel, initrd, options, arguments):
    """Boot, measure, power off. Returns ({row: instructions}, {row: complaint})."""
    append = qemu.cmdline(arch, ["quiet", *options], "/init", ["init", "/init", *arguments])
    command = qemu.command(arch, kernel, append, initrd, MEMORY, cpu=CPU[arch], icount=True,
                           more=["-serial", "stdio"])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise systems.BenchError(f"{os.path.basename(kernel)} did not end within {TIMEOUT_SECONDS} s: "
                                 f"{(late.stdout or b'')[-300:].decode(errors='replace')}") from late
    output = done.stdout.decode(errors="replace")
    if "#init: exit" not in output:
        raise systems.BenchError(f"{os.path.basename(kernel)} did not run the benchmark: "
                                 f"{(output + done.stderr.decode(errors='replace'))[-500:]}")
    return parse(arch, output)


def parse(arch, output):
    values, problems = {}, {}
    for line in output.splitlines():
        fields = line.split("\t")
        if line.startswith("#start: "):
            values[BOOT] = float(line.split()[1]) * NS_PER_TICK[arch]
        elif len(fields) == 3 and fields[1] in ("error", "skip"):
            problems[fields[0]] = fields[2]
        elif len(fields) == 5 and fields[2] == "us":
            values[fields[0]] = float(fields[1]) * 1000
    return values, problems


def judge(levitate, linux):
    """(row, Levitate's instructions, Linux's, ratio, target, met) for each row and for what is to be flat."""
    rows = []
    for name, value in levitate.items():
        rival, limit = linux.get(name), TARGETS.get(name, OTHER_TARGET)
        ratio = value / rival if rival else None
        rows.append((name, value, rival, ratio, limit, None if ratio is None else ratio <= limit))
    for name, limit in FLAT.items():
        small, large = (levitate.get(f"{name}-{size}") for size in ("1m", "256m"))
        if small and large:
            rivals = [linux.get(f"{name}-{size}") for size in ("1m", "256m")]
            rows.append((f"{name} 256m/1m", large / small, rivals[1] / rivals[0] if all(rivals) else None, None,
                         limit, large / small <= limit))
    return rows


def count(value):
    """Instructions, in thousands."""
    return "-" if value is None else f"{value / 1000:,.2f}" if value < 1e5 else f"{value / 1000:,.0f}"


def table(rows):
    """The judged rows as lines of text."""
    cells = [("thousand instructions", "Levitate", "Linux", "ratio", "target", "")]
    for name, value, rival, ratio, limit, met in rows:
        if "/" in name:
            cells.append((name, f"{value:.2f}", "-" if rival is None else f"{rival:.2f}", "", f"{limit:.2g}",
                          report.mark(met)))
        else:
            cells.append((name, count(value), count(rival), "-" if ratio is None else f"{ratio:.4f}",
                          f"1/{1 / limit:.0f}", report.mark(met)))
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(text.ljust(width) if i == 0 or i == 5 else text.rjust(width)
                               for i, (text, width) in enumerate(zip(row, widths))).rstrip() for row in cells)


def write_document(arch, text, kernel):
    with open(forkdoc.DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    body = forkdoc.indented(f"{arch}, Linux {linux_version(kernel)}\n\n{text}")
    document = forkdoc.replace_block(document, f"metal {arch}", body)
    with open(forkdoc.DOCUMENT, "w", encoding="utf-8") as file:
        file.write(document)


def linux_version(kernel):
    return re.sub(r"^vmlinuz-", "", os.path.basename(kernel))


def select(arch, text):
    """The rows to measure: those of instructions an operation, or what was asked for."""
    names = [name for name, unit in systems.list_rows(systems.build_guest_program()).items() if unit == "us"]
    if text is None:
        return names
    wanted = [name for name in text.split(",") if name]
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise systems.BenchError(f"no row is called {', '.join(unknown) or repr(text)}; there are {', '.join(names)}")
    return wanted


def measure(options):
    """Levitate's and Linux's values: ((values, problems), (values, problems), Linux's image)."""
    arguments = ["--reps", str(options.rounds), "--rep-ms", str(options.rep_ms),
                 "--rows", ",".join(select(options.arch, options.rows))]
    linux, kernel = ({}, {}), None
    with tempfile.TemporaryDirectory(prefix="lvt.") as work:
        initrd = os.path.join(work, "bench.cpio")
        make_initrd(options.arch, initrd)
        image = options.levitate or qemu.image(options.arch)
        print(f"{options.arch}: Levitate", file=sys.stderr)
        levitate = run_machine(options.arch, image, initrd, [], arguments)
        if not options.no_linux:
            kernel = root.linux_kernel(options.arch)
            print(f"{options.arch}: Linux {linux_version(kernel)}", file=sys.stderr)
            linux = run_machine(options.arch, kernel, initrd, LINUX_OPTIONS, arguments)
    return levitate, linux, kernel


def run(options):
    """Measures and prints. Returns (result for JSON, whether every row worked)."""
    try:
        levitate, linux, kernel = measure(options)
    except (qemu.QemuError, root.RootError) as error:
        raise systems.BenchError(str(error)) from error
    rows = judge(levitate[0], linux[0])
    text = table(rows)
    print(text)
    for system, problems in (("Levitate", levitate[1]), ("Linux", linux[1])):
        for name, complaint in problems.items():
            print(f"{name} on {system}: {complaint}")
    if options.write:
        write_document(options.arch, text, kernel)
    return {"format": "levitate-bench-metal-1", "arch": options.arch,
            "linux": linux_version(kernel) if kernel else None,
            "rows": [dict(zip(("row", "levitate", "linux", "ratio", "target", "met"), row)) for row in rows],
            }, not (levitate[1] or linux[1])
