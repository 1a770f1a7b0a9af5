#!/usr/bin/env python3
"""What a bare-metal machine does from the outside: boot, terminal, statuses, machines, memory, panics.

    boots.py --arch ARCH [--results FILE] [NAME...]     run them (default all)
    boots.py --arch ARCH --list                         print their names

Exit status: 0 passed, 1 failed, 77 skipped (no QEMU, no image).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

import machine
import qemu
import root
import terminal
from machine import Failure

TESTS = {}
BOOT = os.path.join(root.REPO, "tools", "boot")
MACHINES = {
    "x86_64": [["-cpu", "max"], ["-cpu", "qemu64"], ["-M", "q35"], ["-smp", "4"], ["-cpu", "qemu64", "-M", "q35"]],
    "aarch64": [["-cpu", "cortex-a53"], ["-cpu", "cortex-a72"], ["-cpu", "max"], ["-M", "virt,gic-version=2"],
                ["-M", "virt,gic-version=3"], ["-M", "virt,gic-version=3", "-cpu", "max"], ["-smp", "4"]],
}
MEMORY = ["32M", "33M", "64M", "1G", "3G", "5G", "64G"]


def test(*archs):
    """Register a test for these machines (default both); its name is the function's."""
    def register(function):
        TESTS[function.__name__] = (function, archs or tuple(root.ARCHITECTURES))
        return function
    return register


def check(truth, message):
    if not truth:
        raise Failure(message)


class World:
    """The machine under test, and a root that all tests share."""

    def __init__(self, arch, work):
        self.arch, self.work = arch, work
        self.initrd = self.path("root.cpio")
        root.make_root(arch, self.initrd)

    def small_root(self, init=""):
        """A root with a busybox, a script as /init, and no more."""
        path, archive = self.path("small.cpio"), root.Archive()
        archive.copy(root.busybox(self.arch), "bin/busybox")
        for name in ("sh", "awk", "cat"):
            archive.link(f"bin/{name}", "busybox")
        archive.file("init", f"#!/bin/sh\n{init}\n", 0o755)
        archive.write(path)
        return path

    def path(self, name):
        return os.path.join(self.work, name)

    def append(self, init=None, args=(), options=(), append=""):
        return qemu.cmdline(self.arch, options, init, args, append)

    def command(self, append, initrd="", name="levitate", memory="128M", more=()):
        return qemu.command(self.arch, qemu.image(self.arch, name), append, initrd or self.initrd, memory,
                            more=more)

    def sh(self, script, initrd="", memory="128M", more=(), append="", timeout=60):
        """Run a shell script as the first program; what the console showed, closing line included."""
        line = self.append("/bin/sh", ["-c", script], ["quiet", "panic=poweroff"], append)
        with machine.Console(self.command(line, initrd, memory=memory, more=more)) as console:
            return console.end(timeout).decode(errors="replace").replace("\r\n", "\n")

    def boot(self, *args, stdin=b"", timeout=60):
        """tools/boot with these arguments."""
        return subprocess.run([BOOT, self.arch, "--tcg", *args], input=stdin, capture_output=True,
                              timeout=timeout * machine.runcase.time_scale())

    def terminal(self, *args):
        return terminal.Terminal([BOOT, self.arch, "--tcg", *args], [], verb="")


def shows(output, text):
    check(output == text, f"the console shows {output!r}, wanted {text!r}")


# --- the command line and the terminal ---

@test()
def linux_command_line(w):
    """The command line that boots Linux with this initrd: busybox init, a shell, poweroff."""
    image = qemu.image(w.arch)
    command = [qemu.program(w.arch), *(["-M", "virt", "-cpu", "cortex-a72"] if w.arch == "aarch64" else []),
               "-display", "none", "-no-reboot", "-kernel", image, "-initrd", w.initrd,
               "-append", f"console={qemu.CONSOLE[w.arch]} root=/dev/ram0 ro nokaslr odd.thing=1 init=/init"]
    with machine.Console(command) as console:
        console.wait_for(r"levitate: version .* command line: console=")
        console.wait_for(r"[#$] ")
        console.send("echo $((6 * 7)) $(uname -s) $$\r")
        console.wait_for(r"^42 Linux [0-9]+\r$")
        console.send("poweroff\r")
        output = console.end()
    check(b"levitate: power off\r\n" in output, "no closing line")


@test()
def shell(w):
    """tools/boot on a terminal: typing, Ctrl-C, job control, poweroff, the terminal as it was."""
    with w.terminal() as t:
        t.prompt()
        t.ask("echo $((6 * 7))", "42")
        t.ask("echo bd\x1b[Dea", "bead")
        t.ask("tty", "/dev/(console|ttyS0|ttyAMA0)")
        t.send("sleep 100\r")
        time.sleep(0.5)
        t.send("\x03")
        t.prompt()
        t.ask("echo status $?", "status 130")
        t.send("while :; do :; done\r")
        time.sleep(0.5)
        t.send("\x03")
        t.prompt()
        t.send("cat | wc -c\r")
        time.sleep(0.3)
        t.send("12345\r\x04")
        t.wait_for(r"6\r$")
        t.prompt()
        t.send("sleep 101\r")
        time.sleep(0.5)
        t.send("\x1a")
        t.wait_for(r"Stopped")
        t.prompt()
        t.send("kill %1; poweroff\r")
        t.wait_for(r"levitate: power off")
        check(t.end() == 0, f"status {t.status}")
        t.check_restored()
    with w.terminal() as t:
        t.prompt()
        t.send("exit 7\r")
        check(t.end() == 7, f"status {t.status}")
        t.check_restored()


@test()
def paste(w):
    """A long paste arrives whole."""
    lines = [f"line {i} of what is pasted" for i in range(300)]
    with w.terminal("--", "/bin/sh", "-c", "stty -echo; echo ready; cat > /tmp/p; wc /tmp/p") as t:
        t.wait_for("ready")
        for line in lines:
            t.send(line + "\r")
            t.pump(0)
        t.send("\x04")
        t.wait_for(rf"\s{len(lines)}\s+{len(lines) * 6}\s+{sum(len(x) + 1 for x in lines)}\s")
        check(t.end() == 0, f"status {t.status}")


@test()
def boot_statuses(w):
    """tools/boot gives the program's output and status, and nothing of its own."""
    for program, status, out in (
            (["/bin/sh", "-c", "echo out; exit 3"], 3, b"out\n"), (["echo", "-n", "no newline"], 0, b"no newline"),
            (["/bin/sh", "-c", "printf '[%s]' \"$@\"", "sh", "", "a b", "*", "x=y"], 0, b"[][a b][*][x=y]"),
            (["/bin/sh", "-c", "printf 'a\\r\\nlevitate: init exited\\n'"], 0, b"a\r\nlevitate: init exited\n"),
            (["echo", "-n", *map(str, range(100))], 0, " ".join(map(str, range(100))).encode()),
            (["/no/such"], 127, b""), (["/etc/passwd"], 126, b"")):
        done = w.boot("--initrd", w.initrd, "--", *program)
        check((done.returncode, done.stdout) == (status, out), f"{program}: {done}")
        check(status < 126 or done.stderr.startswith(b"levitate: cannot start init: " + program[0].encode()),
              f"{program}: {done.stderr}")
    done = w.boot("--initrd", w.initrd, "--append", "NAME=value panic=1", "--", "/bin/sh", "-c", "echo $NAME; cat",
                  stdin=b"typed\n")
    check(done.returncode == 0 and b"value\n" in done.stdout and done.stdout.endswith(b"typed\n"), f"{done}")


@test()
def boot_errors(w):
    """tools/boot and tools/mkroot say in one line what is missing."""
    for args, text in ((["--initrd", "/no/such.cpio"], b"/no/such.cpio"), (["--kernel", "/no/kernel"], b"QEMU"),
                       (["--root", "/no/such"], b"/no/such"), (["-m", "rubbish"], b"QEMU"),
                       (["--append", "x" * 3000], b"command line")):
        done = w.boot(*args)
        check(done.returncode == 125 and b"boot: " in done.stderr and text in done.stderr, f"{args}: {done}")


@test()
def own_root(w):
    """tools/mkroot packs the user's files, tools/boot --root a directory."""
    tree = w.path("tree")
    os.makedirs(os.path.join(tree, "bin"))
    with open(os.path.join(tree, "hello"), "w") as f:
        f.write("from the tree\n")
    os.symlink("hello", os.path.join(tree, "link"))
    output = w.path("own.cpio")
    subprocess.run([os.path.join(root.REPO, "tools", "mkroot"), w.arch, "-o", output, "--add", f"{tree}/hello:/x/added",
                    tree], check=True, capture_output=True)
    done = w.boot("--initrd", output, "--", "/bin/sh", "-c", "cat /link /x/added; ls -l /bin/ls | grep -c busybox")
    check(done.stdout == b"from the tree\nfrom the tree\n1\n", f"{done}")
    os.makedirs(os.path.join(tree, "test"))
    with open(root.busybox(w.arch), "rb") as f:
        data = f.read()
    with open(os.path.join(tree, "bin", "cat"), "wb") as f:
        f.write(data)
    os.chmod(os.path.join(tree, "bin", "cat"), 0o755)
    done = w.boot("--root", tree, "--", "cat", "/link")
    check((done.returncode, done.stdout) == (0, b"from the tree\n"), f"{done}")


# --- what it runs on ---

@test()
def machines(w):
    """The processors, boards, interrupt controllers and numbers of CPUs that Linux boots on."""
    for options in MACHINES[w.arch]:
        output = w.sh("sh -c 'exit 5'; echo status $?; sleep 0.01; nproc", more=options)
        check(output == "status 5\n1\nlevitate: init exited with status 0\n", f"{options}: {output!r}")


@test()
def kvm(w):
    """Under KVM, where there is one for this architecture."""
    if not qemu.has_kvm(w.arch):
        raise machine.Skip("no KVM for it on this machine")
    for options in ([], ["-M", "q35"] if w.arch == "x86_64" else ["-M", "virt,gic-version=host"]):
        shows(w.sh("sh -c 'exit 5'; echo status $?; sleep 0.01", more=["-accel", "kvm", "-cpu", "host", *options]),
              "status 5\nlevitate: init exited with status 0\n")


@test()
def memory_sizes(w):
    """From 32 MiB to 64 GiB; MemTotal is nearly all of it."""
    script = "awk '/^MemTotal/ { print $2 }' /proc/meminfo"
    small = w.small_root()
    units = {"M": 1024, "G": 1024 * 1024}
    for size in MEMORY:
        # reserve=off: the host need not have it.
        backing = ["-object", f"memory-backend-ram,id=ram,size={size},reserve=off",
                   "-machine", "memory-backend=ram"]
        output = w.sh(script, small, memory=size, more=backing)
        match = re.match(r"(\d+)\n", output)
        check(match, f"-m {size}: {output!r}")
        kib, given = int(match[1]), int(size[:-1]) * units[size[-1]]
        check(given - 4096 - given // 50 <= kib <= given, f"-m {size}: MemTotal {kib} kB")
    output = w.sh(script, small, memory="256M", append="mem=64M")
    check(60000 < int(output.split()[0]) <= 65536, f"mem=64M: {output!r}")


@test()
def low_memory(w):
    """32 MiB: a program that wants more is killed, the machine goes on."""
    output = w.sh("awk 'BEGIN { s = 1; while (1) s = s s }'; echo status $?; echo alive",
                  w.small_root(), memory="32M")
    check("status 137\nalive\n" in output, f"{output!r}")


# --- the initrd ---

@test()
def initrd_half(w):
    """An initrd that is half of the memory."""
    archive = root.Archive()
    archive.copy(root.busybox(w.arch), "bin/busybox")
    archive.link("bin/sh", "busybox")
    # QEMU's virt board puts the initrd into the second half, and needs 2 MiB of it for the device tree.
    limit = (32 << 20) - ((4 << 20) if w.arch == "aarch64" else 0)
    archive.file("large", os.urandom(1 << 20) * (limit - archive.size >> 20))
    archive.file("rest", bytes(limit - archive.size - 1024))
    path = w.path("half.cpio")
    archive.write(path)
    check(os.path.getsize(path) > limit - 1024, "the test's archive is too small")
    output = w.sh("busybox cat /large /rest | busybox wc -c; busybox free | busybox awk 'NR == 2 { print ($4 > 20000) }'",
                  path, memory="64M")
    size = sum(len(p) for p in archive.parts)
    match = re.match(r"(\d+)\n1\nlevitate: init exited with status 0\n", output)
    check(match and size - (3 << 20) < int(match[1]) < size, f"{output!r}")


@test()
def initrd_broken(w):
    """A broken archive, or none: one line says so, and the machine turns off."""
    with open(w.initrd, "rb") as f:
        good = f.read()
    for name, data, text in (("cut", good[:len(good) // 2], "truncated"), ("rubbish", b"rubbish!" * 1000, "no cpio header"),
                             ("gzip", b"\x1f\x8b\x08\x00" * 300, "gzip")):
        path = w.path(name)
        with open(path, "wb") as f:
            f.write(data)
        output = w.sh("true", path)
        check(re.fullmatch(rf"levitate: initrd: [^\n]*{text}[^\n]* at byte \d+\n", output), f"{name}: {output!r}")
    archive = root.Archive()
    archive.file("nothing", "here\n")
    archive.write(w.path("empty"))
    output = w.sh("true", w.path("empty"))
    shows(output, "levitate: cannot start init: /bin/sh: No such file or directory\n")


# --- the ISO ---

@test("x86_64")
def iso(w):
    """GRUB's Multiboot2 boot from the ISO, under SeaBIOS and under OVMF."""
    firmware = "/usr/share/ovmf/OVMF.fd"
    path = w.path("levitate.iso")
    made = subprocess.run(["cmake", f"-DIMAGE={qemu.image(w.arch)}", f"-DOUTPUT={path}",
                           f"-DROOT={w.small_root('echo from the iso; exit 7')}", "-DCMDLINE=console=ttyS0 init=/init",
                           f"-DSOURCE_DIR={root.REPO}", "-P", os.path.join(root.REPO, "cmake", "iso.cmake")],
                          capture_output=True, text=True)
    if "needs these Debian packages" in made.stderr or not os.path.exists(firmware):
        raise machine.Skip(made.stderr.strip() or "no OVMF (Debian: ovmf)")
    check(made.returncode == 0, made.stderr)
    for options in ([], ["-bios", firmware]):
        command = [qemu.program(w.arch), "-nodefaults", "-display", "none", "-no-reboot", "-m", "256M", "-cpu", "max",
                   "-cdrom", path, *options]
        with machine.Console(command) as console:
            output = console.end(120)
        check(output.endswith(b"from the iso\r\nlevitate: init exited with status 7\r\n"), f"{options}: {output[-2000:]!r}")


# --- options and the end ---

@test()
def kernel_options(w):
    """fork=, audit, fail_alloc=, loglevel=, environment and arguments for init."""
    for fork in ("eager", "cow", "share"):
        shows(w.sh("(echo $((6 * 7))); x=$(echo y); echo $x", append=f"audit fork={fork}"),
              "42\ny\nlevitate: init exited with status 0\n")
    output = w.sh("echo never", append="fail_alloc=1+")
    check("levitate: cannot start init: init: Cannot allocate memory" in output, f"{output!r}")
    line = w.append(append='rdinit=/bin/sh init=/no/such A=1 "B=two words" quiet panic=-1 unknown.module=1 '
                    "-- -c \"echo $0 $A $B $HOME $TERM; exit 9\" name")
    with machine.Console(w.command(line)) as console:
        shows(console.end().decode(), "name 1 two words / linux\r\nlevitate: init exited with status 9\r\n")


@test()
def power(w):
    """reboot(2) in all its ways; the death of init."""
    for command, text in (("poweroff -f", "power off"), ("halt -f", "power off"), ("reboot -f", "restart")):
        shows(w.sh(command), f"levitate: {text}\n")
    shows(w.sh("exec /bin/false"), "levitate: init exited with status 1\n")


# --- panics: the contract image breaks itself when asked to (tests/contract/machine/crash.c) ---

def crash(w, how, panic):
    command = w.command(f"console={qemu.CONSOLE[w.arch]} crash={how} panic={panic}", name="levitate-contract")
    return machine.Console(command)


@test()
def panic_report(w):
    """Reason, registers, a back trace with names, the task; for each way to break."""
    for how, reason in (("panic", "asked for"), ("assert", "assertion failed: asked"), ("read", "fault|exception"),
                        ("write-code", "fault|exception"), ("jump", "fault|exception"), ("illegal", "."),
                        ("stack", "fault|exception|overflow")):
        with crash(w, how, "poweroff") as console:
            output = console.end().decode(errors="replace").replace("\r\n", "\n")
        check(re.search(rf"^levitate: kernel panic: .*({reason})", output, re.M), f"{how}: no reason: {output}")
        check(how in ("panic", "assert") or re.search(r"(rip|pc) *[=:]? *(0x)?[0-9a-f]{8}", output),
              f"{how}: no registers: {output}")
        check(re.search(r"^levitate: back trace:\n(levitate: +0x[0-9a-f]+.*\n)*levitate: +0x[0-9a-f]+ crash_\w+\+(0x)?[0-9a-f]+\n",
                        output, re.M), f"{how}: no back trace with names: {output}")
        check(re.search(r"^levitate: task: .*tid \d+$", output, re.M), f"{how}: no task: {output}")
        check(output.count("kernel panic") == 1, f"{how}: reported twice: {output}")


@test()
def panic_option(w):
    """panic=N restarts after N seconds, -1 at once; without it the machine stands still."""
    for panic, seconds in (("-1", 0), ("1", 1)):
        with crash(w, "panic", panic) as console:
            console.wait_for(r"task: ")
            start = time.monotonic()
            console.end()  # -no-reboot makes it QEMU's end
            check(time.monotonic() - start >= seconds * 0.9, f"panic={panic}: too early")
    with crash(w, "panic", "0") as console:
        console.wait_for(r"task: .*\n")
        size = len(console.output)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            check(console.pump(0.2), "the machine ended")
        check(len(console.output) == size, f"it goes on talking: {console.last_words()}")


# --- load ---

@test()
def ping_pong(w):
    """A thousand processes over pipes, then a clean audit. LEVITATE_TEST_SECONDS: so long, in guest time."""
    seconds = os.environ.get("LEVITATE_TEST_SECONDS", "0")
    line = w.append("/test/t_pingpong", ["1000", seconds], ["quiet", "panic=poweroff", "audit=end"])
    command = w.command(line, memory="256M", more=machine.VIRTUAL_TIME)
    with machine.Console(command) as console:
        output = console.end(120 + 20 * float(seconds)).decode().replace("\r\n", "\n")
    shows(output, "pairs started: 500\npairs without an error: 500\nlevitate: init exited with status 0\n")


@test()
def hostile(w):
    """Guests that try to break out, with little memory; the audit afterwards is clean."""
    programs = [f"/test/{os.path.basename(p)}" for p in root.programs(w.arch) if "hostile" in p]
    check(len(programs) == 2, f"hostile programs: {programs}")
    for program in programs:
        line = w.append(program, ["--eat", "256"], ["quiet", "panic=poweroff", "audit=end"])
        with machine.Console(w.command(line, memory="64M", more=machine.VIRTUAL_TIME)) as console:
            output = console.end(400).decode(errors="replace").replace("\r\n", "\n")
        lines = output.splitlines()
        odd = [x for x in lines[:-1] if not re.fullmatch(r"survived: [\w-]+|levitate: (out of memory|killed).*", x)]
        check(not odd, f"{program}: {odd}")
        check(lines[-1] == "levitate: init exited with status 0", f"{program}: {lines[-3:]}")
        wanted = w.sh(f"{program} --list").splitlines()[:-1]
        check(wanted and [x for x in lines if x.startswith("survived")] == [f"survived: {x}" for x in wanted],
              f"{program}: wanted {wanted}, got {lines}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arch", required=True, choices=sorted(root.ARCHITECTURES))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--results")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    chosen = {name: function for name, (function, archs) in TESTS.items() if args.arch in archs}
    if args.list:
        print("\n".join(chosen))
        return 0
    machine.skip_without(lambda: qemu.program(args.arch), lambda: qemu.image(args.arch),
                         lambda: qemu.image(args.arch, "levitate-contract"), lambda: root.busybox(args.arch))
    machine.runcase.become_test_runner()
    verdicts = {}
    with tempfile.TemporaryDirectory(prefix="lvt.") as work:
        for name in args.names or chosen:
            directory = os.path.join(work, name)
            os.makedirs(directory)
            try:
                chosen[name](World(args.arch, directory))
                verdicts[name] = "PASS"
                print(f"PASS {name}", flush=True)
            except machine.Skip as reason:
                verdicts[name] = f"no: {reason}"
                print(f"SKIP {name}: {reason}", flush=True)
            except (Failure, terminal.Failure, subprocess.SubprocessError) as failure:
                verdicts[name] = "FAIL"
                print(f"FAIL {name}: {chosen[name].__doc__.strip()}\n  {failure}", flush=True)
    machine.write_results(args.results, verdicts)
    if "FAIL" in verdicts.values():
        return 1
    return 0 if "PASS" in verdicts.values() else machine.SKIP


if __name__ == "__main__":
    sys.exit(main())
