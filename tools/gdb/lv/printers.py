"""Pretty printers for the kernel's small types: addresses, frame numbers, rights, entries, lists."""
import gdb
import gdb.printing

from . import kernel as k


class Raw:
    """The one-member structs of lib/types.h."""

    def __init__(self, value):
        self.value = value

    def number(self):
        return int(self.value["raw"])


class Address(Raw):
    def to_string(self):
        return f"{self.number():#x}"


class Pfn(Raw):
    def to_string(self):
        return f"frame {self.number():#x}" if self.number() != 0 else "no frame"


class Prot(Raw):
    def to_string(self):
        return k.rights_text(self.number())


class List:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        if int(self.value["next"]) == 0:
            return "list (not initialised)"
        return "empty list" if int(self.value["next"]) == int(self.value.address or 0) else "list"


class Task:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return f"task {int(self.value['tid'])} ({k.text(self.value['name'])})"

    def children(self):
        return ((f.name, self.value[f.name]) for f in self.value.type.fields())


def register():
    printers = gdb.printing.RegexpCollectionPrettyPrinter("levitate")
    for name, printer in (("paddr_t", Address), ("uaddr_t", Address), ("pte_t", Address), ("pfn_t", Pfn), ("prot_t", Prot),
                          ("list", List), ("task", Task)):
        printers.add_printer(name, f"^{name}$", printer)
    gdb.printing.register_pretty_printer(None, printers, replace=True)
