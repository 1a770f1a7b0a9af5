#!/usr/bin/env python3
"""The command line is a contract: exit statuses, messages, options.

    cli.py --levitate build/host/levitate [NAME...]     run them (default all)
    cli.py --list                                       print their names

Exit status: 0 passed, 1 failed, 77 skipped (the option is not there yet).
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

import runcase

TESTS = {}
BUSYBOX = shutil.which("busybox")


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def test(function):
    """Register a test; its name is the function's, its purpose the first line."""
    TESTS[function.__name__] = function
    return function


def check(truth, message):
    if not truth:
        raise Failure(message)


def equal(what, got, wanted):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


class World:
    """What a test runs in: the program, and a directory of its own."""

    def __init__(self, levitate, extra):
        self.levitate, self.extra = levitate, extra
        self.dir = tempfile.mkdtemp(prefix="lvt.", dir="/tmp")
        os.chmod(self.dir, 0o755)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, data, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)
        return path

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def raw(self, *args, stdin=b"", timeout=60, env=None):
        """Run levitate with exactly these arguments."""
        return runcase.run(self.levitate + list(args), env or dict(os.environ), "/", stdin,
                           timeout * runcase.time_scale())

    def run(self, *args, **more):
        """levitate run ARGS, with the directory visible at its own path."""
        outcome = self.raw("run", *self.extra, "--bind", f"{self.dir}:{self.dir}", *args, **more)
        check(not outcome.strays, f"left behind: {outcome.strays}")
        return outcome

    def sh(self, script, *options, **more):
        """Run a shell script in the guest; options come before the program."""
        return self.run(*options, "--", BUSYBOX, "sh", "-c", script, **more)

    def must_be_isolated(self):
        """For tests that would write to the host if the guest were no guest."""
        check(runcase.is_isolated(self.levitate),
              "not tried: the guest sees the host's /tmp, so this would write to the host")

    def root(self):
        """A small root directory of our own, with a busybox."""
        self.must_be_isolated()
        os.makedirs(self.path("root", "bin"), exist_ok=True)
        os.makedirs(self.path("root", "etc"), exist_ok=True)
        for name in ("tmp", "run", "dev", "proc"):
            os.makedirs(self.path("root", name), exist_ok=True)
        shutil.copy(BUSYBOX, self.path("root", "bin", "busybox"))
        for name in ("sh", "cat", "ls", "touch", "echo", "mkdir"):
            if not os.path.lexists(self.path("root", "bin", name)):
                os.symlink("busybox", self.path("root", "bin", name))
        self.write("root/etc/lv-own", "from the root\n")
        return self.path("root")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def message(outcome, *contains):
    """Standard error is one line of ours that contains these texts."""
    err = outcome.err.decode(errors="replace")
    check(err.startswith("levitate: ") and err.endswith("\n") and err.count("\n") == 1,
          f"standard error is not one line of levitate's: {err!r}")
    for text in contains:
        check(text in err, f"message {err!r} does not name {text!r}")


# Before a script that writes to what should be a root of our own.
OWN_ROOT = "[ -e /etc/lv-own ] || exit 99; "


def refused(outcome, status, *contains):
    equal("status", outcome.status, status)
    message(outcome, *contains)
    equal("standard output", outcome.out, b"")


def shows(outcome, out, status=0):
    check(outcome.status == status, f"status: got {outcome.status}, wanted {status}; "
          f"standard error {outcome.err.decode(errors='replace')!r}")
    equal("standard output", outcome.out.decode(errors="replace"), out)


def needs(outcome, option):
    """Skip when an option is not there yet; it must say so itself."""
    err = outcome.err.decode(errors="replace")
    if outcome.status == 125 and err.startswith("levitate: ") and option in err:
        raise Skip(f"{option}: {err.strip()}")


# --- exit statuses ---

@test
def exit_status(w):
    """The program's status is levitate's."""
    for status in (0, 1, 2, 42, 124, 255):
        shows(w.sh(f"echo out; exit {status}"), "out\n", status)
    equal("true", w.run("--", BUSYBOX, "true").status, 0)
    equal("false", w.run("--", BUSYBOX, "false").status, 1)


@test
def exit_on_signal(w):
    """128 + n for a program that a signal ended."""
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT,
                   signal.SIGHUP, signal.SIGUSR1):
        outcome = w.sh(f"kill -{int(number)} $$; exit 3")
        equal(number.name, outcome.status, 128 + int(number))
    outcome = w.sh(f"{BUSYBOX} sleep 100 & kill -TERM $!; wait $!; exit $?")
    equal("status of a child's death", outcome.status, 143)


@test
def exit_on_timeout(w):
    """124 when --timeout ends it, whether it sleeps, computes or forks."""
    for script in ("exec sleep 100", "while :; do :; done", "while :; do (:); done",
                   "trap '' TERM INT HUP; sleep 100; sleep 100"):
        start = time.monotonic()
        outcome = w.sh(f"PATH={os.path.dirname(BUSYBOX)}:$PATH; {script}", "--timeout", "1")
        equal(script, outcome.status, 124)
        took = time.monotonic() - start
        check(took < 10 * runcase.time_scale(), f"{script}: --timeout 1 took {took:.1f} s")
        check(took > 0.9, f"{script}: --timeout 1 took {took:.1f} s only")
    shows(w.sh("echo in time", "--timeout", "50"), "in time\n")


@test
def program_not_found(w):
    """127."""
    refused(w.run("--", "lv-no-such-program"), 127, "lv-no-such-program")
    refused(w.run("--", "/no/such/program", "arg"), 127, "/no/such/program")
    refused(w.run("--", "./relative-missing"), 127, "relative-missing")
    path = w.write("script", "#!/no/such/interpreter\n", 0o755)
    outcome = w.run("--", path)
    check(outcome.status in (126, 127), f"missing interpreter: status {outcome.status}")
    message(outcome, "script")


@test
def program_is_a_directory(w):
    """126."""
    refused(w.run("--", "/usr"), 126, "/usr")


@test
def program_not_executable(w):
    """126."""
    refused(w.run("--", w.write("plain", "x\n", 0o644)), 126, "plain")
    refused(w.run("--", w.write("garbage", b"\0\1\2\3garbage", 0o755)), 126, "garbage")
    refused(w.run("--", w.write("empty", b"", 0o755)), 126, "empty")


def elf(**change):
    """A small program that exits with 7, with some of its header changed."""
    arch = os.uname().machine
    if arch == "x86_64":
        machine, code = 62, bytes.fromhex("bf07000000b83c0000000f05")
    else:
        machine, code = 183, bytes.fromhex("e00080d2a80b80d2010000d4")
    f = {"machine": machine, "entry": 0x400200, "phoff": 64, "phnum": 1, "type": 2, "class": 2,
         "segments": [(0x400000, 0, 0x1000, 0x1000)]}
    f.update(change)
    segments = f["segments"]
    if "phnum" not in change:
        f["phnum"] = len(segments)
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", f["class"], 1, 1, 0, f["type"],
                         f["machine"], 1, f["entry"], f["phoff"], 0, 0, 64, 56, f["phnum"], 0, 0, 0)
    for vaddr, offset, filesz, memsz in segments:
        header += struct.pack("<IIQQQQQQ", 1, 5, offset, vaddr, vaddr, filesz, memsz, 0x1000)
    return (header.ljust(0x200, b"\0") + code).ljust(0x1000, b"\0")


@test
def good_small_elf(w):
    """The file that the tests below spoil does run."""
    equal("status", w.run("--", w.write("good", elf(), 0o755)).status, 7)


@test
def elf_truncated(w):
    """126: cut in the identification, header, program headers, segment."""
    for length in (4, 20, 63, 80):
        refused(w.run("--", w.write(f"cut{length}", elf()[:length], 0o755)), 126, f"cut{length}")
    with open(BUSYBOX, "rb") as f:
        start = f.read(100000)
    refused(w.run("--", w.write("cut-busybox", start, 0o755)), 126, "cut-busybox")


@test
def elf_other_architecture(w):
    """126, for a foreign machine and for a 32-bit file."""
    for machine in (243, 40, 21, 3):
        refused(w.run("--", w.write(f"machine{machine}", elf(machine=machine), 0o755)),
                126, f"machine{machine}")
    refused(w.run("--", w.write("class32", elf(machine=3, **{"class": 1}), 0o755)), 126, "class32")
    with open(BUSYBOX, "rb") as f:
        data = bytearray(f.read())
    data[18:20] = struct.pack("<H", 243)
    refused(w.run("--", w.write("foreign-busybox", bytes(data), 0o755)), 126, "foreign-busybox")


@test
def elf_wild_segments(w):
    """126: overlapping segments, and segments that lie nowhere."""
    cases = {
        "overlap": [(0x400000, 0, 0x1000, 0x1000), (0x400800, 0, 0x800, 0x800)],
        "kernel-half": [(1 << 63, 0, 0x1000, 0x1000)],
        "non-canonical": [(1 << 55, 0, 0x1000, 0x1000)],
        "above-user": [(0x7ffffffff000, 0, 0x1000, 0x2000)],
        "wraps": [(0xfffffffffffff000, 0, 0x1000, 0x2000)],
        "huge": [(0x400000, 0, 0x1000, 1 << 60)],
        "file-beyond-memory": [(0x400000, 0, 0x1000, 0x10)],
        "beyond-the-file": [(0x400000, 1 << 40, 0x1000, 0x1000)],
        "zero-page": [(0, 0, 0x1000, 0x1000)],
    }
    for name, segments in cases.items():
        outcome = w.run("--", w.write(name, elf(segments=segments), 0o755))
        refused(outcome, 126, name)
    for name, change in {"no-headers": {"phnum": 0}, "far-headers": {"phoff": 1 << 40},
                         "object": {"type": 1}}.items():
        refused(w.run("--", w.write(name, elf(**change), 0o755)), 126, name)


# --- what levitate itself refuses: 125 ---

@test
def too_little_memory(w):
    """125 where no kernel fits; no crash on the way up from there."""
    for size in ("0", "1K", "64K"):
        refused(w.run("-m", size, "--", BUSYBOX, "true"), 125)
    for size in ("128K", "256K", "512K", "1M", "2M", "3M", "4M", "6M", "8M"):
        outcome = w.run("-m", size, "--", BUSYBOX, "true")
        check(outcome.status == 0 or outcome.status in (125, 126, 137, 139),
              f"-m {size}: status {outcome.status} {outcome.err!r}")
        if outcome.status in (125, 126):
            message(outcome)
    shows(w.sh("echo fits", "-m", "32M"), "fits\n")


@test
def unreadable_root(w):
    """125."""
    refused(w.raw("run", "--root", w.path("missing"), "--", "/bin/true"), 125, "missing")
    refused(w.raw("run", "--root", w.write("file", "x"), "--", "/bin/true"), 125, "file")
    if os.getuid() != 0:
        os.makedirs(w.path("locked"), mode=0)
        refused(w.raw("run", "--root", w.path("locked"), "--", "/bin/true"), 125, "locked")


@test
def bad_options(w):
    """125 and one line that names what is wrong."""
    cases = [
        (["--no-such-option"], "--no-such-option"), (["-Z"], "Z"),
        (["--fork", "sometimes"], "sometimes"),
        (["--pte", "vax"], "vax"), (["--env", "NOEQUALS"], "NOEQUALS"),
        (["--env", "=x"], "=x"), (["--bind", "nocolon"], "nocolon"),
        (["--bind", f"{w.path('missing')}:/tmp/x"], "missing"),
        (["--bind", f"{w.dir}:/tmp/x:odd"], "odd"),
        (["--bind", f"{w.dir}:relative"], "relative"),
        (["--cwd", "/no/such/place"], "/no/such/place"),
        (["--initrd", w.path("missing.cpio")], "missing.cpio"),
        (["--timeout", "soon"], "soon"), (["--timeout", "-1"], "-1"),
        (["--timeout", ""], "timeout"),
        (["--stats=/no/such/place/x"], "/no/such/place/x"),
        (["--trace=/no/such/place/x"], "/no/such/place/x"),
    ]
    for options, named in cases:
        outcome = w.raw("run", *options, "--", BUSYBOX, "true")
        try:
            refused(outcome, 125)
        except Failure as failure:
            raise Failure(f"{options}: {failure}") from None
        # The value, or the option that wants another.
        option = options[0].split("=")[0]
        check(named.encode() in outcome.err or option.encode() in outcome.err,
              f"{options}: {outcome.err!r} names neither {named} nor {option}")


    for option in ("--memory", "--bind", "-e"):
        refused(w.raw("run", option), 125, option.strip("-"))


@test
def bad_sizes(w):
    """125."""
    for size in ("", "abc", "-5", "12Q", "1.5M", "64MM", "M", "0x10M", "99999999999999999999",
                 "99999999T", " 64M", "64 M", "+1M"):
        outcome = w.raw("run", "--memory", size, "--", BUSYBOX, "true")
        try:
            refused(outcome, 125, size)
        except Failure as failure:
            raise Failure(f"size {size!r}: {failure}") from None


@test
def bad_usage(w):
    """125 without a program, without a command, with an unknown one."""
    for args in ([], ["run"], ["run", "--"], ["run", "-m", "64M"], ["frobnicate"], ["--bad"]):
        outcome = w.raw(*args)
        equal(f"{args}", outcome.status, 125)
        check(outcome.err.startswith(b"levitate: "), f"{args}: {outcome.err!r}")


@test
def help_and_version(w):
    """--help names every option; --version is one line."""
    outcome = w.raw("--help")
    equal("status of --help", outcome.status, 0)
    equal("its standard error", outcome.err, b"")
    for option in ("--memory", "--root", "--rw", "--bind", "--initrd", "--env", "--cwd", "--fork",
                   "--pte", "--trace", "--timeout", "--stats", "--version", "--help"):
        check(option in outcome.out.decode(), f"--help does not name {option}")
    for line in outcome.out.decode().splitlines():
        check(len(line) <= 100, f"--help has a long line: {line!r}")
    outcome = w.raw("--version")
    equal("status of --version", outcome.status, 0)
    check(re.fullmatch(rb"levitate \d+\.\d+[^\n]*\n", outcome.out), f"--version: {outcome.out!r}")


# --- options ---

@test
def option_forms(w):
    """Long and short, joined and apart; the program's own options are its own."""
    for form in (["-m", "64M"], ["-m64M"], ["--memory", "64M"], ["--memory=64M"],
                 ["--memory", "65536K"], ["--memory", "67108864"], ["-m", "1G"]):
        shows(w.run(*form, "--", BUSYBOX, "echo", "ran"), "ran\n")
    shows(w.run(BUSYBOX, "echo", "-n", "--memory", "x"), "--memory x")
    shows(w.run(BUSYBOX, "echo", "--", "-m"), "-- -m\n")
    shows(w.run("--", BUSYBOX, "printf", "[%s]", "", "a b", "*"), "[][a b][*]")
    for fork in ("eager", "cow", "share"):
        for pte in ("x86_64", "aarch64"):
            shows(w.sh("(echo $((6 * 7)))", "-f", fork, "-p", pte), "42\n")


@test
def memory_size(w):
    """The guest has what -m says, no more."""
    for size, kib in (("32M", 32768), ("256M", 262144)):
        outcome = w.sh(f"{BUSYBOX} awk '/^MemTotal/ {{ print $2 }}' /proc/meminfo", "-m", size)
        total = int(outcome.out or b"0")
        check(kib * 0.8 <= total <= kib, f"-m {size}: MemTotal {total} kB")


@test
def out_of_memory(w):
    """A program that wants more than there is fails or is killed; levitate goes on."""
    outcome = w.sh(f"{BUSYBOX} awk 'BEGIN {{ s = \"x\"; while (1) s = s s }}'; echo status $?; "
                   f"{BUSYBOX} echo alive", "-m", "64M")
    equal("status", outcome.status, 0)
    check(outcome.out.endswith(b"alive\n"), f"{outcome.out!r}")
    check(b"status 0" not in outcome.out, f"{outcome.out!r}")


@test
def environment(w):
    """PATH, HOME, TERM and USER by default; nothing of the host's; --env adds."""
    host = dict(os.environ, LV_LEAK="leak", LD_PRELOAD="")
    outcome = w.run("--", BUSYBOX, "env", env=host)
    equal("names", sorted(line.split("=")[0] for line in outcome.out.decode().splitlines()),
          ["HOME", "PATH", "TERM", "USER"])
    outcome = w.run("-e", "A=1", "--env", "B=two words", "--env=C=", "-e", "A=2", "-e", "D=x=y",
                    "-e", "HOME=/elsewhere", "--", BUSYBOX, "env")
    lines = outcome.out.decode().splitlines()
    for line in ("A=2", "B=two words", "C=", "D=x=y", "HOME=/elsewhere"):
        check(lines.count(line) == 1, f"{line} is not there once: {lines}")
    check("A=1" not in lines, f"A is there twice: {lines}")


@test
def program_lookup(w):
    """The program is looked up in PATH inside the guest's root."""
    root = w.root()
    shows(w.run("--root", root, "--", "echo", "found"), "found\n")
    shows(w.run("--root", root, "--", "/bin/echo", "found"), "found\n")
    shows(w.run("--root", root, "--cwd", "/bin", "--", "./echo", "found"), "found\n")
    refused(w.run("--root", root, "--", "lv-missing"), 127, "lv-missing")
    shows(w.run("--root", root, "--", "cat", "/etc/lv-own"), "from the root\n")


@test
def working_directory(w):
    """/ by default."""
    shows(w.sh("pwd"), "/\n")
    shows(w.sh("pwd", "--cwd", "/usr"), "/usr\n")
    shows(w.sh("pwd", "-w", "/tmp"), "/tmp\n")
    shows(w.sh("pwd", "-w", w.dir), w.dir + "\n")


@test
def root_is_read_only(w):
    """Without --rw no write reaches the root."""
    root = w.root()
    outcome = w.run("--root", root, "--", "sh", "-c", OWN_ROOT +
                    "touch /new; mkdir /d; echo x > /etc/lv-own; busybox rm /etc/lv-own; "
                    "busybox mv /etc/lv-own /m; busybox chmod 777 /etc/lv-own; "
                    "busybox ln /etc/lv-own /l; busybox rmdir /etc; cat /etc/lv-own")
    equal("standard output", outcome.out, b"from the root\n")
    check(outcome.err.count(b"Read-only file system") >= 6, f"{outcome.err!r}")
    equal("root", sorted(os.listdir(root)), ["bin", "dev", "etc", "proc", "run", "tmp"])
    equal("file", w.read("root/etc/lv-own"), b"from the root\n")


@test
def root_read_write(w):
    """With --rw every kind of change does."""
    root = w.root()
    outcome = w.run("--root", root, "--rw", "--", "sh", "-c", OWN_ROOT +
                    "echo hi > /new && mkdir -p /d/e && echo more >> /etc/lv-own && "
                    "busybox mv /new /d/moved && busybox ln -s moved /d/link && "
                    "busybox chmod 640 /d/moved && busybox ln /d/moved /d/hard && "
                    "busybox truncate -s 100 /d/e/long && busybox touch -d '2001-02-03 04:05:06' /d/hard && "
                    "echo gone > /gone && busybox rm /gone && busybox rmdir /d/e 2>/dev/null; "
                    "busybox cat /d/link")
    shows(outcome, "hi\n")
    equal("moved", w.read("root/d/moved"), b"hi\n")
    equal("appended", w.read("root/etc/lv-own"), b"from the root\nmore\n")
    equal("link", os.readlink(w.path("root/d/link")), "moved")
    info = os.stat(w.path("root/d/moved"))
    equal("mode and links", (info.st_mode & 0o7777, info.st_nlink), (0o640, 2))
    equal("time", int(info.st_mtime), 981173106)
    equal("size", os.stat(w.path("root/d/e/long")).st_size, 100)
    check(not os.path.exists(w.path("root/gone")), "a removed file is there")


@test
def own_directories(w):
    """/tmp, /run, /dev, /dev/shm and /proc are the guest's own."""
    w.must_be_isolated()
    marker = f"lv-marker-{os.getpid()}"
    w.write(marker, "host")
    host_tmp = os.path.join("/tmp", marker)
    with open(host_tmp, "w") as f:
        f.write("host")
    try:
        outcome = w.raw("run", "--", BUSYBOX, "sh", "-c",
                        f"cat {host_tmp}; for d in /tmp /run /dev/shm; do "
                        f"ls -A $d; echo guest > $d/{marker}; cat $d/{marker}; done; "
                        f"echo guest > {host_tmp}")
        equal("standard output", outcome.out, b"guest\n" * 3)
        with open(host_tmp) as f:
            equal("the host's file", f.read(), "host")
        for place in ("/run", "/dev/shm"):
            check(not os.path.exists(os.path.join(place, marker)), f"{place} of the host was written")
    finally:
        os.unlink(host_tmp)
    outcome = w.sh(f"cd /proc; set -- [0-9]*; echo $#; [ -d /proc/{os.getppid()} ] && [ $# -gt 30 ]")
    check(int(outcome.out) < 20, f"/proc shows {outcome.out!r} processes")


@test
def bind(w):
    """Directories of the host, read-only or :rw, where there is a directory or not."""
    w.must_be_isolated()
    w.write("a/file", "in a\n")
    w.write("b/file", "in b\n")
    a, b = w.path("a"), w.path("b")
    script = "cat /tmp/x/file /tmp/deep/y/file; echo w > /tmp/x/new; echo w > /tmp/deep/y/new; " \
             "ls /tmp/deep/y"
    outcome = w.sh(f"PATH={os.path.dirname(BUSYBOX)}:$PATH; {script}",
                   "-b", f"{a}:/tmp/x", "--bind", f"{b}:/tmp/deep/y:rw")
    equal("standard output", outcome.out, b"in a\nin b\nfile\nnew\n")
    check(b"Read-only file system" in outcome.err, f"{outcome.err!r}")
    check(not os.path.exists(w.path("a/new")), "a read-only bind was written")
    equal("written", w.read("b/new"), b"w\n")
    outcome = w.sh("cat /usr/share/file; cd /usr/share/..; pwd; cat share/file",
                   "-b", f"{a}:/usr/share")
    equal("over a directory", outcome.out, b"in a\n/usr\nin a\n")
    outcome = w.sh("cd /tmp/x; cat ../../../../etc/lv-marker; ls ..; "
                   "ln -s /etc/passwd l; echo x > ../x/l", "-b", f"{b}:/tmp/x:rw")
    check(b"x" in outcome.out, f"{outcome.out!r}")
    os.symlink("../../../../../../etc", w.path("b", "up"))
    outcome = w.sh("echo x > /tmp/x/up/lv-escape", "-b", f"{b}:/tmp/x:rw")
    check(outcome.status != 0 and not os.path.exists("/etc/lv-escape"), "a link led out of a bind")


@test
def initrd(w):
    """A cpio archive as the root."""
    root = w.root()
    os.symlink("lv-own", w.path("root/etc/link"))
    names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
    archive = subprocess.run([BUSYBOX, "cpio", "-o", "-H", "newc"], cwd=root, input=names,
                             capture_output=True, check=True).stdout
    path = w.write("root.cpio", archive)
    outcome = w.raw("run", *w.extra, "--initrd", path, "--", "sh", "-c",
                    "cat /etc/link; echo new > /new; cat /new; ls /; busybox stat -c %a /etc/lv-own; "
                    "echo x > /tmp/t; cat /tmp/t; busybox ps | busybox grep -c busybox")
    check(outcome.status == 0, f"status {outcome.status}: {outcome.err!r}")
    text = outcome.out.decode()
    check(text.startswith("from the root\nnew\nbin\ndev\netc\nnew\nproc\nrun\n"), f"{text!r}")
    equal("the archive", w.read("root.cpio"), archive)
    refused(w.raw("run", "--initrd", w.write("bad.cpio", b"not an archive" * 100), "--", "sh"),
            125, "bad.cpio")
    refused(w.raw("run", "--initrd", w.write("cut.cpio", archive[:5000]), "--", "sh"), 125, "cut.cpio")


@test
def stats(w):
    """Counters: text on standard error, JSON in a file; the program's status is kept."""
    outcome = w.sh("(echo x); exit 3", f"--stats={w.path('stats.json')}")
    needs(outcome, "--stats")
    shows(outcome, "x\n", 3)
    equal("standard error", outcome.err, b"")
    data = json.loads(w.read("stats.json"))

    def numbers(value):
        if isinstance(value, dict):
            return sum(numbers(v) for v in value.values())
        if isinstance(value, list):
            return sum(numbers(v) for v in value)
        check(isinstance(value, (int, float, str)), f"odd value {value!r}")
        return isinstance(value, (int, float))

    check(isinstance(data, dict) and numbers(data) >= 5, f"few counters: {data}")
    outcome = w.sh("echo x", "--stats")
    shows(outcome, "x\n")
    check(outcome.err.count(b"\n") >= 5, f"--stats says little: {outcome.err!r}")


TRACE_LINE = re.compile(
    r"(?:\[?(?:pid\s*)?\d+\]?:?\s+)?"
    r"(?:\w+\(.*(?:\)\s+= (?:-?\d+|0x[0-9a-f]+|\?)(?: E[A-Z0-9]+ \(.*\))?.*|<unfinished \.\.\.>)"
    r"|<\.\.\. \w+ resumed>.*"
    r"|--- SIG\w+ .*---|\+\+\+ (?:exited with \d+|killed by SIG\w+).*\+\+\+)")


@test
def trace(w):
    """One line a system call, as strace prints it."""
    outcome = w.sh(f"{BUSYBOX} echo traced; cat /nonexistent; (exit 3)", f"--trace={w.path('log')}")
    needs(outcome, "--trace")
    equal("standard output", outcome.out, b"traced\n")
    lines = w.read("log").decode().splitlines()
    for line in lines:
        check(TRACE_LINE.fullmatch(line), f"odd line: {line!r}")
    text = "\n".join(lines)
    for wanted in (r'write\(1, "traced\\n", 7\)\s+= 7', r"exit_group\(0\)\s+= \?",
                   r'"/nonexistent".*= -1 ENOENT \(No such file or directory\)', r"(execve|brk|mmap)\(",
                   r"exit_group\(3\)", r"(clone3?|v?fork)\(.*= \d+"):
        check(re.search(wanted, text), f"no line like {wanted}")
    outcome = w.run("-t", "--", BUSYBOX, "true")
    check(outcome.err.decode().count("exit_group(0)") == 1, f"{outcome.err!r}")
    # The log and the program's own standard error stay apart.
    outcome = w.sh("echo own >&2", f"--trace={w.path('log2')}")
    equal("standard error", outcome.err, b"own\n")


@test
def trace_filter(w):
    """--trace=FILE:FILTER keeps to what was asked for."""
    def traced(spec):
        outcome = w.sh(f"(:); {BUSYBOX} cat /etc/hostname > /dev/null", f"--trace={w.path('log')}:{spec}")
        equal("status", outcome.status, 0)
        return w.read("log").decode().splitlines()

    lines = traced("fork,wait4")
    names = {re.match(r"\[\d+\] (\w+)\(", line).group(1) for line in lines if "(" in line and "---" not in line}
    check(names <= {"fork", "vfork", "clone", "clone3", "wait4"} and len(names) == 2, f"calls {names}")
    lines = traced("fault")
    check(lines and all(re.fullmatch(r"\[\d+\] ~~~ fault (read|write|exec) at 0x[0-9a-f]+", line) for line in lines),
          f"odd lines {lines[:3]}")
    lines = traced("switch")
    check(lines and all(re.fullmatch(r"\[\d+\] ~~~ switch to \d+ \(.*\)", line) for line in lines), f"odd {lines[:3]}")
    lines = traced("%file,%time")
    check(any(re.fullmatch(r'\[\d+\] \d+\.\d{6} openat\(.*"/etc/hostname".* = \d+ <\d+\.\d{6}>', line) for line in lines),
          f"no openat with times in {lines[:5]}")
    check(not any(" brk(" in line or " write(" in line for line in lines), "a call that is not of %file")
    for bad in ("nosuchcall", "open,,x", "%nosuch"):
        outcome = w.run(f"--trace={w.path('log')}:{bad}", "--", BUSYBOX, "true")
        equal("status", outcome.status, 125)
        check(b"not a system call" in outcome.err, f"{outcome.err!r}")
    outcome = w.run("--trace=:exit_group", "--", BUSYBOX, "true")
    check(b"exit_group(0)" in outcome.err and b"brk" not in outcome.err, f"{outcome.err!r}")


@test
def timeline(w):
    """A Chrome trace: JSON with events."""
    outcome = w.sh("(:) & wait; echo x", "--timeline", w.path("timeline.json"))
    needs(outcome, "--timeline")
    shows(outcome, "x\n")
    data = json.loads(w.read("timeline.json"))
    events = data["traceEvents"] if isinstance(data, dict) else data
    check(len(events) > 10, f"only {len(events)} events")
    for event in events:
        check("ph" in event and "pid" in event, f"odd event {event}")
    kinds = {event["ph"] for event in events}
    check(kinds >= {"M", "B", "E", "X", "s", "f"}, f"only events of {kinds}")
    # Calls begin and end in order on each track; the arrows of forks have both ends.
    depth = {}
    for event in events:
        if event["ph"] in "BE":
            key = event["pid"], event["tid"]
            depth[key] = depth.get(key, 0) + (1 if event["ph"] == "B" else -1)
            check(depth[key] in (0, 1), f"calls overlap at {event}")
    arrows = [sorted(e["id"] for e in events if e["ph"] == ph) for ph in "sf"]
    check(arrows[0] == arrows[1] and len(arrows[0]) == 1, f"arrows {arrows}")
    times = [event["ts"] for event in events if event["ph"] in "BEi"]
    check(times == sorted(times), "time goes back")


@test
def audit(w):
    """--audit changes nothing that a program sees."""
    outcome = w.sh(f"for i in 1 2 3; do (echo $i | {BUSYBOX} cat); done; {BUSYBOX} true", "--audit",
                   timeout=120)
    needs(outcome, "--audit")
    shows(outcome, "1\n2\n3\n")


@test
def fail_alloc(w):
    """A failing allocation is an error for the program, never a panic."""
    outcome = w.run("--fail-alloc", "1", "--", BUSYBOX, "true")
    needs(outcome, "--fail-alloc")
    for suffix in ("", "+"):
        for n in list(range(1, 60, 4)) + list(range(60, 1200, 97)):
            outcome = w.sh(f"(echo x) | {BUSYBOX} cat", "--fail-alloc", f"{n}{suffix}", timeout=30)
            check(isinstance(outcome.status, int) and outcome.status >= 0 and outcome.status != 70,
                  f"--fail-alloc {n}{suffix}: status {outcome.status} {outcome.err[-500:]!r}")


@test
def seed(w):
    """The same seed is the same run; another is another."""
    script = (f"{BUSYBOX} head -c 16 /dev/urandom | {BUSYBOX} od -An -tx1; {BUSYBOX} date +%s; "
              "for i in 1 2 3 4; do (echo $i) & done; wait; echo $$; "
              f"{BUSYBOX} sleep 0.3; {BUSYBOX} cat /proc/uptime")
    first = w.sh(script, "--seed", "7")
    needs(first, "--seed")
    equal("status", first.status, 0)
    for _ in range(3):
        equal("same seed", w.sh(script, "--seed", "7").out, first.out)
    check(w.sh(script, "--seed", "8").out != first.out, "another seed gives the same run")
    start = time.monotonic()
    equal("status", w.sh(f"{BUSYBOX} sleep 3", "--seed", "1").status, 0)
    check(time.monotonic() - start < 2.5, "virtual time does not skip a sleep")


# --- standard input and output, signals, many at once ---

@test
def standard_streams(w):
    """Any bytes, any amount, and closed or full ends."""
    data = bytes(range(256)) * 8192
    outcome = w.run("--", BUSYBOX, "cat", stdin=data)
    equal("status", outcome.status, 0)
    check(outcome.out == data, f"{len(data)} bytes in, {len(outcome.out)} out, or not the same")
    shows(w.sh("read a; echo \"[$a]\"; cat; echo err >&2", stdin=b"one\ntwo\n"), "[one]\ntwo\n")
    command = w.levitate + ["run", "--", BUSYBOX, "yes"]
    pipeline = subprocess.run(["sh", "-c", shlex.join(command) + " | head -n 2"], timeout=60,
                              capture_output=True, stdin=subprocess.DEVNULL)
    equal("yes | head", pipeline.stdout, b"y\ny\n")
    quiet = w.levitate + ["run", "--", BUSYBOX, "echo", "x"]
    equal("closed standard input", subprocess.run(
        ["sh", "-c", shlex.join(quiet) + " <&-"], capture_output=True, timeout=60).stdout, b"x\n")
    closed = subprocess.run(["sh", "-c", shlex.join(quiet) + " >&-"], capture_output=True, timeout=60)
    check(closed.returncode >= 0 and closed.returncode < 128, f"closed output: {closed.returncode}")
    full = subprocess.run(["sh", "-c", shlex.join(quiet) + " > /dev/full"], capture_output=True,
                          timeout=60, env=dict(os.environ))
    check(full.returncode != 0, "a full output goes unseen")
    outcome = w.run("--", BUSYBOX, "seq", "200000")
    check(outcome.out == "".join(f"{i}\n" for i in range(1, 200001)).encode(), "seq is not whole")


@test
def host_descriptors(w):
    """The guest gets descriptors 0, 1 and 2 and no other."""
    secret = w.write("secret", "secret\n")
    fd = os.open(secret, os.O_RDWR)
    os.dup2(fd, 9, inheritable=True)
    command = w.levitate + ["run", "--", BUSYBOX, "sh", "-c",
                            f"cat <&9; echo x >&9; {BUSYBOX} ls /proc/$$/fd"]
    done = subprocess.run(command, capture_output=True, timeout=60, pass_fds=[9],
                          stdin=subprocess.DEVNULL)
    os.close(fd)
    os.close(9)
    check(b"secret" not in done.stdout, f"{done.stdout!r}")
    check(b"9" not in done.stdout.split(), f"{done.stdout!r}")
    equal("the file", w.read("secret"), b"secret\n")


def start(w, *args):
    return subprocess.Popen(w.levitate + ["run", *w.extra, *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True, preexec_fn=runcase.default_signals)


@test
def killed_from_outside(w):
    """However levitate ends, no process of the guest stays."""
    script = f"for i in 1 2 3; do {BUSYBOX} sleep 100 & done; (while :; do :; done) & echo up; wait"
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV):
        child = start(w, "--", BUSYBOX, "sh", "-c", script)
        child.stdout.readline()
        child.send_signal(number)
        try:
            child.wait(20 * runcase.time_scale())
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Failure(f"{number.name}: levitate does not end") from None
        finally:
            child.stdout.close()
            child.stderr.close()
        strays = runcase.reap_strays(3 * runcase.time_scale())
        check(not strays, f"{number.name}: left behind {strays}")


@test
def interrupt(w):
    """SIGINT goes to the guest: a program that catches it goes on."""
    child = start(w, "--", BUSYBOX, "sh", "-c",
                  f"trap 'echo caught; exit 9' INT; echo up; while :; do {BUSYBOX} usleep 10000; done")
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    try:
        out, _ = child.communicate(timeout=20 * runcase.time_scale())
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise Failure("the guest did not see SIGINT") from None
    equal("standard output and status", (out, child.returncode), (b"caught\n", 9))
    check(not runcase.reap_strays(2), "something was left behind")


@test
def several_at_once(w):
    """Kernels do not disturb each other."""
    children = [start(w, "--", BUSYBOX, "sh", "-c",
                      f"i=0; while [ $i -lt 20 ]; do (echo {n} > /tmp/f); i=$((i + 1)); done; cat /tmp/f")
                for n in range(8)]
    for n, child in enumerate(children):
        out, err = child.communicate(timeout=60 * runcase.time_scale())
        equal(f"kernel {n}", (out, err, child.returncode), (f"{n}\n".encode(), b"", 0))
    check(not runcase.reap_strays(2), "something was left behind")


@test
def leaves_no_files(w):
    """Nothing new in the host's /tmp, /dev/shm and current directory."""
    w.must_be_isolated()
    here = w.path("here")
    os.makedirs(here)

    def listing():
        # Other tests run meanwhile, in directories named lvt.*
        return {d: sorted(n for n in os.listdir(d) if "levitate" in n.lower() or d == here)
                for d in ("/tmp", "/dev/shm", here)}

    before = listing()
    for _ in range(5):
        subprocess.run(w.levitate + ["run", "--", BUSYBOX, "sh", "-c", "echo x > /tmp/levitate-x; (:)"],
                       cwd=here, check=True, stdin=subprocess.DEVNULL, timeout=60)
    equal("files", listing(), before)


def main(tests=None, doc=__doc__):
    """Run tests (default: those of this file) by name, each in a world of its own."""
    tests = TESTS if tests is None else tests
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--levitate")
    parser.add_argument("--levitate-args", default="", help="options for `run`")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.list:
        print("\n".join(tests))
        return 0
    if BUSYBOX is None:
        print("skipped: no busybox on this machine (Debian: busybox-static)")
        return 77
    runcase.become_test_runner()
    failed = skipped = 0
    names = args.names or list(tests)
    for name in names:
        world = World(runcase.split_command(args.levitate), shlex.split(args.levitate_args))
        try:
            tests[name](world)
            print(f"PASS {name}")
        except Skip as skip:
            skipped += 1
            print(f"SKIP {name}: {skip}")
        except Failure as failure:
            failed += 1
            print(f"FAIL {name}: {tests[name].__doc__.strip()}\n  {failure}")
        except (OSError, ValueError, subprocess.SubprocessError, KeyError) as error:
            failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {error}")
        finally:
            world.close()
            runcase.reap_strays(0)
    if failed:
        return 1
    return 77 if skipped == len(names) else 0


if __name__ == "__main__":
    sys.exit(main())
