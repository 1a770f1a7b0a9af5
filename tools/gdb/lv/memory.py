"""Address spaces: lv-vma, lv-pt, lv-frame, lv-shared, lv-audit."""
import gdb

from . import kernel as k


def aspace_of(command, word):
    return k.task_aspace(k.find_task(command.number(word, "a process number")))


class VmaCommand(k.Command):
    """lv-vma PID
    The mappings of a task, as /proc/PID/maps shows them, with the kernel's own flags at the end."""

    name = "lv-vma"

    def run(self, words):
        if len(words) != 1:
            self.usage()
        aspace = aspace_of(self, words[0])
        for vma in k.vmas(aspace):
            offset = vma.page_index * k.PAGE_SIZE if int(vma.file) != 0 else 0
            marks = [name for bit, name in ((k.VMA_DONTFORK, "dontfork"), (k.VMA_WIPEONFORK, "wipeonfork"),
                                            (k.VMA_GROWSDOWN, "grows")) if vma.flags & bit]
            line = (f"{vma.start:08x}-{vma.end:08x} {k.rights_text(vma.prot)}{'s' if vma.flags & k.VMA_SHARED else 'p'} "
                    f"{offset:08x} {vma.name(aspace)}")
            print((line + ("  (" + ", ".join(marks) + ")" if marks else "")).rstrip())


def describe_frame(pfn):
    frame = k.frame(pfn)
    if frame is None:
        return f"frame {pfn:#x}, not memory"
    pages = f", {frame.pages} pages beneath" if frame.kind == "table" else ""
    return f"frame {pfn:#x} {frame.kind}, {frame.refs} reference{'' if frame.refs == 1 else 's'}{pages}"


class Pt(k.Command):
    """lv-pt PID [ADDRESS]
    With an address: its walk through the page table, level by level, each entry decoded. Without: the whole table, one
    line for each run of pages with the same rights and sharing."""

    name = "lv-pt"

    def run(self, words):
        if len(words) not in (1, 2):
            self.usage()
        aspace = aspace_of(self, words[0])
        if len(words) == 2:
            self.walk(aspace, self.number(words[1], "an address"))
        else:
            self.fold(aspace)

    def walk(self, aspace, address):
        fmt = k.format_of(aspace)
        rights, is_writable, is_private = None, True, True
        print(f"{address:#x} in {fmt.name} tables, root {describe_frame(int(aspace['pt']['root']['raw']))}")
        for level, table, index, entry in k.walk(aspace, address):
            frame = k.frame(table)
            is_private = is_private and frame is not None and frame.refs == 1
            if entry is None:
                print(f"  level {level} [{index:3}]  absent")
                break
            is_writable = is_writable and entry.writable
            print(f"  level {level} [{index:3}]  {entry.raw:#018x}  {entry.flags}  -> {describe_frame(entry.pfn)}")
            if entry.is_page:
                rights = entry.prot & (7 if is_writable else ~2)
        if rights is not None:
            print(f"  effective rights {k.rights_text(rights)}, tables {'private' if is_private else 'shared'}, "
                  f"physical {entry.physical + address % k.PAGE_SIZE:#x}")
        vma = k.find_vma(aspace, address)
        print(f"  mapping: " + (f"{vma.start:#x}-{vma.end:#x} {k.rights_text(vma.prot)} {vma.name(aspace)}" if vma
                                else "none"))

    def fold(self, aspace):
        runs, tables = [], {}
        shared_under = {}

        def on_entry(address, level, table, entry, path_writable):
            frame = k.frame(entry.pfn)
            shared = shared_under.get(table, False) or (frame is not None and frame.refs > 1)
            if not entry.is_page:
                tables[level - 1] = tables.get(level - 1, 0) + 1
                shared_under[entry.pfn] = shared
                return True
            rights = entry.prot & (7 if path_writable else ~2)
            key = (rights, entry.shared, shared, frame.kind if frame else "?")
            if runs and runs[-1][1] == address and runs[-1][2] == key:
                runs[-1][1] = address + k.PAGE_SIZE
            else:
                runs.append([address, address + k.PAGE_SIZE, key])
            return True

        k.visit(aspace, on_entry)
        print(f"{int(aspace['pt']['nr_pages'])} pages, tables: 1 root" +
              "".join(f", {n} of level {level}" for level, n in sorted(tables.items(), reverse=True)))
        for start, end, (rights, is_map_shared, shared, kind) in runs:
            print(f"  {start:#014x}-{end:#014x} {(end - start) // k.PAGE_SIZE:7} {k.rights_text(rights)} {kind:6}"
                  f"{' MAP_SHARED' if is_map_shared else ''}{' shared' if shared else ' private'}")


def aspaces():
    """Every address space once, with the tasks that use it."""
    found = {}
    for process, _ in k.processes():
        for task in k.tasks_of(process):
            if int(task["aspace"]) != 0:
                found.setdefault(int(task["aspace"]), (task["aspace"], []))[1].append(task)
    return found.values()


class FrameCommand(k.Command):
    """lv-frame ADDRESS
    One frame of physical memory (a physical address): its kind, its references, every mapping of it, and in debug builds
    the stacks that allocated it and freed it last. A table that several processes share is followed once for each of them."""

    name = "lv-frame"

    def run(self, words):
        if len(words) != 1:
            self.usage()
        pfn = self.number(words[0], "a physical address") // k.PAGE_SIZE
        if k.frame(pfn) is None:
            raise gdb.GdbError(f"{words[0]}: there is no memory")
        print(describe_frame(pfn))
        for aspace, tasks in aspaces():
            who = ", ".join(f"{int(t['tid'])} {k.text(t['name'])}" for t in tasks)
            if int(aspace["pt"]["root"]["raw"]) == pfn:
                print(f"  root table of {who}")

            def on_entry(address, level, table, entry, path_writable):
                if entry.pfn == pfn:
                    what = "page" if entry.is_page else f"level-{level - 1} table"
                    rights = k.rights_text(entry.prot & (7 if path_writable else ~2)) if entry.is_page else \
                        ("writable" if path_writable else "write off")
                    print(f"  {what} at {address:#x} of {who}, {rights}, through frame {table:#x}")
                return not entry.is_page

            k.visit(aspace, on_entry)
        self.allocation(pfn)

    @staticmethod
    def allocation(pfn):
        """Debug builds: the return addresses of src/mm/frame_trace.c, whose table stands behind the metadata of all frames."""
        note = gdb.lookup_global_symbol("frame_trace_note")
        if note is None:
            return
        base = int(k.variable("frame_table_base_"))
        chunk = 1 << k.variable("buddy", "mm/buddy.c").type.range()[1]
        span = -(base - int(k.variable("end_of_memory", "mm/buddy.c"))) // chunk * chunk
        traces = k.variable("frame_table_")[base + span].address.cast(gdb.lookup_type("struct frame_trace").pointer())
        code = int(note.value().address)
        for event, what in enumerate(("allocated by", "freed last by")):
            callers = [int(distance) for distance in k.elements(traces[pfn - base]["caller"][event])]
            callers = callers[:callers.index(0)] if 0 in callers else callers
            if callers:
                print(f"  {what}")
            for distance in callers:
                print(f"    {k.code_at(code + distance - 1)}")


class Shared(k.Command):
    """lv-shared PID PID
    What two processes share: tables by level (everything beneath one is shared with it), and single pages."""

    name = "lv-shared"

    def run(self, words):
        if len(words) != 2:
            self.usage()
        first, second = (aspace_of(self, w) for w in words)
        if int(first) == int(second):
            print("they are threads of one address space")
            return
        tables, pages = {}, {}

        def collect(address, level, table, entry, path_writable):
            pages_or_tables = pages if entry.is_page else tables
            pages_or_tables[entry.pfn, address] = level
            return True

        k.visit(first, collect)
        counts = {"tables": {}, "pages": 0, "beneath": 0, "alone": 0}

        def compare(address, level, table, entry, path_writable):
            if entry.is_page:
                if (entry.pfn, address) in pages:
                    counts["pages"] += 1
                else:
                    counts["alone"] += 1
                return False
            if (entry.pfn, address) in tables:
                frame = k.frame(entry.pfn)
                counts["tables"][level - 1] = counts["tables"].get(level - 1, 0) + 1
                counts["beneath"] += frame.pages
                return False
            return True

        k.visit(second, compare)
        for level, n in sorted(counts["tables"].items(), reverse=True):
            print(f"{n} tables of level {level}")
        print(f"{counts['beneath']} pages beneath shared tables, {counts['pages']} pages shared one by one, "
              f"{counts['alone']} pages of {words[1]} not shared with {words[0]}")


class Audit(k.Command):
    """lv-audit
    Runs mm_audit() in the kernel: every invariant of memory. Needs a live kernel; its messages come on the kernel's own log."""

    name = "lv-audit"

    def run(self, words):
        try:
            nr = int(gdb.parse_and_eval("mm_audit()"))
        except gdb.error as error:
            raise gdb.GdbError(f"lv-audit: the kernel cannot be run from here: {error}")
        print("the audit found nothing" if nr == 0 else f"the audit found {nr} violations: see the kernel's log")


def register():
    for command in (VmaCommand, Pt, FrameCommand, Shared, Audit):
        command()
