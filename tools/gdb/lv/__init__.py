"""The parts of tools/gdb/levitate.py."""
