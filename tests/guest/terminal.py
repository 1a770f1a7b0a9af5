#!/usr/bin/env python3
"""Levitate on a terminal: prompt, line editing, Ctrl-C, Ctrl-D, size, restoring.

    terminal.py --levitate build/host/levitate [NAME...]     run them (default all)
    terminal.py --list                                       print their names

Each test starts levitate on a pseudo-terminal of its own, as its controlling
terminal.  Exit status: 0 passed, 1 failed, 77 skipped.
"""

import fcntl
import functools
import hashlib
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import cli
import runcase
from cli import BUSYBOX, Failure, check

TESTS = {}
PROMPT = r"[#$] $"


def test(function):
    """Register a test, which takes the command that is levitate."""
    TESTS[function.__name__] = functools.wraps(function)(lambda world: function(world.levitate))
    return function


class Terminal:
    """Levitate (or another command) on a new pseudo-terminal; a context manager."""

    def __init__(self, levitate, args, rows=24, columns=80, verb="run"):
        self.text, self.status = "", None
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            self._become(levitate + ([verb] if verb else []) + args)

    def _become(self, command):
        """In the child: lead a session with this terminal, and run levitate."""
        try:
            runcase.default_signals()
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 100)
            os.environ["TERM"] = "vt100"
            os.execvp(command[0], command)
        finally:
            os._exit(99)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)
        strays = runcase.reap_strays(3 * runcase.time_scale())
        if error[0] is None:
            check(not strays, f"left behind: {strays}")

    def send(self, data):
        os.write(self.master, data.encode())

    def pump(self, timeout_s):
        """Read what comes within timeout_s; False when nothing did."""
        ready, _, _ = select.select([self.master], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        # A line editor may ask where the cursor is.
        if "\x1b[6n" in self.text:
            self.text = self.text.replace("\x1b[6n", "")
            self.send("\x1b[1;1R")
        return bool(data)

    def wait_for(self, pattern, timeout_s=15):
        """Read until the pattern matches what is new; returns the match."""
        deadline = time.monotonic() + timeout_s * runcase.time_scale()
        while True:
            match = re.search(pattern, self.text, re.M)
            if match:
                self.text = self.text[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0 or not self.pump(left):
                if time.monotonic() >= deadline or self.has_ended():
                    raise Failure(f"waited for {pattern!r}, got {self.text!r}")

    def prompt(self):
        self.wait_for(PROMPT)

    def ask(self, line, answer):
        """Type a line, expect an answer on a line of its own, and the prompt."""
        self.send(line + "\r")
        self.wait_for(rf"^{answer}\r$")
        self.prompt()

    def has_ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def end(self, timeout_s=15):
        """Wait for levitate's end; its status. Reads the terminal meanwhile."""
        deadline = time.monotonic() + timeout_s * runcase.time_scale()
        while not self.has_ended():
            check(time.monotonic() < deadline, f"levitate does not end; last said {self.text[-300:]!r}")
            self.pump(0.05)
        while self.pump(0):
            pass
        return self.status

    def check_restored(self):
        after = termios.tcgetattr(self.slave)
        check(after == self.before, f"the terminal is not as before: {self.before} is now {after}")

    def finish(self, status=None):
        """Levitate ends, with this status if one is wanted, and leaves the terminal as it was."""
        self.end()
        check(status in (None, self.status), f"status {self.status}, wanted {status}")
        self.check_restored()


def shell(levitate, *options, **more):
    return Terminal(levitate, [*options, "--", BUSYBOX, "sh"], **more)


@test
def prompt_and_commands(levitate):
    """A shell prompts, runs commands, and its end gives its status."""
    with shell(levitate) as t:
        t.prompt()
        t.ask("echo $((6 * 7))", "42")
        t.ask("(exit 5); echo status $?", "status 5")
        t.ask("test -t 0 && test -t 1 && test -t 2 && echo terminals", "terminals")
        t.ask(f"{BUSYBOX} tty", "/dev/[a-z0-9/]+")
        t.ask("echo x > /dev/tty; echo after", "after")
        t.send("exit 7\r")
        t.finish(7)


@test
def line_editing(levitate):
    """Backspace, arrows, Ctrl-A, Ctrl-U, Ctrl-W, history and completion of the shell."""
    with shell(levitate) as t:
        t.prompt()
        t.ask("eccho\x7f\x7f\x7fho one", "one")
        t.ask("echo bd\x1b[Dea", "bead")
        t.ask("cho two\x01e", "two")
        t.ask("rubbish\x15echo three", "three")
        t.ask("echo four wrong\x17right", "four right")
        t.send("\x1b[A\r")
        t.wait_for(r"^four right\r$")
        t.prompt()
        t.send("echo never\x03")
        t.prompt()
        t.ask("echo still here", "still here")
        t.send("exit\r")
        t.finish(0)


@test
def ctrl_c(levitate):
    """Ctrl-C ends the foreground program, not the shell."""
    with shell(levitate) as t:
        t.prompt()
        for _ in range(3):
            t.send(f"{BUSYBOX} sleep 100\r")
            time.sleep(0.3)
            t.send("\x03")
            t.prompt()
            t.ask("echo status $?", "status 130")
        t.send("while :; do :; done\r")
        time.sleep(0.3)
        t.send("\x03")
        t.prompt()
        t.send(f"{BUSYBOX} yes | {BUSYBOX} cat > /dev/null\r")
        time.sleep(0.3)
        t.send("\x03")
        t.prompt()
        t.send("trap 'echo trapped' INT\r")
        t.prompt()
        t.send(f"{BUSYBOX} sh -c 'trap \"echo caught; exit 3\" INT; while :; do {BUSYBOX} usleep 9999; done'\r")
        time.sleep(0.5)
        t.send("\x03")
        t.wait_for(r"\^Ccaught\r$")
        t.prompt()
        t.send("exit\r")
        t.finish()


@test
def ctrl_c_of_a_program(levitate):
    """Without a shell, the program dies of it: 130."""
    with Terminal(levitate, ["--", BUSYBOX, "sleep", "100"]) as t:
        time.sleep(0.7)
        t.send("\x03")
        t.finish(130)
    with Terminal(levitate, ["--", BUSYBOX, "sleep", "100"]) as t:
        time.sleep(0.7)
        t.send("\x1c")
        t.finish(131)


@test
def ctrl_d(levitate):
    """End of file ends the shell, and a program that reads."""
    with shell(levitate) as t:
        t.prompt()
        t.send(f"{BUSYBOX} cat\r")
        time.sleep(0.4)
        t.send("a line\r")
        t.wait_for(r"^a line\r$")
        t.wait_for(r"^a line\r$")
        t.send("\x04")
        t.prompt()
        t.send("\x04")
        t.finish(0)


@test
def ctrl_z(levitate):
    """Job control: stop, jobs, bg, fg."""
    with shell(levitate) as t:
        t.prompt()
        t.send(f"{BUSYBOX} sleep 101\r")
        time.sleep(0.4)
        t.send("\x1a")
        t.wait_for(r"Stopped")
        t.prompt()
        t.send("jobs\r")
        t.wait_for(r"Stopped.*sleep 101")
        t.prompt()
        t.send("bg\r")
        t.prompt()
        t.send("jobs\r")
        t.wait_for(r"Running.*sleep 101|sleep 101")
        t.prompt()
        t.send("fg\r")
        time.sleep(0.3)
        t.send("\x03")
        t.prompt()
        t.ask("echo status $?", "status 130")
        t.send(f"{BUSYBOX} cat &\r")
        t.prompt()
        time.sleep(0.3)
        t.send("\r")
        t.wait_for(r"Stopped")
        t.send("kill %1; exit\r")
        t.prompt()
        t.send("exit\r")
        t.finish()


@test
def window_size(levitate):
    """The size is known, and a change of it."""
    with shell(levitate, rows=33, columns=99) as t:
        t.prompt()
        t.ask(f"{BUSYBOX} stty size", "33 99")
        t.send(f"{BUSYBOX} sh -c 'trap \"echo resized; exit\" WINCH; while :; do {BUSYBOX} usleep 9999; done'\r")
        time.sleep(0.5)
        fcntl.ioctl(t.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        t.wait_for(r"^resized\r$")
        t.prompt()
        t.ask(f"{BUSYBOX} stty size", "40 120")
        t.send(f"{BUSYBOX} stty rows 10 cols 20; {BUSYBOX} stty size\r")
        t.wait_for(r"^10 20\r$")
        t.send("exit\r")
        t.finish()


@test
def cooked_input(levitate):
    """The terminal's own line editing: erase, kill, end of file, echo."""
    with Terminal(levitate, ["--", BUSYBOX, "sh", "-c",
                             "echo ready; read -r a; echo \"[$a]\"; read -r b; echo \"[$b]\"; "
                             f"{BUSYBOX} stty -echo; echo hidden; read -r c; {BUSYBOX} stty echo; "
                             f"echo \"[$c]\"; {BUSYBOX} cat | {BUSYBOX} wc -c"]) as t:
        t.wait_for(r"^ready\r$")
        t.send("abx\x7fc\r")
        t.wait_for(r"^\[abc\]\r$")
        t.send("rubbish\x15clean\r")
        t.wait_for(r"^\[clean\]\r$")
        t.wait_for(r"^hidden\r$")
        t.text = ""
        t.send("secret\r")
        t.wait_for(r"\[secret\]\r$")
        check("secret\r\n[secret]" not in t.text, "echo was not off")
        t.send("12345\r")
        t.send("678\x04\x04")
        t.wait_for(r"^\s*(?:678)?9\r$")
        t.finish(0)


@test
def raw_input(levitate):
    """A program that reads single keys."""
    with Terminal(levitate, ["--", BUSYBOX, "sh", "-c",
                             f"{BUSYBOX} stty raw -echo; echo ready; "
                             f"k=$({BUSYBOX} dd bs=1 count=3 2>/dev/null | {BUSYBOX} od -An -tx1); "
                             f"{BUSYBOX} stty sane; echo \"[$k]\""]) as t:
        t.wait_for(r"ready")
        for key in ("\x03", "\r", "q"):
            t.send(key)
            time.sleep(0.05)
        t.wait_for(r"\[ 03 0d 71\]")
        t.finish(0)


@test
def restored_after_raw(levitate):
    """A program that leaves the terminal raw, or is killed so, spoils nothing."""
    for end in ("exit 4", "kill -9 $$", "kill -TERM $$"):
        with Terminal(levitate, ["--", BUSYBOX, "sh", "-c",
                                 f"{BUSYBOX} stty raw -echo -isig; {end}"]) as t:
            t.finish()


@test
def restored_after_kill(levitate):
    """The shell in its line editor is killed from inside."""
    with shell(levitate) as t:
        t.prompt()
        t.send("kill -9 $$\r")
        t.finish(137)
    with shell(levitate) as t:
        t.prompt()
        t.send(f"({BUSYBOX} sleep 0.5; kill -9 $$) &\r")
        t.finish(137)


@test
def restored_after_timeout(levitate):
    """--timeout while the line editor waits."""
    with shell(levitate, "--timeout", "2") as t:
        t.prompt()
        t.finish(124)


@test
def restored_after_signals(levitate):
    """Levitate itself is asked to end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        with shell(levitate) as t:
            t.prompt()
            os.kill(t.pid, number)
            t.finish()


@test
def hang_up(levitate):
    """The terminal goes away: everything ends."""
    with shell(levitate) as t:
        t.prompt()
        os.close(t.slave)
        t.slave = os.open("/dev/null", os.O_RDONLY)
        os.close(t.master)
        t.master = os.open("/dev/null", os.O_RDONLY)
        deadline = time.monotonic() + 15 * runcase.time_scale()
        while not t.has_ended():
            check(time.monotonic() < deadline, "levitate outlives its terminal")
            time.sleep(0.05)


@test
def much_output(levitate):
    """Output faster than the terminal takes it, whole and in order."""
    with Terminal(levitate, ["--", BUSYBOX, "seq", "20000"]) as t:
        wanted = "".join(f"{i}\r\n" for i in range(1, 20001))
        check(t.end(60) == 0, f"status {t.status}")
        check(t.text == wanted, f"{len(t.text)} bytes came of {len(wanted)}")
        t.check_restored()


@test
def much_input(levitate):
    """A long paste, line by line."""
    with Terminal(levitate, ["--", BUSYBOX, "sh", "-c", f"{BUSYBOX} stty -echo; echo ready; "
                             f"{BUSYBOX} cat > /tmp/pasted; {BUSYBOX} md5sum < /tmp/pasted"]) as t:
        t.wait_for(r"ready")
        lines = "".join(f"line number {i} of what is pasted\n" for i in range(500))
        for start in range(0, len(lines), 512):
            t.send(lines[start:start + 512].replace("\n", "\r"))
            t.pump(0)
            time.sleep(0.005)
        t.send("\x04")
        t.wait_for(hashlib.md5(lines.encode()).hexdigest())
        t.finish(0)


if __name__ == "__main__":
    sys.exit(cli.main(TESTS, __doc__))
