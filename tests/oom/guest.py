#!/usr/bin/env python3
"""Whole guest runs without memory: --fail-alloc sweeps, overcommit modes, the out-of-memory killer.

    guest.py --levitate build/host/levitate [NAME...]     run them (default all)
    guest.py --list                                       print their names

LEVITATE_OOM_EVERY=1 makes the sweeps fail every allocation, not some thirty of each run; it takes hours.
LEVITATE_OOM_PROGRAMS is the directory of the guest programs (build/host/user).
Exit status: 0 passed, 1 failed, 77 skipped.
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
import cli  # noqa: E402
import runcase  # noqa: E402
from cli import BUSYBOX, Skip, check, equal  # noqa: E402

TESTS = {}
PROGRAMS = os.environ.get("LEVITATE_OOM_PROGRAMS", "")
EVERY = 1 << 30
RUNS_MAX = EVERY if os.environ.get("LEVITATE_OOM_EVERY") else 8 if runcase.time_scale() > 1 else 32
FORK_MODES = ("eager", "cow", "share")

SESSION = r"""
echo one | cat > /tmp/a; (cat /tmp/a; echo two) | sort -r | while read x; do echo "got $x"; done
mkdir /tmp/d && cp /tmp/a /tmp/d/b && ls /tmp/d; (exit 3); echo $?; x=$(cat /tmp/a); test "$x" = one && echo same
sleep 0 & wait; cat < /tmp/a >> /tmp/d/b; rm -r /tmp/d"""


def test(function):
    TESTS[function.__name__] = function
    return function


def program(w, *args):
    """Options and command of a guest program of ours."""
    if not os.path.exists(os.path.join(PROGRAMS, args[0])):
        raise Skip(f"{args[0]} is not there: set LEVITATE_OOM_PROGRAMS")
    return ["--bind", f"{PROGRAMS}:{PROGRAMS}", "--", os.path.join(PROGRAMS, args[0]), *args[1:]]


# ---- sweeps -----------------------------------------------------------------

def explained(outcome, is_booted):
    """Is the status one that a run without memory may end with?

    The guest's own (0 to 3), exec that failed (126, 127), the signals of a process without memory: SIGKILL
    by the killer, SIGSEGV (no room for a stack or a signal's frame), SIGBUS (no room for a file's page),
    SIGABRT (the C library's own). 125: there was not even memory to boot with; it says so.
    """
    if outcome.status == 125:
        return b"levitate: " in outcome.err and not is_booted
    return outcome.status in (0, 1, 2, 3, 126, 127, 128 + 6, 128 + 7, 128 + 9, 128 + 11)


def count_allocations(w, arguments):
    stats = w.path("stats.json")
    good = w.run("--stats=" + stats, *arguments)
    equal("status without a failure", good.status, 0)
    with open(stats, encoding="ascii") as f:
        return json.load(f)["allocations"], good


def choose(total):
    """The allocations to fail: the first few, for they differ most, and others spread over the run."""
    first = min(total, RUNS_MAX // 3)
    rest = RUNS_MAX - first
    step = max(1, (total - first + rest - 1) // rest)
    return list(range(1, first + 1)) + list(range(first + step, total + 1, step))


def sweep(w, name, arguments):
    runs = changed = 0
    for mode in FORK_MODES:
        total, good = count_allocations(w, ["--fork", mode, *arguments])
        for suffix in ("", "+"):
            for n in choose(total):
                outcome = w.run("--audit", "--fork", mode, "--fail-alloc", f"{n}{suffix}", *arguments, timeout=20)
                runs += 1
                changed += (outcome.status, outcome.out) != (good.status, good.out)
                check(isinstance(outcome.status, int) and explained(outcome, n > total // 2),
                      f"{name} --fork {mode} --fail-alloc {n}{suffix} of {total}: status {outcome.status}, "
                      f"{outcome.err[-700:].decode(errors='replace')}")
        # Nothing fails beyond the last one.
        late = w.run("--audit", "--fork", mode, "--fail-alloc", f"{total * 3}+", *arguments)
        equal(f"{name} --fork {mode}: status when nothing fails", late.status, good.status)
        equal(f"{name} --fork {mode}: output when nothing fails", late.out, good.out)
    print(f"{name}: {runs} failures injected, {changed} of them changed what the guest did")
    check(changed > runs // 4, f"{name}: only {changed} of {runs} failures had any effect")


@test
def shell_session(w):
    """A shell with pipes, forks and redirections, with the Nth allocation failing, and all from it on."""
    sweep(w, "shell", ["--", BUSYBOX, "sh", "-c", SESSION])


@test
def static_program(w):
    """A static program that checks its memory, with the Nth allocation failing, and all from it on."""
    sweep(w, "survivor", program(w, "survivor"))


# ---- overcommit -------------------------------------------------------------

MODES = """\
at first: memory 0, ratio 50, kbytes 0
memory 3: EINVAL
memory -1: EINVAL
memory x: EINVAL
memory nothing: EINVAL
memory ' 1 ': done
kbytes 4000: done
kbytes clear the ratio: memory 1, ratio 0, kbytes 4000
limit by kbytes: 4000 kB
ratio 60: done
the ratio clears kbytes: memory 1, ratio 60, kbytes 0
limit by ratio: 60 %
as nobody: EACCES
as nobody: reads 1
4 MiB mapped: +4096 kB
unwritable again: +4096 kB
unmapped: +0 kB
mode 0, 2 GiB: ENOMEM
mode 0, 2 GiB shared: ENOMEM
mode 0, 2 GiB unreserved: done
mode 0, 2 GiB unreadable: done
mode 0, three times 40 MiB: done
mode 0, fork of it: done
mode 1, 2 GiB: done
mode 2, 60 MiB: ENOMEM
mode 2, 60 MiB unreserved: ENOMEM
mode 2, 60 MiB shared: ENOMEM
mode 2, 60 MiB unreadable: done
mode 2, 60 MiB read-only: done
mode 2, made writable: ENOMEM
mode 2, grown: ENOMEM
mode 2, break: ENOMEM
mode 2, stack: Segmentation fault
mode 2, file of memory: ENOSPC
mode 2, fork that cannot be backed: ENOMEM
nobody was killed for it: true
mode 2, fork that can: done
within the limit: true
"""


@test
def overcommit_modes(w):
    """vm.overcommit_memory 0, 1 and 2: what proc(5) and mmap(2) say, with all ways to fork."""
    for mode in FORK_MODES:
        cli.shows(w.run("-m", "64M", "--audit", "--fork", mode, *program(w, "oom", "modes")), MODES)


# ---- the killer -------------------------------------------------------------

KILLED = re.compile(r"out of memory: page fault of (\S+) \(pid (\d+)\) at 0x[0-9a-f]+; killed process (\d+) "
                    r"\((\S+)\), (\d+) KiB resident, oom_score_adj (-?\d+); of \d+ KiB \d+ are free")


def kills(outcome):
    return KILLED.findall(outcome.err.decode(errors="replace"))


def among_innocents(w, *options):
    oom = os.path.join(PROGRAMS, "oom")
    return w.run("-m", "64M", *options, "--bind", f"{PROGRAMS}:{PROGRAMS}", "--", BUSYBOX, "sh", "-c", f"""
        {oom} innocent 4 /tmp/go & a=$!
        {oom} innocent 3 /tmp/go & b=$!
        sleep 0.3
        {oom} hog; echo hog $?
        {oom} hog; echo hog $?
        echo > /tmp/go
        wait $a; echo innocent $?; wait $b; echo innocent $?""")


@test
def hog_among_innocents(w):
    """Who wants more than there is dies of it; the others keep their memory and go on."""
    program(w, "oom")
    for mode in FORK_MODES:
        outcome = among_innocents(w, "--fork", mode)
        equal("status", outcome.status, 0)
        equal("output", outcome.out.decode(),
              "ready\nready\nhog 137\nhog 137\ninnocent 0\ninnocent 0\n")
        equal("names of the killed", [k[3] for k in kills(outcome)], ["oom", "oom"])
        check(all(int(k[4]) > 20000 for k in kills(outcome)), f"not the hogs: {kills(outcome)}")


@test
def first_program(w):
    """A first program that wants all is killed as anybody: status 137, and its children stay till then."""
    outcome = w.run("-m", "64M", *program(w, "oom", "hog"))
    equal("status", outcome.status, 137)
    equal("killed", [k[3] for k in kills(outcome)], ["oom"])


@test
def fork_bomb(w):
    """Forty children with more memory than there is: some die, their parent and the shell do not."""
    oom = os.path.join(PROGRAMS, "oom")
    program(w, "oom")
    outcome = w.run("-m", "64M", "--bind", f"{PROGRAMS}:{PROGRAMS}", "--", BUSYBOX, "sh", "-c",
                    f"{oom} bomb 40; echo status $?", timeout=120)
    equal("output", outcome.out.decode(), "killed some\nstatus 0\n")
    equal("status", outcome.status, 0)


@test
def buffers(w):
    """Memory that runs out for the buffer of a system call: the largest dies, and the call goes on; never EFAULT."""
    outcome = w.run("-m", "64M", *program(w, "oom", "buffers"))
    equal("output", outcome.out.decode(), "pages through a pipe: done\nlarge: signal 9\ngreedy: signal 9\n")
    equal("status", outcome.status, 0)
    equal("names of the killed", [k[3] for k in kills(outcome)], ["oom", "oom"])


@test
def oom_score_adj(w):
    """-1000 in /proc/PID/oom_score_adj spares a large process, 1000 gives a small one up."""
    outcome = w.run("-m", "64M", *program(w, "oom", "spared"))
    equal("output", outcome.out.decode(), "small: signal 9\nlarge: alive\n")
    equal("status", outcome.status, 0)
    equal("killed", [k[5] for k in kills(outcome)], ["1000"])


if __name__ == "__main__":
    sys.exit(cli.main(TESTS, __doc__))
