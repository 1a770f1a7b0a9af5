"""QEMU for the bare-metal machines: its command line, and what the machine's last words mean.

Used by tools/boot, tools/bench and tests/qemu.
"""

import os
import platform
import re
import shutil
import subprocess

import root

DEFAULT_MACHINE = {"x86_64": [], "aarch64": ["-M", "virt"]}
DEFAULT_CPU = {"x86_64": "max", "aarch64": "cortex-a72"}
CONSOLE = {"x86_64": "ttyS0", "aarch64": "ttyAMA0"}
CMDLINE_MAX = 2047  # what both boot protocols carry
ARGS_MAX = 64       # of init: src/sched/cmdline.h

# The machine's last line: how init ended, or why it never ran (src/metal/power.c).
CLOSING = re.compile(
    rb"levitate: (?:init exited with status (?P<status>\d+)|init was killed by signal (?P<signal>\d+)"
    rb"|power off|restart|cannot start init: (?P<init>[^\r\n]*)|cannot start: (?P<boot>[^\r\n]*))\r?\n\Z")
PANIC = b"levitate: kernel panic: "


class QemuError(Exception):
    """What is missing, in one line."""


class CmdlineError(QemuError):
    """A kernel command line cannot carry this."""


def image(arch, name="levitate", preset=None):
    """The kernel built for arch: an ELF file, for aarch64 a Linux Image."""
    path = os.path.join(root.REPO, "build", preset or arch, name + (".img" if arch == "aarch64" else ".elf"))
    if not os.path.exists(path):
        raise QemuError(f"no {os.path.relpath(path, root.REPO)}: cmake --preset {preset or arch} && "
                        f"cmake --build --preset {preset or arch}")
    return path


def program(arch):
    name = f"qemu-system-{arch}"
    path = shutil.which(name)
    if path is None:
        raise QemuError(f"no {name} (Debian: qemu-system-{'x86' if arch == 'x86_64' else 'arm'})")
    return path


def has_kvm(arch):
    """Does /dev/kvm work? QEMU may find it and yet fail on it (KVM within KVM), so it is tried."""
    if arch != platform.machine() or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    trial = [program(arch), "-accel", "kvm", "-cpu", DEFAULT_CPU[arch], "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"]
    return subprocess.run(trial, input=b"quit\n", capture_output=True, timeout=20).returncode == 0


def quote(word):
    """One word of the kernel command line."""
    if '"' in word or "\n" in word:
        raise CmdlineError(f"the kernel command line cannot carry {word!r}")
    return f'"{word}"' if word == "" or re.search(r"\s", word) else word


def cmdline(arch, options=(), init=None, args=(), append=""):
    """The kernel command line. options: our own words; append: the user's, which win."""
    words = [f"console={CONSOLE[arch]}", *options]
    if append:
        words.append(append)
    if init is not None:
        words.append(quote(f"init={init}"))
    if args:
        words += ["--", *(quote(arg) for arg in args)]
    text = " ".join(words)
    if len(text.encode()) > CMDLINE_MAX or len(args) > ARGS_MAX:
        raise CmdlineError(f"more than {CMDLINE_MAX} bytes or {ARGS_MAX} arguments for the kernel command line")
    return text


def command(arch, kernel, append, initrd=None, memory="512M", machine=None, cpu=None, smp=1, icount=False,
            accel=None, more=()):
    """QEMU's command line, without where the serial line goes (-serial) and a monitor."""
    line = [program(arch), "-nodefaults", "-display", "none", "-no-reboot", "-kernel", kernel, "-append", append,
            "-m", memory, "-smp", str(smp), "-cpu", cpu or DEFAULT_CPU[arch]]
    line += ["-M", machine] if machine else DEFAULT_MACHINE[arch]
    if initrd is not None:
        line += ["-initrd", initrd]
    if icount:
        line += ["-icount", "shift=0,sleep=off"]
    elif accel:
        line += ["-accel", accel]
    return line + list(more)


def verdict(output):
    """(exit status, closing line or b"") of what the console showed; status None: it did not end by itself."""
    match = CLOSING.search(output)
    if PANIC in output:
        return 70, b""
    if not match:
        return None, b""
    if match["status"] is not None:
        status = int(match["status"])
    elif match["signal"] is not None:
        status = 128 + int(match["signal"])
    elif match["init"] is not None:
        status = 127 if match["init"].endswith(b"No such file or directory") else 126
    else:
        status = 125 if match["boot"] is not None else 0
    return status, match[0]
