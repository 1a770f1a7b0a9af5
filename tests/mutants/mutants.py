#!/usr/bin/env python3
"""Break the kernel on purpose and require that a test notices.

A file NAME.mutants describes broken kernels:

    mutant fork leaves the parent's pages writable
    in src/mm/pt_clone.h
            if (!pte_is_private_writable(e))
                    continue;
    -       slot_clear_write(&s[i]);
    suites test_fork test_mm_model

The lines between `in` and `suites` are a patch without line numbers: lines that
start with a blank stay, '-' go, '+' come. They must be found exactly once in the
file, whatever their indentation. For each mutant the one object is compiled as
the build does it, and the suites' programs are linked anew with it, from the
objects of the build tree. The suites run in order until one fails: that one
caught it. A mutant nobody catches, and one whose place is gone, is a failure;
so is a suite that fails with the very same objects when nothing is broken.

A suite is the name of a test program, or guest:PROGRAM[:OPTION...] for a guest
program on the hosted kernel, compared with the host (options of `levitate run`).

    mutants.py --build build/host tests/mutants/fork.mutants
    mutants.py --build build/host --all --only 'fork*' tests/mutants/*.mutants
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import signal
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile

# A header's mutants are compiled as part of this file.
UNIT_OF = {"src/mm/pt_slots.h": "src/mm/pt.c", "src/mm/pt_clone.h": "src/mm/pt.c", "src/mm/pt_range.h": "src/mm/pt.c",
           "src/arch_x86_64/pte.h": "src/mm/pt.c"}
TEST_LIMIT_S = 30
# runcase.py has limits of its own (60 s, scaled), and ends what it started when they are over.
GUEST_LIMIT_S, GUEST_TIME_SCALE = 150, "0.5"


class Mutant:
    """One broken kernel: a file, a patch, and the suites that should notice."""

    def __init__(self, source, what):
        self.source, self.what, self.file, self.patch, self.suites = source, what, None, [], []

    def unit(self):
        return UNIT_OF.get(self.file, self.file)

    def mutated(self):
        """The file's text after the change, or None when its place is gone."""
        with open(os.path.join(self.source, self.file), encoding="utf-8") as f:
            lines = f.read().split("\n")
        old = [text.strip() for sign, text in self.patch if sign != "+"]
        places = [i for i in range(len(lines) - len(old) + 1)
                  if [x.strip() for x in lines[i:i + len(old)]] == old]
        if len(places) != 1 or not old:
            return None
        at, new = places[0], []
        for sign, text in self.patch:
            if sign != "+":
                new += lines[at:at + 1] if sign == " " else []
                at += 1
            else:
                new.append(text)
        return "\n".join(lines[:places[0]] + new + lines[at:])


def read_mutants(path, source):
    mutants, in_patch = [], False
    with open(path, encoding="utf-8") as f:
        for nr, line in enumerate(f.read().split("\n"), 1):
            word, _, rest = line.partition(" ")
            if word == "suites":
                mutants[-1].suites, in_patch = rest.split(), False
            elif in_patch:
                mutants[-1].patch.append((line[:1] or " ", line[1:]))
            elif word == "mutant":
                mutants.append(Mutant(source, rest))
            elif word == "in":
                mutants[-1].file, in_patch = rest, True
            elif line and word != "#":
                sys.exit(f"{path}:{nr}: '{line}' is no mutant")
    return mutants


class BuildError(Exception):
    """The compiler's or linker's messages."""


class Build:
    """The build tree: how it compiles a file and links a program."""

    def __init__(self, path, source, work):
        self.path, self.source, self.work = path, source, work
        with open(os.path.join(path, "compile_commands.json"), encoding="utf-8") as f:
            commands = json.load(f)
        self.compile_command = {}
        for c in commands:  # of pt.c's several codecs the first: the real x86_64 one
            self.compile_command.setdefault(os.path.relpath(c["file"], source), shlex.split(c["command"]))
        self.programs = {}
        for line in self._ninja("-t", "targets", "all").splitlines():
            target, _, rule = line.partition(": ")
            if rule.startswith("C_EXECUTABLE_LINKER"):
                self.programs[os.path.basename(target)] = target

    def _ninja(self, *args):
        return subprocess.run(["ninja", *args], cwd=self.path, check=True, capture_output=True, text=True).stdout

    def _run(self, argv):
        done = subprocess.run(argv, cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise BuildError(done.stderr)

    def link_command(self, program):
        if program not in self.programs:
            raise BuildError(f"the build has no program {program}")
        return self._ninja("-t", "commands", "-s", self.programs[program])

    def compile(self, unit, directory):
        """Compile the unit, with the files in `directory` before those of the tree. Returns the object."""
        command = list(self.compile_command[unit])
        obj = os.path.join(directory, os.path.basename(unit) + ".o")
        mutated = os.path.join(directory, os.path.relpath(unit, "src"))
        command[command.index("-o") + 1] = obj
        if os.path.exists(mutated):
            command[command.index("-c") + 1] = mutated
        command[1:1] = ["-I" + directory, "-iquote", os.path.join(self.source, os.path.dirname(unit))]
        # Not optimised: an undefined value must not break what was to be tested.
        self._run(command + ["-O1", "-g0", "-w"])
        return obj

    def link(self, program, units, objects, directory):
        """Link the program with these objects in place of the build's. Returns its path."""
        command, out = self.link_command(program), os.path.join(directory, program)
        for unit, obj in zip(units, objects):
            words = self.compile_command[unit]
            theirs = words[words.index("-o") + 1]
            if f" {theirs} " in command:
                command = command.replace(f" {theirs} ", f" {obj} ")
            else:  # it lies in a library: ours comes first, so that one stays there
                command = command.replace(" -o ", f" {obj} -o ", 1)
        command = command.replace(f"-o {self.programs[program]} ", f"-o {out} ", 1)
        self._run(["sh", "-c", command])
        return out

    def suite_argv(self, suite, units, objects, directory):
        """The command that runs a suite with these objects."""
        if not suite.startswith("guest:"):
            return [self.link(suite, units, objects, directory)]
        _, program, *options = suite.split(":")
        levitate = self.link("levitate", units, objects, directory)
        return [sys.executable, "-B", os.path.join(self.source, "tests/guest/runcase.py"), "--levitate", levitate,
                "--levitate-args=" + " ".join(options), os.path.join(self.path, self.programs[program])]


def kill_kernels(directory):
    """Ends what still runs the mutant's programs: a suite that was stopped leaves its kernel behind."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe").startswith(directory + "/"):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


def run_suite(argv, directory):
    """None when the suite passes, else how it failed in a few words."""
    env = dict(os.environ, LEVITATE_TEST_SEED="1")
    env.update(LEVITATE_TEST_STEPS="1500", LEVITATE_TEST_SHRINK="0", LEVITATE_TEST_TIME_SCALE=GUEST_TIME_SCALE)
    limit_s = GUEST_LIMIT_S if argv[0] == sys.executable else TEST_LIMIT_S
    log = os.path.join(directory, "log")
    with open(log, "wb") as out:
        try:
            done = subprocess.run(argv, env=env, cwd=directory, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, timeout=limit_s)
        except subprocess.TimeoutExpired:
            kill_kernels(directory)
            return "no end"
    if done.returncode == 0:
        return None
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read()
    for pattern in (r"\[  (?:FAILED|ERROR) +\] (\w+)\n", r"\[ RUN      \] (\w+)\n(?!.*\[ RUN)", r"PANIC: (.*)"):
        found = re.search(pattern, text, re.S if "RUN" in pattern else 0)
        if found:
            return found.group(1)
    return "differs" if argv[0] == sys.executable else f"status {done.returncode}"


def try_mutant(build, mutant, try_all):
    """Returns (is_caught, report line)."""
    text = mutant.mutated()
    if text is None:
        return False, f"PLACE GONE  in {mutant.file}: {mutant.what}"
    directory = tempfile.mkdtemp(dir=build.work)
    path = os.path.join(directory, os.path.relpath(mutant.file, "src"))
    os.makedirs(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    unit = mutant.unit()
    if unit != mutant.file:
        copy = os.path.join(directory, os.path.relpath(unit, "src"))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy(os.path.join(build.source, unit), copy)
    caught = []
    obj = build.compile(unit, directory)
    for suite in mutant.suites:
        how = run_suite(build.suite_argv(suite, [unit], [obj], directory), directory)
        if how is not None:
            caught.append(f"{suite} ({how})")
            if not try_all:
                break
    shutil.rmtree(directory)
    if not caught:
        return False, f"NOT CAUGHT  by {', '.join(mutant.suites)}: {mutant.what}"
    return True, f"caught      {mutant.what}: {', '.join(caught)}"


def guarded(fn, what):
    """fn()'s (verdict, line), or that it could not be built."""
    try:
        return fn()
    except BuildError as e:
        return False, f"NOT BUILT   {what}:\n" + "\n".join(str(e).split("\n")[:5])


def control(build, units, objects, suite):
    """The suite with every object compiled the same way, and nothing broken."""
    directory = tempfile.mkdtemp(dir=build.work)
    how = run_suite(build.suite_argv(suite, units, objects, directory), directory)
    if how is None:
        shutil.rmtree(directory)
        return True, f"control     {suite} passes"
    return False, f"CONTROL     {suite} fails though nothing is broken ({how}): see {directory}/log"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--source", default=".", help="the source tree")
    parser.add_argument("--build", required=True, help="a build tree of the preset host, built")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="*", help="mutants whose name matches this pattern")
    parser.add_argument("--report", metavar="FILE", help="a copy of the table")
    parser.add_argument("--all", action="store_true", help="run every suite and name all that notice")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    source = os.path.abspath(args.source)
    mutants = [m for path in args.files for m in read_mutants(path, source) if fnmatch.fnmatch(m.what, args.only)]
    if not shutil.which("busybox"):  # which runcase.py needs
        for m in mutants:
            m.suites = [s for s in m.suites if not s.startswith("guest:")]
        print("".join(f"skipped     {m.what}: no busybox\n" for m in mutants if not m.suites), end="")
        mutants = [m for m in mutants if m.suites]
    units = sorted({m.unit() for m in mutants})
    suites = sorted({s for m in mutants for s in m.suites})
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work = tempfile.mkdtemp(prefix="levitate-mutants.")
    build = Build(os.path.abspath(args.build), source, work)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        same = tempfile.mkdtemp(dir=work)
        objects = list(pool.map(lambda unit: build.compile(unit, same), units))
        results = list(pool.map(lambda m: guarded(lambda: try_mutant(build, m, args.all), m.what), mutants))
        controls = list(pool.map(lambda s: guarded(lambda: control(build, units, objects, s), s), suites))
    table = "".join(line + "\n" for _, line in results + controls)
    print(table, end="")
    if args.report:
        with open(args.report, "w", encoding="utf-8") as f:
            f.write(table)
    nr_lost = sum(not ok for ok, _ in results)
    nr_bad = sum(not ok for ok, _ in controls)
    print(f"{len(mutants)} mutants, {nr_lost} not caught; {len(suites)} suites, {nr_bad} fail unmutated")
    if nr_lost + nr_bad == 0:
        shutil.rmtree(work)
    return 1 if nr_lost + nr_bad or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
