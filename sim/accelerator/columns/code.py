"""Makes of the C++ that Verilator writes for one column a program that computes several columns at once.

The text of its functions stays; its types become the vectors of ``native/lanes.h``. That needs functions without
conditions, loops and calls, as adders without state but registers are; of others there is no such program.
"""

import re
from collections.abc import Mapping

from bitjoule.sim.accelerator.columns.split import STANDIN, Port, Split

_FLAGS = re.MULTILINE | re.DOTALL
_FUNCTION = re.compile(r"^void \w+___024root___(ico|nba)_\w+__TOP__(\d+)\(.*?\) \{\n(.*?)^\}\n", _FLAGS)
_SETTING = re.compile(
    r"^ +(?:VL_DEBUG_IF\(.*\);|\w+__Syms\* const __restrict vlSymsp .*;|auto& vlSelfRef = .*;|// .*)\n", re.MULTILINE
)
_LOCAL = re.compile(r"^ +[CSIQ]Data/\*\d+:0\*/ (\w+);$", re.MULTILINE)
_MEMBER = re.compile(r"^ +([CSIQ])Data/\*(\d+):0\*/ (\w+);$", re.MULTILINE)
_TOKEN = re.compile(r"\s+|/\*\d+:0\*/|\d\w*|(?:vlSelfRef\.)?[A-Za-z_]\w*|<<|>>|([&|=])(?!\1)|[-^~+();\[\]]")
_NUMBER = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:U|ULL)?")
_SHIFT = re.compile(r"(?:<<|>>)\s*(?!\s|0x[0-9a-f]+U|\d+U)")
_STATE = re.compile(r"^ +always @\(", re.MULTILINE)
_SET_FIRST = re.compile(r"^ +(?:initial\b|reg .*= \d+'h[0_]*[1-9a-fxz])", re.MULTILINE)  # all state is zero at first
_TYPES = {"CData", "SData", "IData", "QData"}
_SHARED = {1: "uint32_t {}", 2: "uint64_t {}"}  # by the words that hold a port; of more, by its address
_APART = {1: "Lanes {}", 2: "Lanes64 {}"}
_HALVES = (".low", ".high")


def columns_code(split: Split, sources: str, header: str, lanes: int) -> str | None:
    """Return the C++ of the class `Columns`, or None where the column's functions are not of that kind.

    Parameters
    ----------
    split
        The Verilog that was given to Verilator.
    sources, header
        What it wrote for the column: its functions, and its class with all signals.
    lanes
        Columns of a vector.
    """
    bodies: dict[str, str] = {}
    for region, number, text in _FUNCTION.findall(sources):
        if region in bodies or number != "0":
            return None  # in what order they are called is not known
        bodies[region] = _SETTING.sub("", text)
    if "ico" not in bodies or _SET_FIRST.search(split.column) or ("nba" not in bodies and _STATE.search(split.column)):
        return None
    kept = {name: "Lanes64" if kind == "Q" else "Lanes" for kind, _, name in _MEMBER.findall(header)}
    inputs = {port.name: _input_type(port) for port in split.ports}
    used = set(re.findall(r"vlSelfRef\.(\w+)", "".join(bodies.values())))
    names = used & (inputs.keys() | kept.keys())
    if used - names or not all(_is_plain(body, names) for body in bodies.values()):
        return None
    assigned = set(re.findall(r"vlSelfRef\.(\w+)\s*=[^=]", "".join(bodies.values())))
    state = sorted(used - inputs.keys())
    if set(state) - assigned:
        return None
    return _program(split, bodies, {name: kept[name] for name in state}, inputs, lanes)


def _input_type(port: Port) -> str:
    if port.shared:
        return _SHARED.get(port.words, "const uint32_t* {}")
    return _APART.get(port.words, f"Lanes {{}}[{port.words}]")


def _word(port: Port, word: int) -> str:
    """Return what selects a word of a port that columns do not share."""
    if port.words <= len(_HALVES):
        return _HALVES[word] if port.words == len(_HALVES) else ""
    return f"[{word}]"


def _is_plain(body: str, names: set[str]) -> bool:
    """Return whether a function has nothing but assignments with the operators that vectors have."""
    known = {f"vlSelfRef.{name}" for name in names} | _TYPES | set(_LOCAL.findall(body))
    at = 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None:
            return False
        word = token[0]
        if (word[0].isalpha() or word[0] == "_") and word not in known:
            return False
        if word[0].isdigit() and not _NUMBER.fullmatch(word):
            return False
        at = token.end()
    return not _SHIFT.search(body)


def _program(
    split: Split, bodies: Mapping[str, str], state: Mapping[str, str], inputs: Mapping[str, str], lanes: int
) -> str:
    prefix = f"{split.path.replace('.', '__DOT__')}__DOT__{STANDIN}__DOT__"
    groups = -(-split.columns // lanes)
    members = [f"    {kind.format(name)};" for name, kind in inputs.items()]
    members += [f"    {kind} {name}{{}};" for name, kind in state.items()]
    loads: list[str] = []
    stores: list[str] = []
    for port in split.ports:
        if port.shared:
            value = f"root.{prefix}{port.name}"
            address = f"reinterpret_cast<const uint32_t*>(&{value})"
            loads.append(f"        at.{port.name} = {value if port.words in _SHARED else address};")
            continue
        for word in range(port.words):
            signal = f"reinterpret_cast<uint32_t*>(&root.{prefix}{port.name}_w{word}) + group * side"
            line = f"        at.{port.name}{_word(port, word)}.{'store' if port.output else 'load'}({signal});"
            (stores if port.output else loads).append(line)
    return _PROGRAM.format(
        members="\n".join(members),
        settled=bodies["ico"],
        clocked=bodies.get("nba", ""),
        groups=groups,
        loads="\n".join(loads),
        stores="\n".join(stores),
    )


_PROGRAM = """\
#include "Vmodel___024root.h"
#include "columns.h"
#include "lanes.h"

namespace {{

typedef Lanes CData;
typedef Lanes SData;
typedef Lanes IData;
typedef Lanes64 QData;

struct Column {{
{members}
}};

void settled(Column& vlSelfRef) {{
{settled}}}

void clocked(Column& vlSelfRef) {{
{clocked}}}

}}  // namespace

struct Columns::State {{
    Column groups[{groups}];
}};

Columns::Columns() : state_(new State) {{}}
Columns::~Columns() = default;

void Columns::clock() {{
    for (Column& at : state_->groups) {{
        clocked(at);
    }}
}}

void Columns::settle(Vmodel___024root& root) {{
    for (int group = 0; group < {groups}; ++group) {{
        Column& at = state_->groups[group];
{loads}
        settled(at);
{stores}
    }}
}}
"""
