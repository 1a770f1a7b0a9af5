"""Reading the kernel's data: lists, tasks, files' names, physical memory, page tables, the symbols of an address.

Nothing here runs code in the program under gdb, so it works on core dumps too.
"""
import struct

import gdb

PAGE_SIZE = 4096


class Command(gdb.Command):
    """A command whose errors are one line. Subclasses have `name`, `run(self, words)` and a doc string."""

    name = None

    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        try:
            with kernel_selected():
                self.run(gdb.string_to_argv(argument))
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"{self.name}: cannot read memory: {error}")

    def usage(self):
        raise gdb.GdbError("usage: " + self.__doc__.split("\n")[0].rstrip("."))

    def number(self, word, what):
        try:
            return int(gdb.parse_and_eval(word))
        except (gdb.error, ValueError):
            raise gdb.GdbError(f"{self.name}: {word}: not {what}")


kernel_inferior = None


class kernel_selected:
    """While it lasts the kernel's inferior is the selected one (lv-attach makes others)."""

    def __enter__(self):
        global kernel_inferior
        self.before = gdb.selected_inferior().num
        self.thread = gdb.selected_thread()
        if has_kernel():
            kernel_inferior = self.before
        else:
            for inferior in gdb.inferiors():
                if inferior.num == kernel_inferior and inferior.threads():
                    inferior.threads()[0].switch()
        if not has_kernel():
            raise gdb.GdbError("this program is not a Levitate kernel, or has no symbols")
        if gdb.selected_thread() is None:
            raise gdb.GdbError("the kernel is not running")

    def __exit__(self, *exception):
        if gdb.selected_inferior().num != self.before and self.thread is not None:
            self.thread.switch()


def has_kernel():
    return gdb.lookup_global_symbol("init_process") is not None


def variable(name, file=""):
    """A variable of the kernel: global, or static (then of the file whose path ends so)."""
    symbol = gdb.lookup_global_symbol(name)
    if symbol is None:
        of_files = (s for s in gdb.lookup_static_symbols(name) if s.symtab.filename.endswith(file))
        symbol = next(of_files, None)
    if symbol is None:
        raise gdb.GdbError(f"the kernel has no variable {name}: another version?")
    return symbol.value()


def type_of(name):
    return gdb.lookup_type(name)


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def elements(array):
    low, high = array.type.range()
    return (array[i] for i in range(low, high + 1))


def list_entries(head, type_name, member):
    """The objects of a struct list."""
    kind = type_of(type_name)
    offset = next(f for f in kind.fields() if f.name == member).bitpos // 8
    end = int(head.address)
    link = int(head["next"])
    pointer = kind.pointer()
    link_type = type_of("struct list").pointer()
    while link != end and link != 0:
        yield gdb.Value(link - offset).cast(pointer)
        link = int(gdb.Value(link).cast(link_type)["next"])


# ---- tasks


def processes():
    """All processes, parents before their children, each with its depth in the tree."""
    todo = [(variable("init_process"), 0)]
    while todo:
        process, depth = todo.pop()
        if int(process) == 0:
            continue
        yield process, depth
        children = list(list_entries(process["children"], "struct process", "sibling"))
        todo.extend((child, depth + 1) for child in reversed(children))


def tasks_of(process):
    return list_entries(process["tasks"], "struct task", "process_link")


def find_task(tid):
    for process, _ in processes():
        leader = process["leader"]
        if int(leader) != 0 and int(leader["tid"]) == tid:
            return leader
        for task in tasks_of(process):
            if int(task["tid"]) == tid:
                return task
    raise gdb.GdbError(f"no task has the number {tid}")


def current_task():
    return variable("arch_boot_cpu")["current"]


def task_aspace(task):
    if int(task["aspace"]) == 0:
        raise gdb.GdbError(f"task {int(task['tid'])} has no address space")
    return task["aspace"]


def text(value, limit=256):
    """A C string, or an array of char up to its NUL."""
    if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
        if int(value) == 0:
            return ""
        return value.string(errors="replace", length=-1)[:limit]
    return value.string(errors="replace").split("\0")[0][:limit]


def enum_name(value, prefix=""):
    name = str(value)
    return name[len(prefix):].lower() if name.startswith(prefix) else name


def syscall_name(number):
    try:
        return text(variable("syscall_table")[number]["name"])
    except (gdb.error, gdb.GdbError):
        return f"system call {number}"


# ---- files


def dentry_path(path):
    """The name of a struct path, across mounts."""
    dentry, mount = path["dentry"], path["mount"]
    parts = []
    while int(dentry) != 0:
        if int(mount) != 0 and int(dentry) == int(mount["root"]):
            if int(mount["parent"]) == 0:
                return "/" + "/".join(reversed(parts))
            dentry, mount = mount["mountpoint"], mount["parent"]
            continue
        parts.append(dentry["name"].string(errors="replace", length=int(dentry["name_len"])))
        dentry = dentry["parent"]
    return "/".join(reversed(parts))


KINDS = {0o010000: "pipe", 0o140000: "socket"}


def file_name(file):
    if int(file["anon_name"]) != 0:
        return text(file["anon_name"])
    inode = file["inode"]
    kind = int(inode["mode"]) & 0o170000 if int(inode) != 0 else 0
    if int(file["path"]["dentry"]) == 0 or (kind in KINDS and not int(file["path"]["mount"])):
        return f"{KINDS.get(kind, 'file')}:[{int(inode['ino']) if int(inode) else 0}]"
    name = dentry_path(file["path"])
    if name.startswith("/"):
        return name + (" (deleted)" if bool(file["path"]["dentry"]["is_unlinked"]) else "")
    return f"{KINDS.get(kind, 'file')}:[{int(inode['ino'])}]"


# ---- VMAs

VMA_SHARED, VMA_GROWSDOWN, VMA_DONTFORK, VMA_WIPEONFORK = 1, 2, 4, 8
VMA_HEAP, VMA_STACK = 1 << 8, 1 << 9


class Vma:
    def __init__(self, value):
        self.start, self.end = int(value["start"]), int(value["end"])
        self.flags, self.prot = int(value["flags"]), int(value["prot"]["raw"])
        self.page_index = int(value["page_index"])
        self.file = value["file"]

    def name(self, aspace):
        if int(self.file) != 0:
            return file_name(self.file)
        if self.flags & VMA_HEAP:
            return "[heap]"
        if self.flags & VMA_STACK or self.start < int(aspace["stack_top"]) <= self.end:
            return "[stack]"
        return ""


def vmas(aspace):
    def below(node):
        count = int(node["count"])
        if int(node["level"]) > 0:
            for i in range(count):
                yield from below(node["child"][i]["node"])
        else:
            for i in range(count):
                yield Vma(node["vma"][i])

    root = aspace["vmas"]["root"]
    if int(root) != 0:
        yield from below(root)


def find_vma(aspace, address):
    return next((v for v in vmas(aspace) if v.start <= address < v.end), None)


def rights_text(prot):
    return "".join(c if prot & 1 << i else "-" for i, c in enumerate("rwx"))


# ---- frames

FRAME_KINDS = ["free", "reserved", "anon", "cache", "table", "slab", "kernel"]


class Frame:
    """What the metadata says of one frame; None where there is none."""

    def __init__(self, pfn):
        meta = variable("frame_table_")[pfn]
        info = int(meta["info"])
        self.pfn, self.refs = pfn, int(meta["refs"])
        self.kind = FRAME_KINDS[info >> 29] if info >> 29 < len(FRAME_KINDS) else f"kind {info >> 29}"
        self.pages = info & (1 << 29) - 1
        self.order = info >> 25 & 15


def frame(pfn):
    first = int(variable("frame_table_base_"))
    if not first <= pfn < first + (1 << 26):
        return None
    try:
        return Frame(pfn)
    except gdb.MemoryError:
        return None


def phys_read(physical, size):
    return read(int(variable("arch_phys_base")) + physical, size)


# ---- page tables


class X86Format:
    """Intel SDM vol. 3A, 4.5, and the software bits of src/arch_x86_64/pte.h."""

    name, levels, bits = "x86_64", 4, 9
    ADDRESS = 0x000FFFFFFFFFF000

    @classmethod
    def decode(cls, raw, level):
        present = bool(raw & 1)
        physical = (raw if present else ~raw) & cls.ADDRESS
        if level > 1:
            return Entry(raw, physical, False, bool(raw & 2), flags(raw, [(0, "P"), (1, "RW"), (2, "US"), (5, "A")]))
        prot = (0 if raw & 1 << 10 else 1) | (2 if raw & 2 else 0) | (0 if raw >> 63 else 4)
        names = [(0, "P"), (1, "RW"), (2, "US"), (5, "A"), (6, "D"), (9, "shared"), (10, "no-read"), (63, "NX")]
        return Entry(raw, physical, True, bool(raw & 2), flags(raw, names), prot, bool(raw & 1 << 9))


class ArmFormat:
    """Arm ARM D8.3, and the software bits of src/arch_aarch64/pte.h."""

    name, levels, bits = "aarch64", 4, 9
    ADDRESS = 0x0000FFFFFFFFF000

    @classmethod
    def decode(cls, raw, level):
        physical = raw & cls.ADDRESS
        if level > 1:
            return Entry(raw, physical, False, not raw >> 62 & 1, flags(raw, [(0, "valid"), (62, "APTable-RO")]))
        never = 54 if raw >> 11 & 1 else 53
        prot = (0 if raw >> 58 & 1 else 1) | (2 if raw >> 56 & 1 else 0) | (0 if raw >> never & 1 else 4)
        names = [(0, "valid"), (6, "EL0"), (7, "RO"), (10, "AF"), (11, "nG"), (53, "PXN"), (54, "UXN"), (55, "dirty"),
                 (56, "write"), (57, "shared"), (58, "no-read")]
        return Entry(raw, physical, True, bool(raw >> 56 & 1), flags(raw, names), prot, bool(raw >> 57 & 1))


def flags(raw, names):
    return " ".join(name for bit, name in names if raw >> bit & 1)


class Entry:
    def __init__(self, raw, physical, is_page, writable, flag_text, prot=0, shared=False):
        self.raw, self.physical, self.pfn = raw, physical, physical // PAGE_SIZE
        self.is_page, self.writable, self.flags, self.prot, self.shared = is_page, writable, flag_text, prot, shared


FORMATS = {f.name: f for f in (X86Format, ArmFormat)}


def format_of(aspace):
    name = text(aspace["pt"]["ops"]["name"])
    if name not in FORMATS:
        raise gdb.GdbError(f"page tables of format {name} are not known to gdb")
    return FORMATS[name]


def user_slots(fmt, level, aspace):
    """Slots of a root beyond the user's addresses are the machine's."""
    count = 1 << fmt.bits
    if level == fmt.levels:
        span = PAGE_SIZE << (level - 1) * fmt.bits
        count = min(count, (int(aspace["user_end"]) + span - 1) // span)
    return count


def table_entries(aspace, fmt, table, level):
    """(index, Entry) of the slots in use."""
    count = user_slots(fmt, level, aspace)
    for i, raw in enumerate(struct.unpack(f"<{count}Q", phys_read(table * PAGE_SIZE, 8 * count))):
        if raw != 0:
            yield i, fmt.decode(raw, level)


def walk(aspace, address):
    """[(level, table's frame, index, Entry or None)], from the root down to the page or the first hole."""
    fmt = format_of(aspace)
    table, level, steps = int(aspace["pt"]["root"]["raw"]), fmt.levels, []
    while True:
        index = address >> 12 + (level - 1) * fmt.bits & (1 << fmt.bits) - 1
        raw = struct.unpack("<Q", phys_read(table * PAGE_SIZE + 8 * index, 8))[0]
        entry = fmt.decode(raw, level) if raw != 0 else None
        steps.append((level, table, index, entry))
        if entry is None or entry.is_page:
            return steps
        table, level = entry.pfn, level - 1


def visit(aspace, on_entry):
    """Calls on_entry(address, level, table's frame, Entry, path_writable); it says whether to go down."""
    fmt = format_of(aspace)

    def below(table, level, base, writable):
        span = PAGE_SIZE << (level - 1) * fmt.bits
        for index, entry in table_entries(aspace, fmt, table, level):
            address = base + index * span
            path = writable and entry.writable
            if on_entry(address, level, table, entry, path) and not entry.is_page:
                below(entry.pfn, level - 1, address, path)

    below(int(aspace["pt"]["root"]["raw"]), fmt.levels, 0, True)


def user_read(aspace, address, size):
    """Bytes of the guest's memory, or None where a page is missing."""
    out = b""
    while size > 0:
        entry = walk(aspace, address)[-1][3]
        if entry is None or not entry.is_page:
            return None
        offset = address % PAGE_SIZE
        n = min(size, PAGE_SIZE - offset)
        out += phys_read(entry.physical + offset, n)
        address, size = address + n, size - n
    return out


# ---- code


def symbol_at(pc):
    """Names of the functions at pc, innermost first (inlined ones too), each with its place."""
    names = []
    try:
        block = gdb.block_for_pc(pc)
    except (RuntimeError, gdb.error):
        block = None
    place = gdb.find_pc_line(pc)
    where = f"{place.symtab.filename}:{place.line}" if place.symtab is not None else ""
    while block is not None and not block.is_global and not block.is_static:
        if block.function is not None:
            names.append((block.function.print_name, where))
            if block.function.symtab is None or block.superblock is None:
                break
            where = f"{block.function.symtab.filename}" if not names[1:] else where
        block = block.superblock
    if not names:
        symbol = gdb.execute(f"info symbol {pc}", to_string=True).split(" in section")[0].strip()
        names.append((symbol if "No symbol" not in symbol else "??", where))
    return names


def code_at(pc):
    """The same in one line: inner < outer at file:line."""
    names = symbol_at(pc)
    where = names[0][1]
    return " < ".join(name for name, _ in names) + (f" at {where}" if where else "")


def is_aarch64():
    return "aarch64" in gdb.selected_inferior().architecture().name()
