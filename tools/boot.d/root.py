"""Roots for the bare-metal machines: cpio archives with busybox, the guest programs and files of the user's.

Used by tools/mkroot, tools/boot and tests/qemu.  Python's standard library, and for a busybox that
this machine does not have apt-get and dpkg-deb (nothing is installed, nothing of apt's state changes).
"""

import glob
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(REPO, "build", "cache")
# Debian's name and ELF's number of an architecture.
ARCHITECTURES = {"x86_64": ("amd64", 62), "aarch64": ("arm64", 183)}

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"
# busybox init, when init=/init: a login shell on the console, again and again until `poweroff`.
INITTAB = "::respawn:-/bin/sh\n::ctrlaltdel:/bin/reboot\n"
# A shell that is itself the first program gets no `poweroff` across to an init, so it does it itself.
SHRC = "".join(f"alias {name}='busybox {name} -f'\n" for name in ("poweroff", "reboot", "halt"))


class RootError(Exception):
    """What went wrong, in one line."""


class Archive:
    """A cpio archive in the "new ASCII" format, built in memory."""

    def __init__(self):
        self.parts, self.names, self.size = [], set(), 0

    def _member(self, name, mode, body=b"", rdev=(0, 0), mtime=0):
        encoded = name.encode() + b"\0"
        header = "070701" + "".join(f"{value:08X}" for value in (
            len(self.names) + 1, mode, 0, 0, 1, mtime, len(body), 0, 0, *rdev, len(encoded), 0))
        for part in (header.encode() + encoded, body):
            self.parts.append(part + b"\0" * (-len(part) % 4))
            self.size += len(self.parts[-1])

    def _add(self, name, *args, **more):
        """A member, after the directories above it; a name that is there already stays as it is."""
        name = os.path.normpath("/" + name).lstrip("/")
        if name in self.names or not name:
            return
        if os.path.dirname(name):
            self.directory(os.path.dirname(name))
        self.names.add(name)
        self._member(name, *args, **more)

    def directory(self, name, mode=0o755):
        self._add(name, stat.S_IFDIR | mode)

    def file(self, name, body, mode=0o644, mtime=0):
        self._add(name, stat.S_IFREG | mode, body if isinstance(body, bytes) else body.encode(), mtime=mtime)

    def link(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor, mode=0o600):
        self._add(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def copy(self, source, name):
        """A file, link, device or a whole tree of the host's."""
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode):
            self.link(name, os.readlink(source))
        elif stat.S_ISDIR(info.st_mode):
            self.directory(name, stat.S_IMODE(info.st_mode))
            for entry in sorted(os.listdir(source)):
                self.copy(os.path.join(source, entry), os.path.join(name, entry))
        elif stat.S_ISREG(info.st_mode):
            with open(source, "rb") as f:
                self.file(name, f.read(), stat.S_IMODE(info.st_mode), int(info.st_mtime))
        elif stat.S_ISCHR(info.st_mode):
            self.device(name, os.major(info.st_rdev), os.minor(info.st_rdev), stat.S_IMODE(info.st_mode))

    def write(self, path):
        self._member("TRAILER!!!", 0)
        with open(path, "wb") as f:
            f.writelines(self.parts)


def elf_machine(path):
    """ELF's number of the architecture a file is for; None: no ELF file, or dynamically linked."""
    try:
        with open(path, "rb") as f:
            data = f.read(4096)
    except OSError:
        return None
    if data[:4] != b"\x7fELF" or len(data) < 64:
        return None
    start, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for i in range(count):
        if data[start + i * size:start + i * size + 4] == b"\x03\0\0\0":  # PT_INTERP
            return None
    return struct.unpack_from("<H", data, 18)[0]


def unpack_package(debian_arch, name, work, is_meta=False):
    """
    Get Debian's package of any architecture and unpack it below `work`; returns where. is_meta: not the
    package itself, but the one it stands for. apt's own lists and state stay as they are.
    """
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise RootError(f"no {tool} to get Debian's {name} for {debian_arch} with")
    for directory in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(work, directory))
    open(os.path.join(work, "status"), "w").close()
    options = ["-q", "-o", f"Dir::State::lists={work}/lists", "-o", f"Dir::State::status={work}/status",
               "-o", f"Dir::Cache={work}/cache", "-o", "APT::Sandbox::User=root",
               "-o", f"APT::Architecture={debian_arch}", "-o", f"APT::Architectures={debian_arch}"]

    def run(command):
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise RootError(f"cannot get {name} for {debian_arch}: {reason}")
        return done.stdout

    run(["apt-get", *options, "update"])
    if is_meta:
        depends = re.search(r"^ *Depends: (\S+)$", run(["apt-cache", *options, "depends", name]), re.MULTILINE)
        if depends is None:
            raise RootError(f"{name} for {debian_arch} stands for no package")
        name = depends[1]
    run(["apt-get", *options, "download", name])
    package, = glob.glob(os.path.join(work, f"{name}_*.deb"))
    target = os.path.join(work, "x")
    run(["dpkg-deb", "-x", package, target])
    return target


def keep(source, target):
    """Copy a file into the cache, at once or not at all."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target + ".new")
    os.replace(target + ".new", target)
    return target


def busybox(arch):
    """Path of a static busybox for the architecture: this machine's, or one got and kept in build/cache."""
    debian_arch, machine = ARCHITECTURES[arch]
    own = shutil.which("busybox")
    cached = os.path.join(CACHE, f"busybox-{arch}")
    for path in (own, cached):
        if path is not None and elf_machine(path) == machine:
            return path
    with tempfile.TemporaryDirectory(prefix="lvt.") as work:
        return keep(os.path.join(unpack_package(debian_arch, "busybox-static", work), "bin", "busybox"), cached)


def linux_kernel(arch):
    """Path of Debian's Linux kernel for the architecture, got once and kept in build/cache."""
    debian_arch, _ = ARCHITECTURES[arch]
    found = sorted(glob.glob(os.path.join(CACHE, f"vmlinuz-*-{debian_arch}")))
    if found:
        return found[-1]
    with tempfile.TemporaryDirectory(prefix="lvt.") as work:
        unpacked = unpack_package(debian_arch, f"linux-image-{debian_arch}", work, is_meta=True)
        image, = glob.glob(os.path.join(unpacked, "boot", "vmlinuz-*"))
        return keep(image, os.path.join(CACHE, os.path.basename(image)))


def applets():
    """Names of busybox's applets, asked of this machine's own busybox (Debian configures all architectures alike)."""
    done = subprocess.run([shutil.which("busybox") or "busybox", "--list"], capture_output=True, text=True)
    if done.returncode != 0:
        raise RootError("no busybox on this machine (Debian: busybox-static)")
    return done.stdout.split()


def programs(arch):
    """The project's guest programs built for the architecture."""
    found = []
    for preset in (arch, "host"):
        for path in sorted(glob.glob(os.path.join(REPO, "build", preset, "user", "*"))):
            if elf_machine(path) == ARCHITECTURES[arch][1] and os.access(path, os.X_OK):
                found.append(path)
        if found:
            break
    return found


def add_base(archive, arch):
    """What every root has beside the user's files: a busybox system. Files that are there already win."""
    archive.directory("root", 0o700)
    for name in ("dev", "proc", "run", "mnt", "sys"):
        archive.directory(name)
    archive.directory("tmp", 0o1777)
    archive.device("dev/console", 5, 1)
    archive.copy(busybox(arch), "bin/busybox")
    for applet in applets():
        if applet != "busybox":
            archive.link(f"bin/{applet}", "busybox")
    archive.link("sbin", "bin")
    archive.link("init", "bin/busybox")
    archive.file("etc/passwd", PASSWD)
    archive.file("etc/group", GROUP)
    archive.file("etc/hostname", "levitate\n")
    archive.file("etc/inittab", INITTAB)
    archive.file("etc/shrc", SHRC)
    for path in programs(arch):
        archive.copy(path, f"test/{os.path.basename(path)}")


def make_root(arch, output, directory=None, additions=(), is_bare=False):
    """Write a root as a cpio archive. additions: (host path, path in the root) pairs, which win."""
    archive = Archive()
    try:
        for source, target in additions:
            archive.copy(source, target)
        if directory is not None:
            if not os.path.isdir(directory):
                raise RootError(f"{directory}: not a directory")
            for entry in sorted(os.listdir(directory)):
                archive.copy(os.path.join(directory, entry), entry)
        if not is_bare:
            add_base(archive, arch)
        archive.write(output)
    except OSError as error:
        raise RootError(f"{error.filename}: {error.strerror}") from None
    return archive.size
