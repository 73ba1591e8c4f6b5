"""Takes the columns out of an accelerator's Verilog, so that a program can evaluate all of them at once.

The text of the column's module stays as it is; only its instances are replaced, by one module without contents whose
signals the program reads and writes.
"""

import re
from dataclasses import dataclass

COLUMN = "column"
STANDIN = "columns"
WORD_BITS = 32
_MODULE = re.compile(r"^module (\S+) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  (input|output) (?:reg )?(?:\[(\d+):0\] )?(\S+?) ?(?:=.*)?;$", re.MULTILINE)
_INSTANCE = re.compile(r"^  (\S+) +column(\d+) +\(\n(.*?)^  \);\n", re.MULTILINE | re.DOTALL)
_CONNECTION = re.compile(r"^    \.(\S+?)\((.*?)\),?$", re.MULTILINE)
_SUBMODULE = re.compile(r"^  (\\\S+|[A-Za-z_]\w*) +\S+ +\(\n    \.", re.MULTILINE)
_CONTROL = ("clk", "rst")


@dataclass(frozen=True)
class Port:
    """A data port of a column.

    Parameters
    ----------
    name
        Its name.
    bits
        Its width in one column.
    output
        Whether the column drives it.
    shared
        Whether every column has the same value.
    """

    name: str
    bits: int
    output: bool
    shared: bool

    @property
    def words(self) -> int:
        """Words of 32 bits that hold a value."""
        return -(-self.bits // WORD_BITS)


@dataclass(frozen=True)
class Split:
    """An accelerator's Verilog in two parts.

    Parameters
    ----------
    rest
        The Verilog without columns. Of each word of a port that columns do not share, all columns' are one signal of
        the module `STANDIN`, ``NAME_wI``, from column 0 upwards, 32 bits each.
    column
        The Verilog of one column; its module is called `COLUMN`.
    ports
        The column's, clock and reset left out.
    columns
        How many there are.
    path
        Where the stand-in is, from the top module on, without it.
    """

    rest: str
    column: str
    ports: tuple[Port, ...]
    columns: int
    path: str


def split_columns(verilog: str, core: str, lanes: int) -> Split | None:
    """Return the two parts, or None where the columns cannot be told from the text.

    Parameters
    ----------
    verilog
        As `bitjoule.rtl.verilog.accelerator_verilog` writes it.
    core
        The module that has the columns, by its path from the top module on: ``TOP.NAME``.
    lanes
        A multiple of so many columns is simulated; what is missing gets zeros.
    """
    modules = {match[1]: match[0] for match in _MODULE.finditer(verilog)}
    core_text = modules.get(f"\\{core}")
    instances = {int(match[2]): match for match in _INSTANCE.finditer(core_text or "")}
    kinds = {match[1] for match in instances.values()}
    if core_text is None or len(kinds) != 1 or sorted(instances) != list(range(len(instances))):
        return None
    (kind,) = kinds
    wires = [dict(_CONNECTION.findall(instances[place][3])) for place in range(len(instances))]
    declared = {name: (way, int(top or 0) + 1) for way, top, name in _PORT.findall(modules[kind])}
    if any(wire.keys() != declared.keys() for wire in wires) or set(_CONTROL) - declared.keys():
        return None
    ports = tuple(
        Port(name, bits, way == "output", way == "input" and len({wire[name] for wire in wires}) == 1)
        for name, (way, bits) in declared.items()
        if name not in _CONTROL
    )
    padded = -(-len(wires) // lanes) * lanes
    replaced = core_text.replace(instances[0][0], _instance(ports, wires, padded), 1)
    for place in range(1, len(wires)):
        replaced = replaced.replace(instances[place][0], "", 1)
    column = _with_submodules(kind, modules)
    rest = verilog.replace(core_text, replaced, 1) + _standin(ports, padded)
    return Split(rest, column.replace(f"{kind} ", f"{COLUMN} "), ports, len(wires), core)


def _with_submodules(kind: str, modules: dict[str, str]) -> str:
    text, waiting, seen = "", [kind], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in modules:
            continue
        seen.add(name)
        text += modules[name]
        waiting += _SUBMODULE.findall(modules[name])
    return text


def _signals(ports: tuple[Port, ...], padded: int) -> list[tuple[Port, int, str, int]]:
    """Return of each signal of the stand-in its port, which word of it, its name and its width."""
    signals = []
    for port in ports:
        if port.shared:
            signals.append((port, 0, port.name, port.bits))
        else:
            signals += [(port, i, f"{port.name}_w{i}", padded * WORD_BITS) for i in range(port.words)]
    return signals


def _instance(ports: tuple[Port, ...], wires: list[dict[str, str]], padded: int) -> str:
    declarations, connections = [], []
    for port, word, name, bits in _signals(ports, padded):
        if port.shared:
            connections.append(f"    .{name}({wires[0][port.name]})")
            continue
        connections.append(f"    .{name}({STANDIN}_{name})")
        first = word * WORD_BITS
        taken = min(port.bits - first, WORD_BITS)
        declarations.append(f"  wire [{bits - 1}:0] {STANDIN}_{name};\n")
        for place, wire in enumerate(wires):
            at = f"{STANDIN}_{name}[{place * WORD_BITS + taken - 1}:{place * WORD_BITS}]"
            whole = f"{STANDIN}_{port.name}_{place}"
            part = f"{whole}[{first + taken - 1}:{first}]"
            if word == 0:
                declarations.append(f"  wire [{port.bits - 1}:0] {whole};\n")
                source, target = (whole, wire[port.name]) if port.output else (wire[port.name], whole)
                declarations.append(f"  assign {target} = {source};\n")
            declarations.append(f"  assign {part} = {at};\n" if port.output else f"  assign {at} = {part};\n")
            if not port.output and taken < WORD_BITS:
                top = (place + 1) * WORD_BITS
                declarations.append(f"  assign {STANDIN}_{name}[{top - 1}:{top - WORD_BITS + taken}] = 0;\n")
        if not port.output and padded > len(wires):
            declarations.append(f"  assign {STANDIN}_{name}[{bits - 1}:{len(wires) * WORD_BITS}] = 0;\n")
    return "".join(declarations) + f"  {STANDIN} {STANDIN} (\n" + ",\n".join(connections) + "\n  );\n"


def _standin(ports: tuple[Port, ...], padded: int) -> str:
    signals = _signals(ports, padded)
    lines = [f"module {STANDIN} ({', '.join(name for _, _, name, _ in signals)});"]
    for port, _, name, bits in signals:
        way, access = ("output", "rw") if port.output else ("input", "rd")
        lines.append(f"  {way} [{bits - 1}:0] {name} /*verilator public_flat_{access}*/;")
    return "\n".join([*lines, "endmodule\n"])
