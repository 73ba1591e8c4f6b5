"""What of a configuration's Verilog the bench exercises, of lines, branches and toggles that can happen."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bitjoule.rtl.config import MAX_BUS_BITS, AcceleratorConfig
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.bench.cases import Case, directed_cases, random_cases
from tests.sim.bench.constant_bits import constant_bits

# `if (\$net0 ) begin end` is how Yosys makes simulators evaluate a block once at the start: it decides nothing.
NOTHING_DECIDED = re.compile(r"^\s*if \(\\\$net\d+ \) begin end$|^\s*reg \\\$net\d+ +=")
ESCAPED = re.compile(r"__0([0-9A-Fa-f]{2})")  # Verilator's way to write other characters than letters and digits
TOGGLE = re.compile(r"(?P<wire>.*?)(?P<word>\[\d+\])?(?:\[(?P<place>-?\d+)\])?:[01]->[01]")
WORD_BITS, EXACT_BITS = 32, 64  # Verilator's words, and the longest vector that is not an array of them
KNOWN = 300  # bits that did rise and fall, and so must not be proved constant


@dataclass(frozen=True)
class Point:
    """Something that Verilator counts.

    Parameters
    ----------
    kind
        ``v_line``, ``v_branch`` or ``v_toggle``.
    module
        Where it is.
    bit
        Of a toggle: the wire and the place in it.
    place
        Where it is, to be read.
    happened
        Whether it did.
    """

    kind: str
    module: str
    bit: tuple[str, int]
    place: str
    happened: bool


def configuration(name: str) -> AcceleratorConfig:
    """Return a shipped configuration, or one with its accumulators in memory or with one column.

    Parameters
    ----------
    name
        ``tiny_8x4``, ``tiny_8x4 in memory``, ``fp16_8x4 with one column``: columns are alike, and of floating-point
        numbers each is large.
    """
    shipped, _, changed = name.partition(" ")
    config = read_configuration(shipped)
    if changed == "in memory":
        return replace(config, accumulators="memory")
    if changed == "with one column":
        tile = AcceleratorConfig(**config.as_mapping() | {"columns": 1, "weight_bus_bits": MAX_BUS_BITS}).tile_bits
        return replace(config, columns=1, weight_bus_bits=tile // 2 if tile % 16 == 0 else tile)
    return config


def cases(config: AcceleratorConfig) -> list[Case]:
    """Return what the bench runs while Verilator counts."""
    return [*directed_cases(config), *random_cases(config, matmuls=100, seed=1)]


def points(file: Path, verilog: str) -> Iterator[Point]:
    """Yield every point but those that decide nothing.

    Parameters
    ----------
    file
        What Verilator counted.
    verilog
        The text that it simulated.
    """
    lines = verilog.splitlines()
    entries = [_entry(line) for line in file.read_text(errors="replace").splitlines() if line.startswith("C '")]
    toggles = _toggles(entries)
    for keys, hits in entries:
        if NOTHING_DECIDED.search(lines[int(keys["l"]) - 1]):
            continue
        kind, _, module = keys["page"].partition("/")
        wire, place, count = toggles.get((keys["h"], keys["l"], keys["o"]), ("", 0, hits))
        yield Point(kind, _unescaped(module), (wire, place), f"{keys['h']}.{keys['o']}", count > 0)


def _entry(line: str) -> tuple[dict[str, str], int]:
    body, hits = line[3:].rsplit("' ", 1)
    return dict(part.split("\x02") for part in body.split("\x01") if part), int(hits)


def _toggles(entries: list[tuple[dict[str, str], int]]) -> dict[tuple[str, str, str], tuple[str, int, int]]:
    """Return by place in the design, line and text of a toggle: wire, bit, and how often it happened.

    Of vectors over `EXACT_BITS`, Verilator 5.48 counts with each bit those of the words before it at the same place, so
    that a constant bit seems to toggle; the counts of neighbouring words are subtracted.
    """
    found = {}
    vectors: dict[tuple[str, str, str, str], dict[int, int]] = defaultdict(dict)
    for keys, hits in entries:
        if not keys["page"].startswith("v_toggle"):
            continue
        toggle = TOGGLE.fullmatch(keys["o"])
        assert toggle, keys["o"]
        # The one index of a vector is the bit's; of two, the first is a memory's word.
        wire, place = _unescaped(toggle["wire"]) + (toggle["word"] or ""), int(toggle["place"] or 0)
        if toggle["place"] is None and toggle["word"]:
            wire, place = _unescaped(toggle["wire"]), int(toggle["word"][1:-1])
        vector = (keys["h"], keys["l"], wire, keys["o"][-4:])
        vectors[vector][place] = hits
        found[keys["h"], keys["l"], keys["o"]] = (wire, place, vector)
    counts = {}
    for where, (wire, place, vector) in found.items():
        bits = vectors[vector]
        first = place - min(bits)
        before = bits[place - WORD_BITS] if len(bits) > EXACT_BITS and first >= WORD_BITS else 0
        assert bits[place] >= before, "Verilator counts toggles of long vectors otherwise than 5.48 does"
        counts[where] = (wire, place, bits[place] - before)
    return counts


def _unescaped(name: str) -> str:
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)), name)


def shares(file: Path, verilog: str, folder: Path) -> tuple[dict[str, float], list[str]]:
    """Return the share of each kind of point that happened, and the places of those that did not.

    Toggles of bits that are proved constant are left out. `KNOWN` bits that rose and fell are given to the proof, too,
    which must not hold for any.

    Parameters
    ----------
    file, verilog
        As for `points`.
    folder
        For the proofs' files.

    Returns
    -------
    tuple
        Shares by kind, ``all toggles`` among them, and places.
    """
    every = list(points(file, verilog))
    toggles = [point for point in every if point.kind == "v_toggle"]
    # A bit that is always one rises once, when the simulation starts, and never falls.
    still = {(point.module, point.bit) for point in toggles if not point.happened}
    toggled = sorted({(point.module, point.bit) for point in toggles} - still)
    known = set(random.Random(0).sample(toggled, min(KNOWN, len(toggled))))
    asked: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for module, bit in still | known:
        asked[module].add(bit)
    proved = {(module, bit) for module, bits in constant_bits(verilog, TOP, asked, folder).items() for bit in bits}
    assert not proved & known, sorted(proved & known)[:20]
    possible = [point for point in every if point.kind != "v_toggle" or (point.module, point.bit) not in proved]
    count = Counter(point.kind for point in possible)
    happened = Counter(point.kind for point in possible if point.happened)
    found = {kind: happened[kind] / count[kind] for kind in count}
    found["all toggles"] = happened["v_toggle"] / len(toggles)
    return found, [point.place for point in possible if not point.happened]
