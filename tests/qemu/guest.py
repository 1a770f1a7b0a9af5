#!/usr/bin/env python3
"""The guest cases (tests/guest) on a bare-metal machine, many in one boot, with the host's Linux as the oracle.

    guest.py oracle --expected FILE CASE...
        runs the cases on the host and writes down what they showed
    guest.py run --arch ARCH --expected FILE [--append TEXT] [--results FILE] CASE...
        boots QEMU with user/batch.c as init, which runs them all, and compares

The cases and what their headers mean: tests/guest/runcase.py. One header word is for here:

    # metal: REASON           not on a bare-metal machine, for this reason

Exit status: 0 all agree, 1 some differ, 77 skipped (no QEMU, no image).
"""

import argparse
import base64
import json
import os
import re
import sys
import tempfile

import machine
import qemu
import root
import runcase

FRAME = re.compile(rb"\n@@@ (\d+) (-?\d+) (\d+) (\d+) (\d+)\n")
LESS_WORK = 8  # $SLOW of the cases
# What QEMU's TCG does not do, on Linux neither (CAVEATS.md): these lines are not compared.
NOT_IN_TCG = {"t_fpu_x86_64": [(re.compile(r"^vector divide\n(  signal 8 .*\n)?", re.M), "vector divide\n"),
                               (re.compile(r"^alignment check: .*", re.M), "alignment check")]}
# Besides the cases' own time: QEMU emulates, and may share its CPU with other tests.
SLOWNESS = 4


def why_not(case):
    """The reason a case's header gives why it cannot run on a bare-metal machine, or None."""
    if case.is_script:
        with open(case.path) as f:
            match = re.search(r"^# metal: (.*)", f.read(), re.M)
        return match and match[1]
    return None


def oracle(args, cases):
    """Run the cases on the host."""
    runcase.become_test_runner()
    stage = runcase.Stage(runcase.shutil.which("busybox"), "/var/tmp", LESS_WORK)
    expected = {}
    try:
        for case in cases:
            if why_not(case) is None and all(need in stage.applets for need in case.needs):
                host = runcase.expect(case, stage)
                expected[case.name] = [host.status, base64.b64encode(host.out).decode(),
                                       base64.b64encode(host.err).decode()]
        with open(args.expected, "w") as f:
            json.dump({"top": stage.top, "env": stage.env(), "applets": stage.applets, "cases": expected}, f)
    finally:
        stage.close()
    return 0


def guest_program(path, arch):
    """The program of the same name built for arch; None: there is none."""
    found = os.path.join(root.REPO, "build", arch, "user", os.path.basename(path))
    return found if os.path.exists(found) else None


def pack(arch, oracle_data, cases, output):
    """The root: what the oracle saw of its stage, the cases, and the batch program."""
    archive, top = root.Archive(), oracle_data["top"].lstrip("/")
    busybox = root.busybox(arch)
    archive.copy(busybox, f"{top}/in/bin/busybox")
    archive.copy(busybox, "bin/busybox")
    for applet in oracle_data["applets"]:
        if applet != "busybox":
            archive.link(f"{top}/in/bin/{applet}", "busybox")
            archive.link(f"bin/{applet}", "busybox")
    archive.file(f"{top}/in/run.sh", runcase.RUN_SH)
    archive.copy(guest_program("batch", arch), "batch/batch")
    for name in ("passwd", "group", "hosts", "services", "protocols", "hostname", "os-release"):
        if os.path.exists(f"/etc/{name}"):
            archive.copy(os.path.realpath(f"/etc/{name}"), f"etc/{name}")
    archive.link("usr/bin", "../bin")
    archive.link("sbin", "bin")
    archive.directory("tmp", 0o1777)
    archive.directory("var/tmp", 0o1777)
    archive.directory("root", 0o700)
    lines = []
    for i, case in enumerate(cases):
        archive.file(f"batch/{i}.in", case.stdin)
        if case.is_script:
            with open(case.path, "rb") as f:
                archive.file(f"batch/{i}.sh", f.read(), 0o644)
            argv = [f"/{top}/in/bin/busybox", "sh", f"/{top}/in/run.sh"]
        else:
            archive.copy(guest_program(case.path, arch), f"{top}/in/{case.name}")
            argv = [f"/{top}/in/{case.name}"]
        lines.append("\t".join([str(case.timeout_s * SLOWNESS * runcase.time_scale()), str(os.getuid()),
                                str(os.getgid()),
                                f"/batch/{i}.sh" if case.is_script else "-", f"/batch/{i}.in", *argv]))
    archive.file("batch/list", "\n".join(lines) + "\n")
    archive.file("batch/env", "".join(f"{name}={value}\n" for name, value in oracle_data["env"].items()))
    archive.write(output)


def frames(output):
    """What the console showed of each case: number -> Outcome."""
    found, at = {}, 0
    while match := FRAME.search(output, at):
        number, status, ms, out_size, err_size = (int(x) for x in match.groups())
        at = match.end() + out_size + err_size
        if status == -1:
            status = "no end"
        else:
            status = status >> 8 if status & 0x7f == 0 else 128 + (status & 0x7f)
        found[number] = runcase.Outcome(status, output[match.end():match.end() + out_size],
                                        output[match.end() + out_size:at], ms / 1000, [])
    return found


def boot(args, oracle_data, cases):
    """Run the cases in one boot. Returns (outcomes by number, what is wrong with the run as a whole)."""
    with tempfile.TemporaryDirectory(prefix="lvt.") as work:
        initrd = os.path.join(work, "root.cpio")
        pack(args.arch, oracle_data, cases, initrd)
        append = qemu.cmdline(args.arch, ["quiet", "panic=poweroff"], "/batch/batch", append=args.append)
        command = qemu.command(args.arch, qemu.image(args.arch), append, initrd, args.memory,
                               more=[*machine.VIRTUAL_TIME, *args.qemu])
        with machine.Console(command) as console:
            problem = ""
            try:
                output = console.end(args.timeout)
                status, _ = qemu.verdict(output)
                if status != 0:
                    problem = f"the machine's end: status {status}: {console.last_words()}"
            except machine.Failure as failure:
                problem = str(failure)
            return frames(console.output), problem


def run(args, cases):
    machine.skip_without(lambda: qemu.program(args.arch), lambda: qemu.image(args.arch),
                         lambda: root.busybox(args.arch))
    if guest_program("batch", args.arch) is None:
        print(f"skipped: no guest programs for {args.arch} (their C library is missing)")
        return machine.SKIP
    with open(args.expected) as f:
        oracle_data = json.load(f)
    verdicts, runnable, failed = {}, [], 0
    for case in cases:
        reason = why_not(case)
        if reason is None and not case.is_script and guest_program(case.path, args.arch) is None:
            reason = f"not for {args.arch}"
        if reason is None and case.name not in oracle_data["cases"]:
            reason = "this busybox lacks an applet"
        if reason is not None:
            verdicts[case.name] = f"no: {reason}"
            print(f"SKIP {case.name}: {reason}")
        else:
            runnable.append(case)
    outcomes, problem = boot(args, oracle_data, runnable)
    for number, case in enumerate(runnable):
        status, out, err = oracle_data["cases"][case.name]
        host = runcase.Outcome(status, base64.b64decode(out), base64.b64decode(err), 0, [])
        guest = outcomes.get(number)
        report = "  did not run\n" if guest is None else runcase.differences(case, host, guest)
        verdicts[case.name] = "FAIL" if report else "PASS"
        failed += bool(report)
        print(f"FAIL {case.name}\n{report}" if report else f"PASS {case.name} ({guest.seconds * 1000:.0f} ms)",
              flush=True)
    machine.write_results(args.results, verdicts)
    if problem:
        print(problem)
    print(f"{len(runnable) - failed} agree, {failed} differ, {len(cases) - len(runnable)} do not apply")
    return 1 if failed or problem else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["oracle", "run"])
    parser.add_argument("--arch")
    parser.add_argument("--expected", required=True)
    parser.add_argument("--append", default="")
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--qemu", action="append", default=[])
    parser.add_argument("--results")
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("cases", nargs="+", metavar="CASE")
    args = parser.parse_args()
    cases = [runcase.Case(path) for path in args.cases]
    for case in cases:
        case.masks += NOT_IN_TCG.get(case.name, [])
    return oracle(args, cases) if args.what == "oracle" else run(args, cases)


if __name__ == "__main__":
    sys.exit(main())
