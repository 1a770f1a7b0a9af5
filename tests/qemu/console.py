#!/usr/bin/env python3
"""What QEMU says of itself does not get into the machine's console, and is shown where a test fails."""

import sys

import machine
import qemu

SAYS = "echo qemu-system-aarch64: warning: no active timers >&2; "


def main():
    with machine.Console(["sh", "-c", f"{SAYS} echo levitate: init exited with status 7; {SAYS}"]) as console:
        status, _ = qemu.verdict(console.end())
        if status != 7 or "no active timers" not in console.last_words():
            print(f"status {status}, {console.last_words()!r}")
            return 1
    with machine.Console(["sh", "-c", f"{SAYS} exit 1"]) as console:
        try:
            console.end()
        except machine.Failure as failure:
            return 0 if "no active timers" in str(failure) else 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
