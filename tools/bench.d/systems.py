"""The systems under measurement and how a program is run on each.

Every run is one child process in a process group of its own, on the one CPU
this process is pinned to. This process adopts orphaned descendants
(PR_SET_CHILD_SUBREAPER), so that whatever a run leaves behind is seen, killed
and counted. Output goes to files: nothing of ours wakes up during a run.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUEST_MEMORY = "1G"
GUEST_MEMORY_BYTES = 1 << 30
RUN_TIMEOUT_SECONDS = 300
LEFTOVER_GRACE_SECONDS = 2
PR_SET_CHILD_SUBREAPER = 36


class BenchError(Exception):
    """Something that prevents any measurement; its text is for the user."""


# ---- the guest program ------------------------------------------------------

def build_guest_program():
    """Returns the path of the static guest program, building it if it is missing or stale."""
    source = os.path.join(REPO, "user", "bench.c")
    built = os.path.join(REPO, "build", "host", "user", "bench")
    own = os.path.join(REPO, "build", "bench", "bench")
    for path in (built, own):
        if os.path.exists(path) and os.path.getmtime(path) >= os.path.getmtime(source):
            return path
    os.makedirs(os.path.dirname(own), exist_ok=True)
    compiler = os.environ.get("CC", "cc").split()
    command = [*compiler, "-std=c17", "-O2", "-static", "-pthread", "-Wl,-e,bench_entry", "-o", own, source]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BenchError(f"no C compiler called {compiler[0]}; install gcc or set CC") from error
    if done.returncode != 0:
        raise BenchError(f"cannot build {source}:\n{done.stderr.rstrip()}")
    return own


def list_rows(program):
    """Returns {row name: unit}, in the program's order."""
    text = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    return dict(line.split("\t")[:2] for line in text.splitlines())


# ---- one run ----------------------------------------------------------------

class Run:
    """The outcome of one run: status as a shell has it, output, seconds, processes left."""

    def __init__(self):
        self.status = None
        self.timed_out = False
        self.seconds = 0.0
        self.output = ""
        self.errors = ""
        self.leftovers = []

    def describe_end(self):
        """Why it ended, in a few words, with its last complaint."""
        if self.timed_out:
            text = f"did not end within {RUN_TIMEOUT_SECONDS} s"
        elif self.status > 128:
            text = f"ended by signal {self.status - 128}"
        else:
            text = f"ended with status {self.status}"
        complaints = [line.strip() for line in self.errors.splitlines() if line.strip()]
        return f"{text}: {complaints[-1][:200]}" if complaints else text


def pin(cpu):
    """Pins this process and its future children to one CPU, which is returned."""
    available = os.sched_getaffinity(0)
    if cpu is None:
        cpu = max(available)
    if cpu not in available:
        raise BenchError(f"CPU {cpu} is not available; there are {sorted(available)}")
    os.sched_setaffinity(0, {cpu})
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return cpu


def own_children():
    """The (pid, name, is dead) of each child of this process, adopted ones included."""
    children = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                stat = file.read()
        except OSError:
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            children.append((int(entry), name, state in "ZX"))
    return children


def reap_leftovers():
    """Waits briefly for what the last run left, then kills it. Returns the names of the killed."""
    deadline = time.monotonic() + LEFTOVER_GRACE_SECONDS
    killed = {}
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        children = own_children()
        if not children:
            return list(killed.values())
        if time.monotonic() > deadline:
            for pid, name in ((pid, name) for pid, name, is_dead in children if not is_dead):
                os.kill(pid, signal.SIGKILL)  # our child until we wait: it cannot be another
                killed[pid] = name
        time.sleep(0.002)


def run_pinned(command, environment=None):
    """Runs a command to its end, or to RUN_TIMEOUT_SECONDS. Returns a Run."""
    run = Run()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                   (os.POSIX_SPAWN_DUP2, errors.fileno(), 2)]
        begin = time.perf_counter()
        try:
            pid = os.posix_spawn(command[0], command, environment or os.environ,
                                 file_actions=actions, setpgroup=0)
        except OSError as error:
            raise BenchError(f"cannot start {command[0]}: {error.strerror}") from error

        def on_alarm(_signal, _frame):
            run.timed_out = True
            os.killpg(pid, signal.SIGKILL)

        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, RUN_TIMEOUT_SECONDS)
        try:
            _, status = os.waitpid(pid, 0)
            run.seconds = time.perf_counter() - begin
        except BaseException:
            os.killpg(pid, signal.SIGKILL)
            reap_leftovers()
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        code = os.waitstatus_to_exitcode(status)
        run.status = code if code >= 0 else 128 - code
        run.leftovers = reap_leftovers()
        for name, file in (("output", output), ("errors", errors)):
            file.seek(0)
            setattr(run, name, file.read().decode(errors="replace").replace("\r", ""))
    return run


# ---- the systems ------------------------------------------------------------

class System:
    """A kernel that can run a program.

    key: its name in JSON; title: its name in tables; missing: why it cannot be
    measured, or None; version: what it says of itself.
    """

    def __init__(self, key, title):
        self.key = key
        self.title = title
        self.missing = None
        self.version = None

    def command(self, argv):
        """The host command that runs argv (argv[0] an absolute path) on this system."""
        return argv

    def environment(self):
        """The host environment of that command; None for our own."""
        return None

    def run(self, argv):
        """Runs argv. The Run's status is that of the program, wherever it ran."""
        return run_pinned(self.command(argv), self.environment())


class Host(System):
    def __init__(self):
        super().__init__("host", "host")
        self.version = " ".join(os.uname()[i] for i in (0, 2))


class UserModeLinux(System):
    """Its root is the host's, read-only; its first process is `bench init`, which powers off."""

    def __init__(self, is_wanted, program, scratch):
        super().__init__("uml", "UML")
        self.program = program
        self.scratch = scratch
        self.binary = shutil.which("linux.uml")
        self.memory_directory = memory_file_directory()
        if not is_wanted:
            self.missing = "left out by --no-uml"
        elif self.binary is None:
            self.missing = "no linux.uml in PATH (Debian package user-mode-linux)"
        elif self.memory_directory is None:
            self.missing = f"no directory for its {GUEST_MEMORY} memory file; set TMPDIR to one"
        else:
            self.version = "Linux " + first_line([self.binary, "--version"])

    def command(self, argv):
        # root= and console= are its own defaults: named here, or UML would
        # append them behind init's arguments.
        return [self.binary, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
                f"mem={GUEST_MEMORY}", "console=tty0", "con=null", "con0=null,fd:1",
                f"uml_dir={self.scratch}/uml/", "quiet", "loglevel=0",
                f"init={self.program}", "--", "init", *argv]

    def environment(self):
        return {**os.environ, "TMPDIR": self.memory_directory}

    def run(self, argv):
        run = super().run(argv)
        run.status = uml_guest_status(run)
        return run


class Levitate(System):
    def __init__(self, path, fork_mode, memory):
        """memory: the value of its --memory option, None for its own default."""
        super().__init__("levitate", "Levitate")
        self.fork_mode = fork_mode
        self.memory = memory
        self.binary = os.path.abspath(path or os.path.join(REPO, "build", "host", "levitate"))
        if os.access(self.binary, os.X_OK) and os.path.isfile(self.binary):
            self.version = first_line([self.binary, "--version"])
        elif path:
            raise BenchError(f"no program at {path}")
        else:
            self.missing = (f"no {os.path.relpath(self.binary, REPO)}; build it with "
                            "`cmake --workflow --preset host` or name it with --levitate")

    def command(self, argv):
        options = ["-m", self.memory] if self.memory else []
        if self.fork_mode:
            options.append(f"--fork={self.fork_mode}")
        # These host directories are hidden by the guest's own: show the program elsewhere.
        directory, name = os.path.split(argv[0])
        if f"{directory}/".startswith(("/tmp/", "/run/", "/dev/", "/proc/")):
            options += ["--bind", f"{directory}:/mnt"]
            argv = [f"/mnt/{name}", *argv[1:]]
        return [self.binary, "run", *options, "--", *argv]


def uml_guest_status(run):
    """The status of the program inside, which `bench init` printed; UML's own if it did not."""
    for line in run.output.splitlines():
        if line.startswith("#init: "):
            kind, number = line.split()[1:3]
            return int(number) if kind == "exit" else 128 + int(number)
    return run.status or 1


def first_line(command):
    """The first line a command prints, or "unknown"."""
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        text = ""
    return (text.splitlines() or ["unknown"])[0].strip()


def memory_file_directory():
    """Where UML can keep its memory file: room for it, and mappable as code. None if nowhere."""
    for directory in (os.environ.get("TMPDIR"), "/dev/shm", "/tmp", "/var/tmp"):
        if not directory or not os.access(directory, os.W_OK):
            continue
        facts = os.statvfs(directory)
        if (not facts.f_flag & os.ST_NOEXEC
                and facts.f_bavail * facts.f_frsize >= GUEST_MEMORY_BYTES):
            return directory
    return None


def scratch_directory():
    """A context manager: a directory for the files of the systems, removed at the end."""
    return tempfile.TemporaryDirectory(prefix="levitate-bench-")


def find_all(options, program, scratch):
    """The three systems in table order; those that cannot run have `missing` set."""
    return [Host(), UserModeLinux(not options.no_uml, program, scratch),
            Levitate(options.levitate, options.fork,
                     GUEST_MEMORY if options.command == "rows" else None)]
