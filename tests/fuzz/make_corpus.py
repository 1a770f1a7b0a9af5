#!/usr/bin/env python3
"""Write the seed corpus of the fuzzers: make_corpus.py MODEL_PROGRAM DIRECTORY.

Short random sequences of the model test, small cpio archives, small ELF files. The
result is committed; it changes only with the encoding of operations.
"""

import os
import struct
import subprocess
import sys


def member(name, mode, body=b"", ino=1, nlink=1, magic=b"070701"):
    fields = [ino, mode, 0, 0, nlink, 0, len(body), 8, 1, 0, 0, len(name) + 1, sum(body) & 0xffffffff]
    data = magic + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    data += b"\0" * (-len(data) % 4) + body
    return data + b"\0" * (-len(data) % 4)


def archives():
    end = member("TRAILER!!!", 0)
    yield "empty", end
    yield "file", member("hello", 0o100644, b"hello\n") + end
    yield "tree", member(".", 0o040755) + member("etc", 0o040755) + member("etc/motd", 0o100600, b"hi") + end
    yield "links", member("a", 0o100644, b"", 7, 2) + member("b", 0o100644, b"body", 7, 2) + end
    yield "symlink", member("l", 0o120777, b"../etc/motd") + member("d/e/f", 0o100644) + end
    yield "node", member("null", 0o020666) + member("fifo", 0o010600) + end
    yield "two", member("x", 0o100644, b"1") + end + b"\0" * 64 + member("x", 0o100755, b"22") + end
    yield "checksum", member("c", 0o100644, b"sum", magic=b"070702") + end
    yield "cut", member("long", 0o100644, b"x" * 200)[:150]


def header(kind, machine, entry, phnum):
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    return ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0, 64, 56, phnum, 0, 0, 0)


def segment(kind, flags, offset, vaddr, filesz, memsz, align=0x1000):
    return struct.pack("<IIQQQQQQ", kind, flags, offset, vaddr, vaddr, filesz, memsz, align)


def programs():
    base = 0x400000
    for machine, arch in ((62, "x86_64"), (183, "aarch64")):
        text = segment(1, 5, 0, base, 0x200, 0x200)
        data = segment(1, 6, 0x200, base + 0x1200, 0x100, 0x2000)
        stack = segment(0x6474e551, 6, 0, 0, 0, 0)
        yield f"static-{arch}", header(2, machine, base + 0xb0, 3) + text + data + stack + b"\x90" * 0x300
        low = segment(1, 5, 0, 0, 0x180, 0x180)
        interp = segment(3, 4, 0xb0, 0xb0, 20, 20, 1)
        yield f"dynamic-{arch}", header(3, machine, 0x100, 2) + low + interp + b"/lib/ld.so\0" + b"\0" * 0x200
    yield "bss", header(2, 62, base, 1) + segment(1, 7, 0, base, 0x78, 0x10000)
    yield "no-segments", header(2, 62, base, 0)


def write(directory, files):
    os.makedirs(directory, exist_ok=True)
    for name, data in files:
        with open(os.path.join(directory, name), "wb") as f:
            f.write(data)


def main():
    model, out = sys.argv[1:]
    os.makedirs(os.path.join(out, "model"), exist_ok=True)
    subprocess.run([model, "--corpus", os.path.join(out, "model")], check=True)
    write(os.path.join(out, "cpio"), archives())
    write(os.path.join(out, "elf"), programs())


main()
