"""Liberty files as text: groups, attributes and units, and what is wrong with a file that is none."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_INNER = r"[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*"
_LARGE = re.compile(r"\b(?:timing|internal_power)\s*\([^()]*\)\s*\{" + _INNER + r"\}")
_CELL = re.compile(r"\bcell\s*\(\s*\"?([^()\"]+?)\"?\s*\)\s*\{")
_TOKEN = re.compile(r'(\w+)\s*(?:\(([^()]*)\)\s*(\{)?|:\s*("[^"]*"|[^;\n}]*))\s*;?|(\})')
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*,?\s*([a-zA-Z]+)\s*")
_PREFIX = {"a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
NS_PER_OHM_FF = 1e-6
SHOWN = 40  # characters of a list in a message


class LibertyError(ValueError):
    """A file is not Liberty, or a library lacks what is needed."""


@dataclass
class Group:
    """One ``kind (name) { ... }`` of a Liberty file, as written."""

    kind: str
    arguments: str
    attributes: dict[str, str] = field(default_factory=dict)
    complex_attributes: dict[str, str] = field(default_factory=dict)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    groups: list["Group"] = field(default_factory=list)

    def of(self, kind: str) -> Iterator["Group"]:
        """Yield the groups of a kind directly below this one."""
        return (group for group in self.groups if group.kind == kind)

    def text(self, name: str) -> str:
        """Return an attribute, written with a colon or in parentheses.

        Raises
        ------
        LibertyError
            There is none.
        """
        value = self.attributes.get(name, self.complex_attributes.get(name))
        if value is None:
            raise LibertyError(f"{self.kind} ({self.arguments}) has no {name}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Return an attribute that is a number.

        Raises
        ------
        LibertyError
            It is none, or there is none and no default.
        """
        if default is not None and name not in self.attributes:
            return default
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        raise LibertyError(f"{self.kind} ({self.arguments}): {name} is not a number: {text!r}")


@dataclass(frozen=True)
class Units:
    """What a file's units are in ours: fF, ns, fJ and nW."""

    ff: float
    ns: float
    fj: float
    nw: float


def cell_texts(text: str) -> dict[str, str]:
    """Return the part of a text (without comments) that begins with each cell."""
    starts = list(_CELL.finditer(text))
    ends = [*(match.start() for match in starts), len(text)]
    return {match[1].strip(): text[begin:end] for match, (begin, end) in zip(starts, pairwise(ends), strict=True)}


def parse(text: str) -> Group:
    """Parse a Liberty text (without comments), all but its timing and power groups.

    Raises
    ------
    LibertyError
        It is not Liberty, or not balanced.
    """
    text = _LARGE.sub("", text)
    root = Group("file", "")
    stack = [root]
    for match in _TOKEN.finditer(text):
        if match[5] and len(stack) == 1:
            raise LibertyError("unmatched closing brace: not a Liberty file, or damaged")
        _take(match, stack)
    if len(stack) != 1:
        raise LibertyError(
            f"file ends inside {stack[-1].kind} ({stack[-1].arguments}): truncated, or a brace is missing"
        )
    library = next(root.of("library"), None)
    if library is None:
        raise LibertyError("no library (name) { ... } found; expected a Liberty file")
    return library


def parse_cell(text: str) -> Group:
    """Parse the cell that a text begins with, timing and power groups too."""
    root = Group("file", "")
    stack = [root]
    for match in _TOKEN.finditer(text):
        _take(match, stack)
        if len(stack) == 1:
            break
    return root.groups[0]


def _take(match: re.Match[str], stack: list[Group]) -> None:
    name, arguments, opens, value, closes = match.groups()
    if closes:
        stack.pop()
    elif opens:
        group = Group(name, arguments.strip().strip('"'))
        stack[-1].groups.append(group)
        stack.append(group)
    elif arguments is not None:
        stack[-1].complex_attributes[name] = arguments
        stack[-1].repeated.append((name, arguments))
    else:
        stack[-1].attributes[name] = value.strip().strip('"').strip()


def numbers(text: str) -> NDArray[np.float64]:
    """Return the numbers of a list such as ``"1, 2", "3, 4"``.

    Raises
    ------
    LibertyError
        Something in it is no number.
    """
    try:
        values = np.array([float(item) for item in text.replace('"', " ").replace(",", " ").split()])
    except ValueError as error:
        raise LibertyError(f"not a list of numbers: {error}") from None
    wrong = values[~np.isfinite(values)]
    if len(wrong):
        listed = text.strip()
        shown = listed if len(listed) <= SHOWN else f"{listed[:SHOWN]}..., which holds {wrong[0]}"
        raise LibertyError(f"not a list of finite numbers: {shown}")
    return values


def read_units(library: Group) -> Units:
    """Return a file's units.

    Raises
    ------
    LibertyError
        One is missing or is none.
    """
    farad = _unit(library, "capacitive_load_unit", "f")
    second = _unit(library, "time_unit", "s")
    volt = _unit(library, "voltage_unit", "v")
    watt = _unit(library, "leakage_power_unit", "w")
    # Liberty: the unit of internal energy is the unit of capacitance times the square of the unit of voltage.
    return Units(farad * 1e15, second * 1e9, farad * volt**2 * 1e15, watt * 1e9)


def ohms(library: Group) -> float:
    """Return the unit of resistance in ohm: Liberty's 1 kohm unless the file states another."""
    name = "pulling_resistance_unit"
    return _unit(library, name, "ohm") if name in library.attributes else 1e3


def volts(library: Group) -> float:
    """Return the nominal voltage in V."""
    return library.number("nom_voltage") * _unit(library, "voltage_unit", "v")


def _unit(library: Group, name: str, symbol: str) -> float:
    text = library.text(name).replace('"', "")
    match = _QUANTITY.fullmatch(text)
    letters = match[2].lower() if match else ""
    prefix = letters.removesuffix(symbol)
    if match is None or not letters.endswith(symbol) or prefix not in _PREFIX:
        example = "(1, ff)" if symbol == "f" else f'"1n{symbol.upper() if symbol != "s" else symbol}"'
        raise LibertyError(f"library ({library.arguments}): {name} is {text!r}; expected a unit such as {example}")
    return float(match[1]) * _PREFIX[prefix]
