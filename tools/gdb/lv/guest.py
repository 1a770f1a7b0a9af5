"""Guest programs: lv-ubt (a user stack through the page tables) and lv-attach (the program itself in a second inferior)."""
import os
import struct

import gdb
from gdb.unwinder import Unwinder

from . import kernel as k

STUB_SIGNALS = "SIGSYS SIGSEGV SIGUSR1"


def user_registers(task):
    """(pc, sp, frame pointer) of the user program, as they were when it entered the kernel."""
    frame = task["frame"]
    if k.is_aarch64():
        return int(frame["pc"]), int(frame["sp"]), int(frame["x"][29])
    return int(frame["rip"]), int(frame["rsp"]), int(frame["rbp"])


def place_of(aspace, address):
    vma = k.find_vma(aspace, address)
    if vma is None:
        return "not mapped"
    name = vma.name(aspace) or "anonymous memory"
    return f"{name}+{address - vma.start + vma.page_index * k.PAGE_SIZE * (int(vma.file) != 0):#x}"


class Ubt(k.Command):
    """lv-ubt PID
    The user stack of a task, read through its page tables, by frame pointers: address, and file+offset of the code.
    lv-attach shows the same with the program's own symbols."""

    name = "lv-ubt"

    def run(self, words):
        if len(words) != 1:
            self.usage()
        task = k.find_task(self.number(words[0], "a process number"))
        aspace = k.task_aspace(task)
        pc, sp, fp = user_registers(task)
        for nr in range(64):
            print(f"#{nr:<2} {pc:#018x} {place_of(aspace, pc)}")
            record = k.user_read(aspace, fp, 16) if fp >= sp and fp % 8 == 0 else None
            if record is None:
                break
            up, pc = struct.unpack("<QQ", record)
            vma = k.find_vma(aspace, pc)
            if up <= fp or vma is None or not vma.prot & 4:
                break
            fp = up


class GuestUnwinder(Unwinder):
    """
    A guest that gdb attached to stands in its stub, which waits for the kernel; the caller of that frame is the guest, with the
    registers the kernel keeps for it.
    """

    def __init__(self):
        super().__init__("levitate-guest")
        self.registers = {}  # pid of the stub: (stub's lowest address, {register: value})

    def __call__(self, pending):
        known = self.registers.get(gdb.selected_inferior().pid)
        pc = int(pending.read_register("pc"))
        if known is None or pc < known[0]:
            return None
        word = pending.read_register("sp").type
        below_guest = gdb.Value(known[1]["rsp"] - 512).cast(word)  # gdb wants callers at higher addresses
        info = pending.create_unwind_info(FrameId(below_guest, pending.read_register("pc")))
        for name, value in known[1].items():
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


unwinder = GuestUnwinder()
X86_REGISTERS = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi rip rsp".split()


class Attach(k.Command):
    """lv-attach PID
    Opens the guest program of a process in an inferior of its own, with its symbols, stopped where it is: `backtrace` there
    shows the stub's frame first, then the program's. `inferior 1` goes back to the kernel; `detach` lets the program go.
    Hosted kernel only, while it is alive."""

    name = "lv-attach"

    def run(self, words):
        if len(words) != 1:
            self.usage()
        task = k.find_task(self.number(words[0], "a process number"))
        aspace = k.task_aspace(task)
        if gdb.lookup_global_symbol("engine_stats") is None:
            raise gdb.GdbError("lv-attach: only the hosted kernel's guests are processes")
        if int(aspace["machine"]) == 0:
            raise gdb.GdbError("lv-attach: the address space is not in use")
        stub = gdb.Value(int(aspace["machine"])).cast(gdb.lookup_type("struct stub").pointer())
        pid = int(stub["pid"])
        frame = task["frame"]
        registers = {name: int(frame[name]) for name in X86_REGISTERS}
        low = int(gdb.parse_and_eval("arch_user_end()"))
        images = self.images(aspace)
        self.open(pid, images)
        unwinder.registers[pid] = (low, registers)
        gdb.execute("maintenance flush register-cache", to_string=True)
        print(f"process {words[0]} is inferior {gdb.selected_inferior().num} (host process {pid})")

    @staticmethod
    def images(aspace):
        """The files the program runs code from: {host path: lowest address of its first page}."""
        found = {}
        for vma in k.vmas(aspace):
            if int(vma.file) != 0 and vma.name(aspace).startswith("/"):
                found.setdefault(vma.name(aspace), vma.start - vma.page_index * k.PAGE_SIZE)
        return {name: base for name, base in found.items() if os.path.exists(name)}

    @staticmethod
    def open(pid, images):
        gdb.execute("set schedule-multiple off")
        gdb.execute("add-inferior", to_string=True)
        new = max(i.num for i in gdb.inferiors())
        gdb.execute(f"inferior {new}", to_string=True)
        gdb.execute(f"handle {STUB_SIGNALS} nostop noprint pass", to_string=True)
        gdb.execute("set auto-solib-add off")
        gdb.execute(f"attach {pid}", to_string=True)
        gdb.execute("symbol-file", to_string=True)
        for name, base in images.items():
            offset = base if elf_is_relocatable(name) else 0
            try:
                gdb.execute(f"add-symbol-file {name} -o {offset:#x}", to_string=True)
            except gdb.error as error:
                print(f"{name}: no symbols: {error}")


def elf_is_relocatable(path):
    with open(path, "rb") as file:
        header = file.read(18)
    return header[:4] == b"\x7fELF" and struct.unpack("<H", header[16:18])[0] == 3


class AttachCommand(Attach):
    """The new inferior stays selected: no going back at the end."""

    __doc__ = Attach.__doc__

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        with k.kernel_selected():
            pass
        self.run(gdb.string_to_argv(argument))


def register():
    Ubt()
    AttachCommand()
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
