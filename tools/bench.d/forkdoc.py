"""Tables, drawing and documentation of `tools/bench fork`."""

import math
import os
import re

import report
import systems

DOCUMENT = os.path.join(systems.REPO, "docs", "PERFORMANCE.md")
DRAWING = os.path.join(systems.REPO, "docs", "fork.svg")


def size_name(mib):
    return f"{mib // 1024} GiB" if mib >= 1024 else f"{mib} MiB"


def table(head, rows, left=1):
    """Aligned text: the first `left` columns to the left, the others to the right."""
    cells = [[str(c) for c in line] for line in [head, *rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) if i < left else c.rjust(w)
                               for i, (c, w) in enumerate(zip(line, widths))).rstrip() for line in cells)


# ---- tables -----------------------------------------------------------------------

def call_table(results, sizes, fork):
    """Microseconds of the fork call and of the exit by size and system."""
    columns = [("host", "-"), *(("levitate", m) for m in fork.MODES), *(("model", m) for m in fork.MODES)]
    head = ["us", ""] + ["host" if s == "host" else f"{'guest' if s == 'levitate' else 'alg.'} {m}"
                         for s, m in columns]
    rows = []
    for row, text in (("cold call", "first fork"), ("call", "fork, all written"), ("call again", "fork again"),
                      ("exit again", "exit, wait")):
        for size in sizes:
            rows.append([text if size == sizes[0] else "", size_name(size)] +
                        [report.number(results.median("call", s, m, size, row)) for s, m in columns])
    return table(head, rows, 2)


def sparse_table(results, fork):
    head = ["algorithm, us"] + [size_name(s) for s in fork.SPARSE_SIZES]
    rows = [[f"{mode}, {text}"] + [report.number(results.median("sparse", "model", mode, size, row))
                                   for size in fork.SPARSE_SIZES]
            for mode in ("cow", "share") for row, text in (("call again", "fork"), ("exit again", "exit"))]
    return table(head, rows)


def other_table(results, fork):
    rows = []
    for what, size, row, text in (("vmas", fork.NR_VMAS, "vmas call", "fork call, 10,000 VMAs"),
                                  ("rewrite", fork.REWRITE_MIB, "rewrite", "256 MiB written anew, child gone")):
        rows.append([text] + [report.number(results.median(what, s, m, size, row)) for s, m in
                              (("host", "-"), ("levitate", "cow"), ("levitate", "share"),
                               ("model", "cow"), ("model", "share"))])
    return table(["us", "host", "guest cow", "guest share", "alg. cow", "alg. share"], rows)


def sweep_table(results, system, sizes, fork):
    """share / cow of whole cycles: a row for each pattern and writer, a column for each size."""
    def cell(size, row):
        value = fork.cycle_ratio(results, system, size, row)
        return "-" if value is None else f"{value:.2f}"

    names = results.rows("cycle", system, "share", sizes[-1])
    head = [f"{'algorithm' if system == 'model' else 'guest'}: share / cow"] + [size_name(s) for s in sizes]
    return table(head, [[name] + [cell(size, name) for size in sizes] for name in names])


def threshold_table(results):
    names = [n for n in results.rows("threshold", "model", "copy", None) if not n.endswith(" idle")]
    head = ["us a cycle"] + [f"{n} pages" for n in names]
    rows = [[text] + [f"{results.median('threshold', 'model', how, None, n + suffix):.2f}" for n in names]
            for how, suffix, text in (("copy", "", "both write, copied"), ("share", "", "both write, shared"),
                                      ("copy", " idle", "neither, copied"), ("share", " idle", "neither, shared"))]
    return table(head, rows)


def target_table(judged):
    rows = [[target, what, report.number(value), f"<= {limit:.3g}", report.mark(met)]
            for target, what, value, limit, met in judged]
    return table(["target", "measured on", "ratio", "limit", ""], rows, 2)


def texts(results, sizes, judged, fork):
    return {
        "calls": call_table(results, sizes, fork),
        "sparse": sparse_table(results, fork),
        "others": other_table(results, fork),
        "sweep": sweep_table(results, "model", fork.MODEL_SWEEP_SIZES, fork),
        "sweep-guest": sweep_table(results, "levitate", fork.GUEST_SWEEP_SIZES, fork),
        "threshold": threshold_table(results),
        "targets": target_table(judged),
    }


# ---- the drawing --------------------------------------------------------------------

STYLE = """
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 } .frame { stroke: #59636e; stroke-width: 1; fill: none }
  text { font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px }
  .line { fill: none; stroke-width: 2 } .model { stroke-dasharray: 5 4 }
  .host { stroke: #59636e } .eager { stroke: #bc4c00 } .cow { stroke: #0969da } .share { stroke: #1a7f37 }
  .dot.host { fill: #59636e } .dot.eager { fill: #bc4c00 } .dot.cow { fill: #0969da } .dot.share { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #f0f6fc } .soft { fill: #9198a1 }
    .grid { stroke: #2f3742 } .frame { stroke: #9198a1 }
    .host { stroke: #9198a1 } .eager { stroke: #f0883e } .cow { stroke: #58a6ff } .share { stroke: #3fb950 }
    .dot.host { fill: #9198a1 } .dot.eager { fill: #f0883e } .dot.cow { fill: #58a6ff } .dot.share { fill: #3fb950 }
  }
"""
WIDTH, HEIGHT, LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT, GAP = 940, 470, 70, 50, 370, 310, 70


class Panel:
    """One log-log diagram: MiB to the right, microseconds upwards."""

    def __init__(self, x, sizes, low, high):
        self.x, self.low, self.high = x, math.log10(low), math.log10(high)
        self.first, self.last = math.log2(sizes[0]), math.log2(sizes[-1])

    def at(self, mib, us):
        x = self.x + (math.log2(mib) - self.first) / (self.last - self.first) * PANEL_WIDTH
        y = TOP + PANEL_HEIGHT - (math.log10(us) - self.low) / (self.high - self.low) * PANEL_HEIGHT
        return f"{x:.1f}", f"{y:.1f}"

    def axes(self, title):
        bottom = TOP + PANEL_HEIGHT
        out = [f'<text class="ink title" x="{self.x}" y="{TOP - 16}">{title}</text>']
        for power in range(round(self.low), round(self.high) + 1):
            _, y = self.at(1, 10 ** power)
            name = {0: "1 us", 3: "1 ms", 6: "1 s"}.get(power, f"{10 ** (power % 3)}"
                                                        + {-1: " ns", 0: " us", 1: " ms", 2: " s"}[power // 3])
            out.append(f'<path class="grid" d="M{self.x} {y}h{PANEL_WIDTH}"/>'
                       f'<text class="soft" x="{self.x - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{name}</text>')
        for power in range(round(self.first), round(self.last) + 1, 2):
            x, _ = self.at(2 ** power, 10 ** self.low)
            out.append(f'<path class="grid" d="M{x} {TOP}v{PANEL_HEIGHT}"/>'
                       f'<text class="soft" x="{x}" y="{bottom + 18}" text-anchor="middle">{size_name(2 ** power)}</text>')
        out.append(f'<rect class="frame" x="{self.x}" y="{TOP}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}"/>')
        out.append(f'<text class="soft" x="{self.x + PANEL_WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">'
                   "memory of the process</text>")
        return out

    def curve(self, name, is_model, points):
        points = [self.at(mib, us) for mib, us in points if us]
        kind = f"{name} model" if is_model else name
        out = [f'<path class="line {kind}" d="M{" L".join(" ".join(p) for p in points)}"/>'] if points else []
        if not is_model:
            out += [f'<circle class="dot {name}" cx="{x}" cy="{y}" r="3"/>' for x, y in points]
        return out


def legend(y):
    """Two lines: whole systems, and the algorithm alone."""
    out = []
    entries = ((("host", False, "host Linux"), ("eager", False, "Levitate, eager"), ("cow", False, "Levitate, cow"),
                ("share", False, "Levitate, share")),
               (("eager", True, "algorithm alone, eager"), ("cow", True, "algorithm alone, cow"),
                ("share", True, "algorithm alone, share")))
    for line in entries:
        for i, (name, is_model, text) in enumerate(line):
            x = LEFT + i * 215
            kind = f"{name} model" if is_model else name
            out.append(f'<path class="line {kind}" d="M{x} {y - 4}h28"/>'
                       f'<text class="ink" x="{x + 36}" y="{y}">{text}</text>')
        y += 22
    return out


def curves(results, sizes, fork, row):
    """What a panel shows: (colour, is the algorithm alone, points)."""
    found = [("host", False, [(s, results.median("call", "host", "-", s, row)) for s in sizes])]
    for mode in fork.MODES:
        found.append((mode, False, [(s, results.median("call", "levitate", mode, s, row)) for s in sizes]))
    found.append(("eager", True, [(s, results.median("call", "model", "eager", s, row)) for s in sizes]))
    for mode in ("cow", "share"):
        found.append((mode, True, [(s, results.median("sparse", "model", mode, s, row)) for s in fork.SPARSE_SIZES]))
    return found


def drawing(results, sizes, fork):
    panels = [(title, curves(results, sizes, fork, row))
              for row, title in (("call again", "fork call"),
                                 ("exit again", "exit of an idle child (guest: with the wait)"))]
    # Both panels have one scale, of whole powers of ten.
    powers = [math.log10(us) for _, lines in panels for _, _, points in lines for _, us in points if us]
    low, high = 10 ** math.floor(min(powers)), 10 ** math.ceil(max(powers))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
           f'height="{HEIGHT}" role="img" aria-label="fork call and exit by size of the process">',
           f"<style>{STYLE}</style>", f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>']
    for i, (title, lines) in enumerate(panels):
        panel = Panel(LEFT + i * (PANEL_WIDTH + GAP), fork.SPARSE_SIZES, low, high)
        out += panel.axes(title)
        for line in lines:
            out += panel.curve(*line)
    out += legend(TOP + PANEL_HEIGHT + 68)
    return "\n".join(out) + "\n</svg>\n"


# ---- the document ---------------------------------------------------------------------

def replace_block(text, name, body):
    """Puts body between the lines <!-- bench NAME --> and <!-- end -->."""
    pattern = re.compile(rf"(<!-- bench {re.escape(name)} -->\n).*?(<!-- end -->\n)", re.S)
    if not pattern.search(text):
        raise systems.BenchError(f"docs/PERFORMANCE.md has no place for the block {name}")
    return pattern.sub(lambda match: match.group(1) + body + match.group(2), text)


def indented(text):
    return "\n" + "\n".join(f"    {line}".rstrip() for line in text.splitlines()) + "\n\n"


def write(all_texts, counts, results, sizes, options, facts):
    import fork
    with open(DRAWING, "w", encoding="utf-8") as file:
        file.write(drawing(results, sizes, fork))
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    for name, body in all_texts.items():
        text = replace_block(text, f"fork: {name}", indented(body))
    text = replace_block(text, "fork: counts", indented("\n".join(counts)))
    machine = (f"{facts.read_first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs, Linux "
               f"{os.uname().release}; {options.rounds} rounds")
    text = replace_block(text, "fork: machine", f"Measured on {machine}.\n")
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(text)
