#!/usr/bin/env python3
"""The record (--record) and tools/memory-view: what a fork shares is in them, twice the same under a seed, in text, picture and page.

Usage: view_test.py --levitate FILE --program FILE --view FILE     exit status: 0 passed, 1 failed
The page is opened in headless Chromium where it is installed.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

failures = []


def check(holds, what):
    if not holds:
        failures.append(what)


def output(*command, status=0):
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    text = run.stdout.decode(errors="replace")
    check(run.returncode == status, f"{command}: status {run.returncode}, not {status}: {text[-500:]}")
    return text


def record(options, path, *more):
    place = os.path.dirname(os.path.abspath(options.program))  # it may lie below /tmp, which is the guest's own
    output(options.levitate, "run", "-m", "64M", "--bind", f"{place}:{place}", "--record", path, *more, "--", options.program)
    with open(path) as file:
        return [json.loads(line) for line in file]


def check_record(lines):
    check(lines[0].get("levitate") == "memory record", f"first line {lines[0]}")
    events = lines[1:]
    check([e["n"] for e in events] == list(range(len(events))), "events are not numbered")
    names = {e["op"] for e in events}
    check(names >= {"aspace_create", "mmap", "fault", "fork", "task", "exit"}, f"only {names}")
    forks = [e for e in events if e["op"] == "fork"]
    check(len(forks) == 1, f"{len(forks)} forks")
    check(any(t["refs"] == 2 for t in forks[0]["tables"]), "the fork shares no table")
    after = events[forks[0]["n"] + 1:]
    unshared = [e for e in after if e["op"] == "fault" and len(e["tables"]) > 2]
    check(unshared, "no fault unshares a table")
    return forks[0]["n"]


def check_pictures(options, path, fork):
    text = output(options.view, path, "--text")
    check(f"{fork}: fork by" in text, f"no fork in {text[-300:]}")
    tables = output(options.view, path, "--text", str(fork))
    check(", 2 references" in tables and "found" not in tables, f"tables after the fork:\n{tables}")
    svg = output(options.view, path, "--svg", str(fork))
    root = xml.etree.ElementTree.fromstring(svg)
    kinds = {c for r in root.iter("{http://www.w3.org/2000/svg}rect") for c in r.get("class", "").split()}
    check(kinds >= {"parent", "child", "shared"}, f"boxes of {kinds} only")
    check("bad" not in kinds, "a count is drawn as wrong")
    # A count that is wrong in the record is seen.
    with open(path) as file:
        lines = file.read().splitlines()
    event = json.loads(lines[fork + 1])
    next(t for t in event["tables"] if t["refs"] == 2)["refs"] = 3
    with open(path + ".bad", "w") as file:
        file.write("\n".join(lines[:fork + 1] + [json.dumps(event)]) + "\n")
    check("3 references, but 2 found" in output(options.view, path + ".bad", "--text", str(fork)), "a wrong count is not said")
    check("bad" in output(options.view, path + ".bad", "--svg", str(fork)), "a wrong count is not red")


def check_errors(options, path, directory):
    check("no event 99999" in output(options.view, path, "--svg", "99999", status=1), "no word on a number too high")
    check("not a record" in output(options.view, options.view, "--text", status=1), "another file is taken for a record")
    check("No such file" in output(options.view, os.path.join(directory, "none"), "--text", status=1), "a missing file")
    check("say what to make" in output(options.view, path, status=2), "nothing asked for")


def dom(page, directory):
    return output("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=4000",
                  f"--user-data-dir={os.path.join(directory, 'chromium')}", "--dump-dom", "file://" + page)


def check_page(options, path, directory, fork):
    page = os.path.join(directory, "out.html")
    output(options.view, path, "-o", page)
    with open(page) as file:
        text = file.read()
    check("http://" not in text.replace("http://www.w3.org", ""), "the page is not self-contained")
    if shutil.which("chromium") is None:
        print("chromium is not installed: the page was not opened")
        return
    # The page is driven by a script of the test's: to the end, back, by search.
    driver = ("<script>const seen=[];const note=()=>seen.push([+document.body.dataset.event,document.querySelectorAll('rect').length]);"
              "note();go(data.events.length-1);note();go(0);note();find('fork by');note();find('pid 2');note();"
              "find('frame 1');document.body.dataset.missing=document.getElementById('found').textContent;"
              "document.body.dataset.seen=JSON.stringify(seen)</script></body>")
    with open(page, "w") as file:
        file.write(text.replace("</body>", driver))
    shown = dom(page, directory)
    found = re.search(r'data-seen="([^"]*)"', shown)
    check(found, f"the page's script does not run: {shown[:500]}")
    if not found:
        return
    seen = json.loads(found.group(1).replace("&quot;", '"'))
    check(seen[0][0] == fork, f"the page does not begin at the fork: {seen}")
    check(seen[0][1] > 20, f"few boxes: {seen}")
    check(seen[1][0] > fork and seen[2][0] == 0 and seen[3][0] == fork and seen[4][0] > fork, f"slider and search: {seen}")
    check('data-missing="nothing like that"' in shown, "a search in vain says nothing")


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("levitate", "program", "view"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "record")
        fork = check_record(record(options, path))
        again = [record(options, os.path.join(directory, name), "--seed", "5") for name in ("a", "b")]
        check(again[0] == again[1], "two runs with one seed have different records")
        check_record(record(options, os.path.join(directory, "aarch64"), "--pte", "aarch64"))
        check_pictures(options, path, fork)
        check_errors(options, path, directory)
        check_page(options, path, directory, fork)
        output(options.levitate, "run", "--record", "/no/such/place", "--", options.program, status=125)
    for failure in failures:
        print("FAIL " + failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
