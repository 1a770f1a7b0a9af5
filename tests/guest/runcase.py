#!/usr/bin/env python3
"""Run guest cases on the host and under Levitate, and compare.

A case is a shell script (run by `busybox sh`) or a static program.  It runs
twice, with the same file at the same path, the same environment and the same
working directory: once on the host, once under `levitate run`.  Standard
output, standard error and exit status must agree.

    runcase.py --levitate build/host/levitate tests/guest/applets/ls.sh
    runcase.py --levitate build/host/levitate --jobs 4 \
        --levitate-args "--pte aarch64 --fork eager" tests/guest/scripts/*.sh

A script's header (its first lines that start with '#') may hold:

    # needs: APPLET...        skip when this busybox lacks one of them
    # mask: REGEX => TEXT     replace in both outputs before comparing
    # sort: stdout            compare sorted lines (stderr likewise)
    # jobs: quiet             drop the shell's notices of killed jobs (whether a
                              background job's is printed depends on timing)
    # stdin: TEXT             standard input (default empty), \\n understood
    # timeout: SECONDS        for each of the two runs (default 60)
    # levitate: ARG...        more options for `levitate run`
    # metal: REASON           why it cannot run on a bare-metal machine (tests/qemu/guest.py)

A script that computes for seconds divides its work by ${SLOW:-1}, which an emulated machine sets.

If CASE.out exists beside the script, it is the expected standard output in
place of the host's (the status expected is then 0, standard error empty).

Exit status: 0 all agree, 1 some differ, 77 nothing ran (all skipped).
"""

import argparse
import concurrent.futures
import ctypes
import difflib
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIP = 77
PR_SET_CHILD_SUBREAPER = 36


def time_scale():
    """Factor for every time limit; slow builds (ASan, valgrind) raise it."""
    return float(os.environ.get("LEVITATE_TEST_TIME_SCALE", "1"))


def become_test_runner():
    """Let orphans of what we start become our children, so none is missed, and
    clean up when asked to end."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def split_command(text):
    """A command line as words; the tests run elsewhere, so paths become absolute."""
    return [os.path.abspath(word) if "/" in word and os.path.exists(word) else word
            for word in shlex.split(text)]


def children_of(pid, with_zombies=False):
    """The children of `pid` as (pid, command line) pairs."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                fields = f.read().rsplit(b")", 1)[1].split()
            with open(f"/proc/{name}/cmdline", "rb") as f:
                cmdline = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(fields[1]) == pid and (with_zombies or fields[0] != b"Z"):
            found.append((int(name), cmdline.strip()))
    return found


def reap_strays(grace_s, others=()):
    """Wait `grace_s` for our remaining children to end, kill the rest.

    `others` are children that stay.  Returns a list of descriptions of those
    that had to be killed.
    """
    deadline = time.monotonic() + grace_s
    killed = []
    while True:
        left = [c for c in children_of(os.getpid(), True) if c[0] not in others]
        if not left:
            return killed
        for child, cmdline in left:
            if os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                killed.append(f"pid {child}: {cmdline or '(no command line)'}")
        time.sleep(0.005)


class Outcome:
    """What one run of a command showed."""

    def __init__(self, status, out, err, seconds, strays):
        self.status, self.out, self.err = status, out, err
        self.seconds, self.strays = seconds, strays


def default_signals():
    """In the child before exec: no signal ignored, none blocked."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM,
                   signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def collect(child, timeout_s):
    """Read a Popen's pipes until it ends or timeout_s is over.

    Returns ([stdout, stderr], ended).  Does not wait for end of file: a process
    the child left behind may hold the pipes.
    """
    pidfd = os.pidfd_open(child.pid)
    pipes = {child.stdout.fileno(): 0, child.stderr.fileno(): 1}
    data = [b"", b""]
    deadline = time.monotonic() + timeout_s
    try:
        ended = False
        while not ended:
            left_s = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([pidfd, *pipes], [], [], left_s)
            if not ready:
                break
            ended = ready == [pidfd]
            for fd in ready:
                if fd == pidfd:
                    continue
                piece = os.read(fd, 65536)
                data[pipes[fd]] += piece
                if not piece:
                    del pipes[fd]
        return data, ended
    finally:
        os.close(pidfd)


def run(argv, env, cwd, stdin, timeout_s, grace_s=2.0, others=()):
    """Run argv in a session of its own; never leave a process behind."""
    with tempfile.TemporaryFile() as fin:
        fin.write(stdin)
        fin.seek(0)
        start = time.monotonic()
        child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=fin,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 start_new_session=True,
                                 preexec_fn=default_signals)
    with child.stdout, child.stderr:
        data, ended = collect(child, timeout_s)
        if ended:
            status = child.wait()
        else:
            status = f"no end after {timeout_s:g} s"
            os.killpg(child.pid, signal.SIGTERM)
            time.sleep(0.5)
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    seconds = time.monotonic() - start
    return Outcome(status, data[0], data[1], seconds, reap_strays(grace_s, others))


def is_isolated(levitate):
    """Does this program keep its guest away from the host's /tmp?

    Asked before a test that would do harm if its commands ran on the host.
    """
    with tempfile.NamedTemporaryFile(prefix="lvt.", dir="/tmp") as mark:
        done = run(levitate + ["run", "--", shutil.which("busybox"), "sh", "-c",
                               f"[ -e {mark.name} ] && exit 3; echo not there"],
                   dict(os.environ), "/", b"", 60 * time_scale())
    return done.status == 0 and done.out == b"not there\n"


JOB_NOTICE = re.compile(
    r"^(Terminated|Killed|Hangup|Interrupt|Quit|Alarm clock|Broken pipe|Aborted|"
    r"Floating point exception|Trace/breakpoint trap|Illegal instruction|Bus error|"
    r"File size limit exceeded|CPU time limit exceeded|"
    r"User defined signal [12]|Segmentation fault)( \(core dumped\))?\n", re.M)


class Case:
    """One script or program, and what its header asks for."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.is_script = path.endswith(".sh")
        self.name = os.path.basename(path)
        self.masks, self.needs, self.sort = [], [], []
        self.stdin, self.timeout_s, self.levitate_args = b"", 60.0, []
        if self.is_script:
            self.name = os.path.join(os.path.basename(os.path.dirname(self.path)),
                                     self.name[:-3])
            self._read_header()

    def _read_header(self):
        with open(self.path) as f:
            for line in f:
                if not line.startswith("#"):
                    return
                match = re.match(r"# (\w+): (.*)", line)
                if not match:
                    continue
                key, value = match.groups()
                if key == "needs":
                    self.needs = value.split()
                elif key == "mask":
                    pattern, _, text = value.partition(" => ")
                    self.masks.append((re.compile(pattern, re.M), text))
                elif key == "sort":
                    self.sort = value.split()
                elif key == "jobs":
                    self.masks.append((JOB_NOTICE, ""))
                elif key == "stdin":
                    self.stdin = value.encode().decode("unicode_escape").encode()
                elif key == "timeout":
                    self.timeout_s = float(value)
                elif key == "levitate":
                    self.levitate_args = shlex.split(value)

    def normal(self, stream, data):
        """The text of one output after masking and sorting, as lines."""
        text = data.decode("utf-8", errors="backslashreplace")
        for pattern, replacement in self.masks:
            text = pattern.sub(replacement, text)
        lines = text.splitlines(keepends=True)
        return sorted(lines) if stream in self.sort else lines


RUN_SH = """\
umask 022
mkdir -p "$T/w" && cd "$T/w" || exit 99
exec "$T/in/bin/busybox" sh "$T/in/case.sh"
"""


class Stage:
    """The private directory T of a worker: T/in is what both sides read
    (bound into the guest at the same path), T/w is where the host's run works;
    the guest's own T/w lies in the guest's own /tmp."""

    def __init__(self, busybox, parent="/tmp", slowness=1):
        self.slowness = slowness
        self.top = tempfile.mkdtemp(prefix="lvt.", dir=parent)
        self.inside = os.path.join(self.top, "in")
        self.bin = os.path.join(self.inside, "bin")
        os.makedirs(self.bin)
        os.chmod(self.top, 0o755)
        shutil.copy(busybox, os.path.join(self.bin, "busybox"))
        self.applets = subprocess.run([busybox, "--list"], capture_output=True,
                                      check=True, text=True).stdout.split()
        for applet in self.applets:
            if applet != "busybox":
                os.symlink("busybox", os.path.join(self.bin, applet))
        with open(os.path.join(self.inside, "run.sh"), "w") as f:
            f.write(RUN_SH)

    def env(self):
        env = {"PATH": self.bin, "HOME": os.path.join(self.top, "w"),
               "TERM": "dumb", "USER": "guest", "T": self.top,
               "LC_ALL": "C", "TZ": "UTC"}
        return env if self.slowness == 1 else {**env, "SLOW": str(self.slowness)}

    def clear_work(self):
        work = os.path.join(self.top, "w")
        subprocess.run(["chmod", "-R", "u+rwx", work], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)

    def command_for(self, case):
        """Place the case's file; return the argv that both sides run."""
        if case.is_script:
            shutil.copy(case.path, os.path.join(self.inside, "case.sh"))
            return [os.path.join(self.bin, "busybox"), "sh",
                    os.path.join(self.inside, "run.sh")]
        program = os.path.join(self.inside, case.name)
        shutil.copy(case.path, program)
        return [program]

    def close(self):
        self.clear_work()
        shutil.rmtree(self.top, ignore_errors=True)


def diff(title, want, got):
    lines = list(difflib.unified_diff(want, got, "expected", "levitate"))
    if not lines:
        return ""
    if len(lines) > 200:
        lines = lines[:200] + ["... (cut)\n"]
    text = "".join(x if x.endswith("\n") else x + "\n" for x in lines)
    return f"  {title}:\n" + "".join("    " + x + "\n" for x in text.splitlines())


def expect(case, stage):
    """What a case has to show: what its .out file says, or what it shows on the host."""
    expected = case.path[:-3] + ".out"
    if case.is_script and os.path.exists(expected):
        with open(expected, "rb") as f:
            return Outcome(0, f.read(), b"", 0.0, [])
    argv = stage.command_for(case)
    stage.clear_work()
    host = run(argv, stage.env(), "/", case.stdin, case.timeout_s * time_scale(), grace_s=0.2)
    stage.clear_work()
    if isinstance(host.status, int) and host.status < 0:
        host.status = 128 - host.status  # as levitate says it
    return host


def differences(case, host, guest):
    """The report of what differs between two outcomes; empty: nothing does."""
    report = ""
    if host.status != guest.status:
        report += f"  status: expected {host.status}, levitate {guest.status}\n"
    report += diff("stdout", case.normal("stdout", host.out), case.normal("stdout", guest.out))
    return report + diff("stderr", case.normal("stderr", host.err), case.normal("stderr", guest.err))


def compare(case, stage, levitate, extra_args, show):
    """Run one case on both sides.  Returns (verdict, report text)."""
    missing = [a for a in case.needs if a not in stage.applets]
    if missing:
        return "SKIP", f"SKIP {case.name}: busybox has no {' '.join(missing)}\n"
    host = expect(case, stage)
    argv, env = stage.command_for(case), stage.env()
    limit_s = case.timeout_s * time_scale()
    if show:
        print(f"{case.name}: status {host.status}\n{host.out.decode(errors='replace')}"
              f"--- stderr\n{host.err.decode(errors='replace')}", flush=True)

    command = levitate + ["run", "--root", "/", "--bind",
                          f"{stage.inside}:{stage.inside}"]
    for name, value in env.items():
        command += ["--env", f"{name}={value}"]
    command += extra_args + case.levitate_args + ["--"] + argv
    host_env = dict(os.environ)
    guest = run(command, host_env, "/", case.stdin, limit_s)

    report = differences(case, host, guest)
    for stray in guest.strays:
        report += f"  left behind on the host: {stray}\n"
    if report:
        return "FAIL", f"FAIL {case.name}\n{report}  run again: " \
            f"{shlex.join([sys.argv[0], '--levitate', shlex.join(levitate)])} " \
            f"--levitate-args {shlex.quote(shlex.join(extra_args))} {case.path}\n"
    return "PASS", f"PASS {case.name} (host {host.seconds * 1000:.0f} ms, " \
                   f"levitate {guest.seconds * 1000:.0f} ms)\n"


def run_share(cases, busybox, levitate, extra_args, show):
    """Run a share of the cases in this process; yields (verdict, text)."""
    become_test_runner()
    stage = Stage(busybox)
    try:
        return [compare(case, stage, levitate, extra_args, show)
                for case in cases]
    finally:
        stage.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--levitate", required=True,
                        help="the program, with a wrapper before it if wanted")
    parser.add_argument("--busybox", default=shutil.which("busybox"))
    parser.add_argument("--levitate-args", default="", help="options for `run`")
    parser.add_argument("--show", action="store_true",
                        help="print what the host's run printed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results", help="a file for the verdicts, as tools/parity reads them")
    parser.add_argument("cases", nargs="+", metavar="CASE")
    args = parser.parse_args()

    if not args.busybox or not os.access(args.busybox, os.X_OK):
        print("skipped: no busybox on this machine (Debian: busybox-static)")
        return SKIP
    cases = [Case(path) for path in args.cases]
    levitate = split_command(args.levitate)
    extra = shlex.split(args.levitate_args)

    if args.jobs == 1 and len(cases) == 1:
        results = run_share(cases, args.busybox, levitate, extra, args.show)
    else:
        results = []
        with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
            shares = [cases[i::args.jobs * 4] for i in range(args.jobs * 4)]
            for part in pool.map(run_share, shares, [args.busybox] * len(shares),
                                 [levitate] * len(shares), [extra] * len(shares),
                                 [args.show] * len(shares)):
                results += part
    for _, text in results:
        sys.stdout.write(text)
    if args.results:
        with open(args.results, "w") as f:
            json.dump({name: verdict if verdict != "SKIP" else "no: this busybox lacks an applet"
                       for (verdict, text) in results for name in [text.split()[1].rstrip(":")]}, f)
    count = {v: sum(1 for r in results if r[0] == v)
             for v in ("PASS", "FAIL", "SKIP")}
    if len(results) > 1:
        print(f"{count['PASS']} agree, {count['FAIL']} differ, "
              f"{count['SKIP']} skipped")
    if count["FAIL"]:
        return 1
    return SKIP if count["PASS"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
