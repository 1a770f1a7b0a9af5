"""What the tests of the bare-metal machines share: a QEMU with its console, skips, result files."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "boot.d"))

import qemu  # noqa: E402,F401
import root  # noqa: E402,F401
import runcase  # noqa: E402

SKIP = 77
# Time is a count of instructions (4 ns each) and skips the idle waits: sleeps cost nothing, and time limits do
# not depend on how busy this machine is.
VIRTUAL_TIME = ["-icount", "shift=2,sleep=off"]


class Failure(Exception):
    """A test failed: what, in a line or some."""


class Skip(Exception):
    """A test cannot run here: why."""


class Console:
    """A running QEMU, seen through its serial line; a context manager that leaves nothing behind."""

    def __init__(self, command, has_monitor=False):
        self.output, self.seen, self.command = b"", 0, command
        serial = ["-serial", "stdio"] if not has_monitor else \
            ["-chardev", "stdio,id=c,mux=on", "-serial", "chardev:c", "-mon", "chardev=c"]
        # Apart from the console: a warning of QEMU's own may come at any time.
        self.errors = tempfile.TemporaryFile()
        self.child = subprocess.Popen(command + serial, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.errors, start_new_session=True)
        self.start = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()
        self.errors.close()

    def send(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()

    def pump(self, timeout_s):
        """Read what comes within timeout_s. False: the end of the output."""
        ready, _, _ = select.select([self.child.stdout], [], [], max(0, timeout_s))
        if ready:
            data = os.read(self.child.stdout.fileno(), 65536)
            self.output += data
            return bool(data)
        return True

    def wait_for(self, pattern, timeout_s=30):
        """Read until the pattern matches what has not been matched yet; returns the match."""
        deadline = time.monotonic() + timeout_s * runcase.time_scale()
        while True:
            match = re.compile(pattern.encode(), re.M).search(self.output, self.seen)
            if match:
                self.seen = match.end()
                return match
            if not self.pump(min(1, deadline - time.monotonic())) or time.monotonic() > deadline:
                raise Failure(f"waited for {pattern!r}; the console's last words: {self.last_words()}")

    def end(self, timeout_s=60):
        """Wait for QEMU's end; what all the console showed."""
        deadline = time.monotonic() + timeout_s * runcase.time_scale()
        while self.pump(min(1, deadline - time.monotonic())):
            if time.monotonic() > deadline:
                raise Failure(f"no end after {timeout_s} s; the console's last words: {self.last_words()}")
        status = self.child.wait()
        if status != 0:
            raise Failure(f"QEMU ended with status {status}: {self.last_words()}")
        return self.output

    def last_words(self):
        errors = os.pread(self.errors.fileno(), 65536, 0)
        return (self.output[-1500:] + errors[-500:]).decode(errors="replace")


def skip_without(*needs):
    """Ends with 77 when QEMU, an image or a program is missing; needs: functions that raise then."""
    try:
        for need in needs:
            need()
    except (qemu.QemuError, root.RootError) as error:
        print(f"skipped: {error}")
        sys.exit(SKIP)


def write_results(path, verdicts):
    """Test name -> PASS, FAIL or SKIP, for tools/parity."""
    if path:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            json.dump(verdicts, f, indent=0, sort_keys=True)
