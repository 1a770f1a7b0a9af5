#!/usr/bin/env python3
"""The report of a panic, a crash and a request (SIGQUIT): what it holds, the status, and a core that gdb's commands read.

Usage: reports.py --levitate FILE --broken FILE --programs DIR --gdbinit FILE     broken: a kernel whose getppid(2) fails an assertion
"""
import argparse
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

failures = []


def expect(what, text, patterns):
    for pattern in patterns:
        if not re.search(pattern, text, re.M):
            failures.append(f"{what}: nothing matches {pattern!r} in\n{text}")


def run(levitate, program, directory, *words, sig=None, cores=True):
    """Status and standard error of a run; sig is sent when the program has said that it sleeps."""
    def limits():
        size = resource.RLIM_INFINITY if cores else 0
        resource.setrlimit(resource.RLIMIT_CORE, (size, resource.getrlimit(resource.RLIMIT_CORE)[1] if cores else 0))

    bind = f"{os.path.dirname(program)}:{os.path.dirname(program)}"  # it may lie below /tmp, which is the guest's own
    process = subprocess.Popen([levitate, "run", "-m", "64M", "--bind", bind, "--", program, *words], cwd=directory, preexec_fn=limits,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if sig is not None:
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(sig)
    out, err = process.communicate(timeout=120)
    return process.returncode, err.decode(errors="replace")


REGISTERS = [r"^running: task 1 \(reporter\) of process 1, in \w+; its user registers:$", r" rip [0-9a-f]{16}", r" rsp [0-9a-f]{16}"]
STACK = [r"^its user stack:$", r"^  #\d+ +0x\w+ reporter\+0x\w+$"]
SLEEPER = [r"^task 2 \(reporter\), sleeping in pause", r"^  #\d+ +0x\w+ .*(schedule|sys_pause)"]
REST = [r"^the last \d+ system calls and faults:$", r"^  \[2\] pause\(", r"^memory: \d+ frames, \d+ free"]


def core_is_read(options, levitate, directory):
    core = next((os.path.join(directory, f) for f in os.listdir(directory) if f.startswith("core")), None)
    if core is None or shutil.which("gdb") is None:
        print("no core to look at: the host puts them elsewhere, or gdb is missing")
        return
    gdb = subprocess.run(["gdb", "-q", "-nx", "-batch", "-x", options.gdbinit, "-ex", "lv-ps", "-ex", "backtrace", levitate, core],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120).stdout.decode(errors="replace")
    expect("the core in gdb", gdb, [r"^2 processes, 2 tasks$", r" reporter$", r"host_leave_core"])
    os.unlink(core)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("levitate", "broken", "programs", "gdbinit"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    program = os.path.join(options.programs, "reporter")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        status, err = run(options.broken, program, directory, "panic")
        expect("panic", err, [r"^levitate: kernel panic: .*assertion failed", r"^  #\d+ +0x\w+ sys_getppid", *REGISTERS, *STACK, *SLEEPER,
                              *REST])
        if status != 70:
            failures.append(f"a panic ends with {status}")
        core_is_read(options, options.broken, directory)

        status, err = run(options.levitate, program, directory, sig=signal.SIGSEGV, cores=False)
        expect("crash", err, [r"^levitate: the kernel crashed: Segmentation fault", *REGISTERS, *SLEEPER, *REST])
        if status != 70:
            failures.append(f"a crash ends with {status}")

        status, err = run(options.levitate, program, directory, sig=signal.SIGQUIT)
        expect("SIGQUIT", err, [r"^levitate: report: SIGQUIT came$", *REGISTERS, *STACK, *SLEEPER, *REST])
        if status != 128 + signal.SIGQUIT:
            failures.append(f"SIGQUIT ends with {status}: {err[-600:]}")
        core_is_read(options, options.levitate, directory)
        if os.path.exists("/usr/lib/x86_64-linux-gnu/libcapstone.so.4"):
            expect("disassembly", err, [r"^instructions around its program counter:$", r"^  => 0x\w+ ", r"^ +0x\w+  syscall"])
    for failure in failures:
        print("FAIL " + failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
