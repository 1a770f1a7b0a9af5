#!/usr/bin/env python3
"""Runs the lv- commands of tools/gdb in a real gdb and checks what they print.

Usage: gdb_test.py CASE --levitate FILE --programs DIR --gdbinit FILE     cases: the functions named case_* below
Exit status: 0 passed, 1 failed, 77 skipped (no gdb, no image).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SKIP = 77
failures = []


def gdb(arguments, commands, timeout=240, program="gdb"):
    """{command: what it printed}; a command is found in the output between two markers."""
    with tempfile.NamedTemporaryFile("w", suffix=".gdb", delete=False) as script:
        script.write("set pagination off\nset confirm off\nset width 0\nset debuginfod enabled off\n")
        script.write(f"source {options.gdbinit}\n")
        for i, command in enumerate(commands):
            script.write(f"echo \\n@{i}@\\n\n")
            # A command that fails must not end the script: its message is its output.
            script.write(f"python\ntry:\n    gdb.execute({command!r})\nexcept gdb.error as e:\n    print('error:', e)\nend\n")
        script.write("echo \\n@end@\\n\nkill\nquit\n")
    try:
        run = subprocess.run([program, "-q", "-nx", "-batch", "-x", script.name, *arguments], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    finally:
        os.unlink(script.name)
    parts = re.split(r"\n@(\d+|end)@\n", run.stdout.decode(errors="replace"))
    found = dict(zip(parts[1::2], parts[2::2]))
    if "end" not in found:
        print(run.stdout.decode(errors="replace"))
    return [(command, found.get(str(i), "")) for i, command in enumerate(commands)]


def check(results, expected):
    """expected: {command: [regular expression...]}, one at least must be there for each command checked."""
    seen = dict(results)
    for command, patterns in expected.items():
        for pattern in patterns:
            if not re.search(pattern, seen[command], re.M):
                failures.append(f"{command}: nothing matches {pattern!r} in\n{seen[command][:2000]}")


def levitate(program, *more):
    bind = f"{options.programs}:{options.programs}"  # it may lie below /tmp, which is the guest's own
    return ["--args", options.levitate, "run", "--memory", "64M", "--bind", bind, *more, "--",
            os.path.join(options.programs, program)]


# What any kernel must answer while guest_stack sleeps. It is pid 1, its child pid 2; pid 2 was the last to run.
LOOK = {
    "lv-ps": [r"^ +1 +1 S[* ].* pause +guest_stack$", r"^ +2 +2 S[* ].* read +  guest_stack$", r"^2 processes, 2 tasks$"],
    "lv-bt 1": [r"^task 1 \(guest_stack\), sleeping, waits for pause$", r" (sys_pause|wait_for_handler) .*syscall/", r" trap_syscall "],
    "lv-vma 1": [r"^00400000-\w+ r--p 00000000 /.*guest_stack$", r"^\w+-\w+ r-xp \w+ /.*guest_stack$",
                 r" rw-p 00000000 \[stack\]  \(grows\)$"],
    "lv-pt 1": [r"^\d+ pages, tables: 1 root, \d+ of level 3, \d+ of level 2, \d+ of level 1$", r" r-x cache .* ?shared$",
                r" rw- anon +(private|shared)$"],
    "lv-pt 1 0x401000": [r"^0x401000 in \w+ tables, root frame 0x\w+ table, 1 reference, \d+ pages beneath$",
                         r"^  level 4 \[  0\]  0x\w+ .* -> frame 0x\w+ table", r"^  level 1 \[  1\]  .* -> frame 0x\w+ cache",
                         r"^  effective rights r-x, ", r"^  mapping: 0x401000-\w+ r-x /.*guest_stack$"],
    "lv-pt 1 0x10000": [r"absent$", r"mapping: none$"],
    "lv-ubt 1": [r"^#0 +0x\w+ /.*guest_stack\+0x\w+$"],
    "lv-fd 1": [r"^ +3 r +0 +[23]  pipe:\[\d+\]$", r"^ +4 w +0 +2  pipe:\[\d+\]$"],
    "lv-sig 1": [r"^ignored: +USR1$", r"^blocked: +none$"],
    "lv-shared 1 2": [r"^\d+ pages beneath shared tables, \d+ pages shared one by one, \d+ pages of 2 not shared with 1$"],
    "print $lv_task(2)->process->parent->pid": [r"= 1$"],
    "print $lv_task(1)->aspace->pt.root": [r"= frame 0x\w+$"],
    "lv-ps nonsense": [r"^error: usage: lv-ps$"],
    "lv-bt": [r"^error: usage: lv-bt PID$"],
    "lv-bt 77": [r"^error: no task has the number 77$"],
    "lv-bt nonsense": [r"^error: lv-bt: nonsense: not a process number$"],
    "lv-frame 0xfffffffff000": [r"^error: 0xfffffffff000: there is no memory$"],
}
ROOT_FRAME = "lv-frame $lv_task(1)->aspace->pt.root.raw*4096"
ROOT_IS_KNOWN = {ROOT_FRAME: [r"^frame 0x\w+ table, 1 reference, \d+ pages beneath$", r"^  root table of 1 guest_stack$"]}


def case_live():
    damage = "set variable $lv_task(1)->aspace->pt.nr_pages = 1"
    frames = gdb(levitate("guest_stack"), ["break arch_cpu_idle", "run", *LOOK, "lv-audit", "lv-log", ROOT_FRAME, damage,
                                           "call mm_audit()"])
    check(frames, {**LOOK, **ROOT_IS_KNOWN, "call mm_audit()": [r"= 1$"], "lv-audit": [r"^the audit found nothing$"],
                   "lv-log": [r"^system call rseq .* is not implemented"]})


def case_core():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        core = os.path.join(directory, "core")
        gdb(levitate("guest_stack"), ["break arch_cpu_idle", "run", f"generate-core-file {core}"])
        if not os.path.exists(core):
            failures.append("gdb wrote no core")
            return
        frames = gdb([options.levitate, core], [*LOOK, "lv-audit"])
    check(frames, LOOK)
    check(frames, {"lv-audit": [r"^error: lv-audit: the kernel cannot be run from here"]})


def case_attach():
    frames = gdb(levitate("guest_stack"), ["break arch_cpu_idle", "run", "lv-attach 1", "backtrace", "lv-ps", "detach"])
    check(frames, {"lv-attach 1": [r"^process 1 is inferior 2 \(host process \d+\)$"],
                   "backtrace": [r" in (__libc_)?pause \(", r" innermost \(\) at .*guest_stack.c:\d+$",
                                 r" middle \(\) at ", r" main \(\) at "],
                   "lv-ps": LOOK["lv-ps"]})


def case_allocation():
    """Who allocated a frame: a demonstration, whose allocators are a debug build's."""
    demo = os.path.join(options.programs, "..", "demos", "leaked_frame")
    frames = gdb([demo], ["break aspace_munmap", "run", "up", "lv-frame pfn.raw*4096", "lv-frame (pfn.raw+1000)*4096"])
    check(frames, {"lv-frame pfn.raw*4096": [r"^frame 0x\w+ anon, 2 references\n  allocated by$", r"^    (\w+ < )*copy_to_(?:user_in|pages) at ",
                                             r"^    the_one_who_needs_a_page at .*/leaked_frame.c:\d+$"]})
    if "by" in frames[-1][1]:
        failures.append(f"a frame that nobody used has a history: {frames[-1][1]}")


def case_points():
    frames = gdb(levitate("guest_stack", "--fail-alloc", "1+"),
                 ["break oom_first", "run", "backtrace 3"])
    check(frames, {"backtrace 3": [r"^#0 .*oom_first"]})
    frames = gdb(levitate("guest_stack"), ["break fault_point", "run", "info args", "delete", "break fork_point", "continue",
                                           "print parent != child", "lv-ps"])
    check(frames, {"run": [r"^Breakpoint 1, fault_point "], "info args": [r"^addr = \d+$", r"^access = [124]$"],
                   "continue": [r"fork_point \(parent=.*, child="], "print parent != child": [r"= 1$"],
                   "lv-ps": [r"^1 processes, 1 tasks$"]})


# QEMU: the image, its gdb, and the compiler of guest_stack. A machine that has pause(2) and one that has ppoll(2) only.
QEMU = {
    "x86_64": ("levitate.elf", "gdb", ["gcc"], {}),
    "aarch64": ("levitate.img", "gdb-multiarch", ["aarch64-linux-gnu-gcc"], {
        "lv-ps": [r"^ +1 +1 S[* ].* ppoll +guest_stack$", *LOOK["lv-ps"][1:]],
        "lv-bt 1": [r"^task 1 \(guest_stack\), sleeping, waits for ppoll$", r" sys_ppoll .*syscall/", r" trap_syscall "],
        "lv-vma 1": [r"^00400000-\w+ r-xp 00000000 /guest_stack$", LOOK["lv-vma 1"][2]],
        "lv-pt 1 0x401000": [*LOOK["lv-pt 1 0x401000"][:-1], r"^  mapping: 0x400000-\w+ r-x /guest_stack$"]}),
}


def on_machine(arch):
    """The kernel's commands on a bare-metal image, through QEMU's stub, from the first instruction on."""
    image, program, compiler, other = QEMU[arch]
    repo = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    build = os.path.join(repo, "build", arch)
    for tool in (program, compiler[0], f"qemu-system-{arch}"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is not installed")
            return SKIP
    if not os.path.exists(os.path.join(build, image)):
        print(f"skipped: no build/{arch}/{image}")
        return SKIP
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        guest, initrd, stub = (os.path.join(directory, name) for name in ("guest_stack", "root.cpio", "stub"))
        subprocess.run([*compiler, "-static", "-O1", "-g", "-fno-omit-frame-pointer", "-o", guest,
                        os.path.join(repo, "tests", "gdb", "guest_stack.c")], check=True)
        subprocess.run([os.path.join(repo, "tools", "mkroot"), arch, "--bare", "--add", guest + ":/guest_stack", "-o", initrd],
                       check=True, stdout=subprocess.DEVNULL)
        qemu = subprocess.Popen([os.path.join(repo, "tools", "boot"), arch, "--tcg", "-m", "128M", "--initrd", initrd, "--qemu=-S",
                                 f"--qemu=-gdb", f"--qemu=unix:{stub},server=on,wait=off", "--", "/guest_stack"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            for _ in range(200):
                if os.path.exists(stub) or qemu.poll() is not None:
                    break
                time.sleep(0.05)
            look = {**LOOK, **other}
            results = gdb([os.path.join(build, "levitate.elf")],
                          [f"target remote {stub}", "break arch_cpu_idle", "continue", *look, "lv-log", ROOT_FRAME,
                           "print $lv_current()->tid", "lv-audit"], program=program)
        finally:
            qemu.terminate()
            qemu.wait()
    check(results, {**look, **ROOT_IS_KNOWN, "lv-log": [r"^version \d.* MiB of memory"],
                    "print $lv_current()->tid": [r"= [012]$"],
                    "lv-audit": [r"^the audit found nothing$"]})
    return None


def case_x86_64():
    return on_machine("x86_64")


def case_aarch64():
    return on_machine("aarch64")


def case_many_tasks():
    frames = gdb(levitate("many_tasks", "--memory", "256M"), ["break arch_cpu_idle", "run", "lv-ps"])
    check(frames, {"lv-ps": [r"^ +1001 +1001 S[* ]", r"^1001 processes, 1001 tasks$"]})


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
    parser.add_argument("case", choices=cases)
    for name in ("levitate", "programs", "gdbinit"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    if shutil.which("gdb") is None:
        print("skipped: gdb is not installed")
        return SKIP
    result = cases[options.case]()
    for failure in failures:
        print("FAIL " + failure)
    return result if result is not None else 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
