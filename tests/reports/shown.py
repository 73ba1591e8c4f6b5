"""Numbers read back from what is shown: texts, Markdown tables, ticks, lines."""

import re

import pytest
from matplotlib.container import BarContainer

SI = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
TWO_DIGITS, THREE_DIGITS = 0.051, 0.0051  # 1.04 is written 1.0, 1.004 is written 1.00


def quantity(text, unit):
    """Return the value of a text such as ``57.9 mJ`` in its unit."""
    value, prefix = re.fullmatch(rf"(-?[\d.]+(?:e-?\d+)?) ([TGMkmµnpf]?){re.escape(unit)}", text).groups()
    return float(value) * SI[prefix]


def header_and_rows(text, first):
    """Return the cells of the Markdown table whose header starts with some cells: its header, its rows.

    Numbers must be aligned right and words left.
    """
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    cells = [[[cell.strip() for cell in line.strip("|").split("|")] for line in block] for block in blocks]
    header, rule, *rows = next(found for found in cells if found[0][: len(first)] == list(first))
    for name, align, *column in zip(header, rule, *rows, strict=True):
        numbers = all(re.fullmatch(r"[+-]?[\d.]+(e-?\d+)?×?|", cell) for cell in column) and any(column)
        words = not any(re.search(r"\d", cell) for cell in column) and any(column)
        assert not (align.endswith("-") or align.startswith(":-")) or not numbers, f"{name}: {align}"
        assert not align.endswith("-:") or not words, f"{name}: {align}"
    return header, rows


def table(text, first):
    """Return the rows of the Markdown table whose header starts with some cells, by the cells of the header."""
    header, rows = header_and_rows(text, first)
    return [dict(zip(header, row, strict=True)) for row in rows]


def unit_in(header, unit):
    """Return the factor of a header such as ``fp16 (mJ)``."""
    return SI[re.search(rf"\((.?){unit}(?: per token)?\)", header).group(1)]


def bars_of(axes):
    """Return the stacks of bars of a panel, without the whiskers of their totals."""
    return [container for container in axes.containers if isinstance(container, BarContainer)]


def points_of(axes):
    """Return the points of the lines that the legend names; the others lead to labels."""
    return [tuple(point) for line in axes.lines if line.get_label()[0] != "_" for point in line.get_xydata()]


def ticks_are_their_values(axis, unit):
    """Check that each tick of an axis names the value where it is."""
    shown = [(tick.get_text(), tick.get_position()) for tick in axis.get_ticklabels()]
    read = [(text.replace("$", ""), place) for text, place in shown if text]
    assert read
    vertical = axis.axis_name == "y"
    for text, place in read:
        value = 0.0 if text == "0" else quantity(text if " " in text else f"{text} ", unit)
        assert value == pytest.approx(place[vertical], rel=THREE_DIGITS)
