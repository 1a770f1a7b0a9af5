#!/usr/bin/env python3
"""Run a hostile guest, and look at what it left of the host.

    hostile.py --levitate build/host/levitate --program build/host/user/hostile

Passes when the program ends with status 0 and said "survived" for every one of
its attacks, nothing ESCAPED, the canary files are as they were, the victim
process was not touched, and no process and no file is left behind.
"""

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import runcase

FORBIDDEN_FILES = ["/etc/lv-hostile-test", "/lv-hostile-test",
                   "/tmp/hostile-link", "/tmp/hostile-moved", "/tmp/hostile-eats"]


def state_of_file(path):
    """Everything about a file that the guest must not change."""
    info = os.stat(path)
    with open(path) as f:
        text = f.read()
    return (text, info.st_mode, info.st_uid, info.st_gid, info.st_nlink,
            info.st_mtime_ns, info.st_ctime_ns)


def state_of_process(pid):
    """Everything about a process that the guest must not change."""
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    keep = "Name|Umask|TracerPid|Uid|Gid|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|Cpus_allowed"
    found = re.findall(rf"^(?:{keep}):.*$", status, re.M)
    ended = re.search(r"^State:\s+[ZXT]", status, re.M) is not None
    return (found, ended, os.getpgid(pid), os.getpriority(os.PRIO_PROCESS, pid),
            resource.prlimit(pid, resource.RLIMIT_NOFILE))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--levitate", required=True)
    parser.add_argument("--levitate-args", default="")
    parser.add_argument("--program", required=True)
    parser.add_argument("--memory", default="64M")
    parser.add_argument("--program-args", default="--eat 256")
    parser.add_argument("--timeout", type=float, default=400)
    parser.add_argument("--results", help="a file for the verdict, as tools/parity reads it")
    parser.add_argument("attacks", nargs="*")
    args = parser.parse_args()
    runcase.become_test_runner()
    problems = []
    if shutil.which("busybox") is None:
        print("skipped: no busybox on this machine (Debian: busybox-static)")
        return 77
    if "--tame" not in args.program_args and not runcase.is_isolated(runcase.split_command(args.levitate)):
        print("not tried: the guest sees the host's /tmp, so the attacks would be on the host")
        return 1

    inside = tempfile.mkdtemp(prefix="lvt.", dir="/tmp")
    # One canary that the guest sees (through its read-only root), one it does not.
    seen_dir = tempfile.mkdtemp(prefix="lvt.", dir=os.path.dirname(os.path.abspath(args.program)))
    canaries = [os.path.join(seen_dir, "canary"), os.path.join(inside, "canary")]
    victim = subprocess.Popen(["sleep", "100000"], start_new_session=True)
    try:
        while open(f"/proc/{victim.pid}/comm").read() != "sleep\n":
            time.sleep(0.01)  # Popen returns in the middle of its exec
        for path in canaries:
            with open(path, "w") as f:
                f.write("must not change\n")
        program = os.path.join(inside, os.path.basename(args.program))
        shutil.copy(args.program, program)
        guest_args = shlex.split(args.program_args)
        wanted = subprocess.run([program, *guest_args, "--list", *args.attacks], check=True,
                                capture_output=True, text=True).stdout.split()
        before = [state_of_file(c) for c in canaries], state_of_process(victim.pid)

        command = runcase.split_command(args.levitate) + [
            "run", "--memory", args.memory, "--bind", f"{inside}:{inside}",
            *shlex.split(args.levitate_args), "--", program, *guest_args,
            "--victim", str(victim.pid), "--canary", canaries[0], *args.attacks]
        outcome = runcase.run(command, dict(os.environ), "/", b"",
                              args.timeout * runcase.time_scale(), others=[victim.pid])

        out = outcome.out.decode(errors="replace")
        lines = out.splitlines()
        for line in lines:
            if not line.startswith("survived: "):
                problems.append(f"said: {line}")
        for name in wanted:
            if f"survived: {name}" not in lines:
                problems.append(f"attack without an end: {name}")
        if outcome.status != 0:
            problems.append(f"status {outcome.status}")
        err = outcome.err.decode(errors="replace").strip()
        if outcome.status != 0 and err:
            problems.append("standard error: " + err[-2000:])
        problems += [f"left behind: {stray}" for stray in outcome.strays]
        if victim.poll() is not None:
            problems.append(f"the victim ended with {victim.returncode}")
        else:
            after = [state_of_file(c) for c in canaries], state_of_process(victim.pid)
            if after != before:
                problems.append(f"changed: {before} is now {after}")
        problems += [f"made {path}" for path in FORBIDDEN_FILES if os.path.lexists(path)]
        print(f"{len([l for l in lines if l.startswith('survived')])} of {len(wanted)} attacks "
              f"survived in {outcome.seconds:.1f} s")
    finally:
        if victim.poll() is None:
            victim.kill()
            victim.wait()
        shutil.rmtree(inside, ignore_errors=True)
        shutil.rmtree(seen_dir, ignore_errors=True)
    if args.results:
        with open(args.results, "w") as f:
            json.dump({os.path.basename(args.program): "FAIL" if problems else "PASS"}, f)
    for problem in problems:
        print("  " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
