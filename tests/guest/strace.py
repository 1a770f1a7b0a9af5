#!/usr/bin/env python3
"""Compares --trace with what strace prints for the same programs, call by call, after masking what must differ.

Usage: strace.py --levitate FILE
What differs and is masked or left out: addresses, process numbers, random bytes, the clock; calls the vDSO answers on the host; rseq,
which Levitate does not have; the first execve; SIGCHLD and what it interrupts, which come when they come.
"""
import argparse
import collections
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAMS = [
    "busybox echo hello",
    "busybox cat /etc/passwd /nosuch",
    "busybox ls -l /etc/apt",
    "busybox wc /etc/passwd",
    "busybox head -n 3 /etc/services",
    "busybox grep -c root /etc/passwd",
    "busybox sort -r /etc/passwd",
    "busybox sed s/root/toor/ /etc/passwd",
    "busybox find /etc/apt -name '*.list'",
    "busybox md5sum /etc/passwd",
    "busybox tar -cf /dev/null /etc/apt",
    "busybox gzip -c /etc/passwd",
    "busybox sleep 0.01",
    "busybox env",
    "busybox sh -c 'echo one; exit 3'",
    "busybox sh -c 'umask 027; cd /etc; pwd; trap : USR1; kill -USR1 $$'",
    "busybox sh -c '(exit 5); busybox true; echo $?'",
    "busybox mktemp -u",
    "busybox stat /etc/passwd /dev/null",
    "busybox cmp /etc/passwd /etc/group",
    "busybox dd if=/dev/zero of=/dev/null bs=512 count=3",
]
LEFT_OUT = re.compile(r"(rseq|time|clock_gettime|gettimeofday|getcpu|set_robust_list)\(|--- SIGCHLD|rt_sigreturn\(|.*ERESTART")
PID_RESULT = r"(?:clone3?|v?fork|getpid|getppid|gettid|set_tid_address|getpgrp|getpgid|setsid|getsid|wait4|waitid)"
MASKS = [
    (re.compile(r"\s+= "), " = "),
    (re.compile(r"\( "), "("),
    (re.compile(r" ([,)])"), r"\1"),
    (re.compile(r"\\x[0-9a-f]{2}"), r"\\xNN"),
    (re.compile(r"0x[0-9a-f]{4,}"), "ADDRESS"),
    (re.compile(rf"^({PID_RESULT}\(.*\) = )\d+$"), r"\1PID"),
    (re.compile(r"si_(pid|utime|stime|uid)=\d+"), r"si_\1=N"),
    (re.compile(r"^(t?g?kill\()\d+"), r"\1PID"),
    (re.compile(r"^(wait4\()[1-9]\d*"), r"\1PID"),
    (re.compile(r"tv_(sec|nsec|usec)=\d+"), r"tv_\1=N"),
    (re.compile(r'nodename="[^"]*"'), 'nodename="NAME"'),
    (re.compile(r"/\* \d+ vars \*/"), "/* N vars */"),
    (re.compile(r"(XXXXXX|tmp\.\w{6})"), "TEMPORARY"),
    (re.compile(r'"/proc/\d+'), '"/proc/PID'),
]


def calls_by_task(text, line_form):
    """[[masked call...] of each task], in the order in which the tasks were made; halves of a call are joined."""
    tasks, unfinished = collections.OrderedDict(), {}
    for line in text.splitlines():
        found = line_form.match(line)
        if not found:
            continue
        task, call = found.groups()
        calls = tasks.setdefault(task, [])
        if call.endswith("<unfinished ...>"):
            unfinished[task] = call[:-len("<unfinished ...>")].rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", call)
        if resumed:
            call = unfinished.pop(task, "") + " " + resumed.group(1).lstrip()
        if LEFT_OUT.match(call):
            continue
        for pattern, replacement in MASKS:
            call = pattern.sub(replacement, call)
        calls.append(call)
    return list(tasks.values())


def run(command, log):
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "TERM": "dumb", "USER": "root"}
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                   env=environment, timeout=60)
    with open(log, errors="replace") as file:
        return file.read()


def compare(levitate, program, directory):
    words = ["busybox", "sh", "-c", "exec " + program]
    host_log, own_log = os.path.join(directory, "host"), os.path.join(directory, "own")
    host = run(["strace", "-f", "-o", host_log, *words], host_log)
    own = run([levitate, "run", f"--trace={own_log}", "--env", "HOME=/root", "--env", "TERM=dumb", "--env", "USER=root",
               "--env", "PATH=/usr/local/bin:/usr/bin:/bin", "--", *words], own_log)
    expected = calls_by_task(host, re.compile(r"^(\d+) +(.*)$"))
    found = calls_by_task(own, re.compile(r"^\[(\d+)\] (.*)$"))
    if expected and expected[0] and expected[0][0].startswith("execve("):
        expected[0].pop(0)
    if expected == found:
        print(f"ok {program}: {sum(map(len, found))} lines of {len(found)} tasks")
        return True
    print(f"FAIL {program}")
    for i in range(max(len(expected), len(found))):
        lines = [tasks[i] if i < len(tasks) else [] for tasks in (expected, found)]
        print("\n".join(difflib.unified_diff(*lines, "strace", "levitate", lineterm="", n=1)))
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--levitate", required=True)
    levitate = os.path.abspath(parser.parse_args().levitate)
    if shutil.which("strace") is None:
        print("skipped: strace is not installed")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        if subprocess.run(["strace", "-o", os.path.join(directory, "x"), "true"], stderr=subprocess.DEVNULL).returncode != 0:
            print("skipped: strace may not trace here")
            return 77
        results = [compare(levitate, program, directory) for program in PROGRAMS]
    print(f"{results.count(True)} of {len(results)} programs traced as by strace")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
