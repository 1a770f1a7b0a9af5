#!/usr/bin/env python3
"""The contract tests (tests/contract/machine) on a bare-metal machine: boots levitate-contract, reads its KTAP.

    contract.py --arch ARCH [--append TEXT] [--results FILE]

Exit status: 0 passed, 1 failed, 77 skipped (no QEMU, no image).
"""

import argparse
import re
import sys

import machine
import qemu


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arch", required=True)
    parser.add_argument("--append", default="")
    parser.add_argument("--results")
    args = parser.parse_args()
    machine.skip_without(lambda: qemu.image(args.arch, "levitate-contract"), lambda: qemu.program(args.arch))
    append = qemu.cmdline(args.arch, ["quiet", "panic=poweroff"], append=args.append)
    command = qemu.command(args.arch, qemu.image(args.arch, "levitate-contract"), append, memory="256M", accel="tcg")
    with machine.Console(command) as console:
        try:
            output = console.end(120).decode(errors="replace").replace("\r\n", "\n")
        except machine.Failure as failure:
            print(failure)
            return 1
    print(output)
    plan = re.search(r"^1\.\.(\d+)$", output, re.M)
    lines = re.findall(r"^(ok|not ok) (\d+) - (.*)$", output, re.M)
    machine.write_results(args.results, {name: "PASS" if ok == "ok" else "FAIL" for ok, _, name in lines})
    good = plan is not None and len(lines) == int(plan[1]) and all(ok == "ok" for ok, _, _ in lines)
    return 0 if good and qemu.verdict(output.encode())[0] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
