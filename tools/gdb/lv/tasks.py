"""Tasks and processes: lv-ps, lv-bt, lv-fd, lv-sig, lv-log, $lv_task(), $lv_current()."""
import gdb

from . import kernel as k

STATES = {"runnable": "R", "sleeping": "S", "blocked": "D", "stopped": "T", "zombie": "Z", "dead": "X"}


def state_letter(task):
    return STATES.get(k.enum_name(task["state"], "TASK_"), "?")


def what_for(task):
    """What a sleeping task waits for: the kernel's word for it, or the system call it is in."""
    if state_letter(task) not in "SD":
        return ""
    if int(task["wait_reason"]) != 0:
        return k.text(task["wait_reason"])
    return k.syscall_name(int(task["syscall_nr"])) if bool(task["in_syscall"]) else ""


class Ps(k.Command):
    """lv-ps
    The tree of processes: pid, state (as ps(1) says it), what it waits for, resident pages, name. Threads follow their
    process, with their own number; * is the task that runs."""

    name = "lv-ps"

    def run(self, words):
        if words:
            self.usage()
        current = int(k.current_task())
        print(f"{'PID':>7} {'TID':>7} S {'RSS':>8}  {'WAITS FOR':16} NAME")
        nr_tasks = nr_processes = 0
        for process, depth in k.processes():
            nr_processes += 1
            members = list(k.tasks_of(process)) or [process["leader"]]
            for i, task in enumerate(members):
                if int(task) == 0:
                    continue
                nr_tasks += 1
                self.line(process, task, depth, i == 0, int(task) == current)
        print(f"{nr_processes} processes, {nr_tasks} tasks")

    def line(self, process, task, depth, is_first, is_current):
        rss = int(task["aspace"]["pt"]["nr_pages"]) if int(task["aspace"]) != 0 else 0
        waits = what_for(task)
        indent = "  " * depth + ("" if is_first else "- ")
        print(f"{int(process['pid']):7} {int(task['tid']):7} {state_letter(task)}{'*' if is_current else ' '}{rss:8} "
              f" {waits:16} {indent}{k.text(task['name'])}")


def one_task(command, words):
    if len(words) != 1:
        command.usage()
    return k.find_task(command.number(words[0], "a process number"))


# ---- back traces


def saved_context(task):
    """(pc, frame pointer) with which a task that is not running goes on: see arch_<arch>/context.S."""
    sp = int(task["context"]["sp"])
    pc_at, fp_at = (88, 80) if k.is_aarch64() else (48, 40)
    word = gdb.lookup_type("unsigned long").pointer()
    return int(gdb.Value(sp + pc_at).cast(word).dereference()), int(gdb.Value(sp + fp_at).cast(word).dereference())


def print_frames(pc, fp, low, high):
    """A chain of frame pointers within [low, high): {the caller's frame pointer, return address}."""
    word = gdb.lookup_type("unsigned long").pointer()
    for nr in range(64):
        print(f"#{nr:<2} {pc:#018x} {k.code_at(pc if nr == 0 else pc - 1)}")
        if not low <= fp < high - 8 or fp % 8 != 0:
            break
        record = gdb.Value(fp).cast(word)
        up, pc = int(record.dereference()), int((record + 1).dereference())
        if pc == 0:
            break
        if up != 0 and up <= fp:
            break
        fp = up


class Bt(k.Command):
    """lv-bt PID
    The kernel stack of a task. Functions the compiler inlined are shown before the one that holds them: inner < outer."""

    name = "lv-bt"

    def run(self, words):
        task = one_task(self, words)
        low = int(task["kernel_stack"])
        if low == 0:
            raise gdb.GdbError("the task has ended: it has no stack")
        print(f"task {int(task['tid'])} ({k.text(task['name'])}), {k.enum_name(task['state'], 'TASK_')}"
              + (f", waits for {what_for(task)}" if what_for(task) else ""))
        if int(task) == int(k.current_task()):
            gdb.execute("backtrace")
        else:
            print_frames(*saved_context(task), low, low + 32 * 1024)


# ---- descriptors, signals


class Fd(k.Command):
    """lv-fd PID
    The open files of a task: number, close-on-exec, access, position, references, name."""

    name = "lv-fd"

    def run(self, words):
        table = one_task(self, words)["files"]
        if int(table) == 0:
            raise gdb.GdbError("the task has ended: it has no files")
        print(f"{'FD':>4} {'MODE':5} {'POS':>10} {'REFS':>4}  NAME")
        for fd in range(int(table["capacity"])):
            file = table["files"][fd]
            if int(file) == 0:
                continue
            cloexec = int(table["cloexec"][fd // 64]) >> fd % 64 & 1
            mode = ["r", "w", "rw", "-"][int(file["flags"]) & 3] + ("c" if cloexec else "")
            print(f"{fd:4} {mode:5} {int(file['pos']):10} {int(file['refs']):4}  {k.file_name(file)}")


SIGNALS = ("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU "
           "URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS").split()


def signal_name(number):
    return SIGNALS[number - 1] if number <= len(SIGNALS) else f"RT{number - 32}"


def signal_set(bits):
    return " ".join(signal_name(i + 1) for i in range(64) if bits >> i & 1) or "none"


class Sig(k.Command):
    """lv-sig PID
    Signals of a task: pending for it, pending for its process, blocked, and what is caught or ignored."""

    name = "lv-sig"

    def run(self, words):
        task = one_task(self, words)
        private = task["sig"]
        print("pending (task):    " + signal_set(int(private["queue"]["pending"])))
        print("pending (process): " + signal_set(int(task["process"]["signal"]["queue"]["pending"])))
        print("blocked:           " + signal_set(int(private["blocked"])))
        if int(private["hand"]) == 0:
            return
        field = private["hand"]["actions"][0].type.fields()[0].name
        handlers = [int(private["hand"]["actions"][i][field]) for i in range(64)]
        print("ignored:           " + signal_set(sum(1 << i for i, h in enumerate(handlers) if h == 1)))
        for i, handler in enumerate(handlers):
            if handler > 1:
                print(f"caught:            {signal_name(i + 1)} by {handler:#x}")


class Log(k.Command):
    """lv-log
    The kernel's messages, as dmesg shows them."""

    name = "lv-log"

    def run(self, words):
        ring = k.variable("ring", "lib/log.c")
        size = ring.type.sizeof
        end = int(k.variable("ring_end", "lib/log.c"))
        raw = k.read(int(ring.address), size)
        start = end % size
        content = raw[:end] if end <= size else raw[start:] + raw[:start]
        print(content.decode(errors="replace"), end="")


class TaskFunction(gdb.Function):
    """$lv_task(PID): the struct task of that number."""

    def __init__(self):
        super().__init__("lv_task")

    def invoke(self, pid):
        with k.kernel_selected():
            return k.find_task(int(pid))


class CurrentFunction(gdb.Function):
    """$lv_current(): the task that runs, or that ran when the kernel was entered."""

    def __init__(self):
        super().__init__("lv_current")

    def invoke(self):
        with k.kernel_selected():
            return k.current_task()


def register():
    for command in (Ps, Bt, Fd, Sig, Log):
        command()
    TaskFunction()
    CurrentFunction()
