"""gdb commands for Levitate's kernel: source this file in a gdb that has the kernel's symbols.

It works on the hosted kernel, live or in a core dump, and on both bare-metal images through QEMU's stub. `help lv` lists the
commands; docs/DEBUGGING.md shows them at work. The parts are in lv/: kernel (reading the kernel's data), tasks, memory, guest
(user programs), printers.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from lv import guest, memory, printers, tasks  # noqa: E402

for part in (tasks, memory, guest, printers):
    part.register()

# What the hosted kernel lives on: its timer (SIGRTMIN), the ends of its guests, the terminal's size, --timeout.
import gdb  # noqa: E402

gdb.execute("handle SIG34 SIGCHLD SIGWINCH SIGCONT nostop noprint pass", to_string=True)
gdb.execute("handle SIGALRM nostop print pass", to_string=True)
gdb.execute("set print entry-values no")
