"""What a re-price needs of FreePDK45's Liberty file, read from its regular text without our reader."""

import re
from collections import defaultdict
from functools import cache

import numpy as np

from bitjoule.gates.liberty.libraries import default_liberty

EDGES = ("fall", "rise")  # each at the value that its pin takes


@cache
def liberty():
    """Return V, fF of wires by sinks, and of each cell each pin's function (if any), mean fF and power groups."""
    text, cells = default_liberty().read_text(), defaultdict(dict)
    for name, cell in re.findall(r"\n  cell \((\w+)\) \{(.*?)\n  \}", text, re.S):
        for pin, body in re.findall(r"\n\tpin \((\w+)\) \{(.*?)\n\t\}", cell, re.S):
            function = re.findall(r'\sfunction\s*: "(.*)";', body)
            capacitances_ff = re.findall(r"(?:rise|fall)_capacitance\s*: (.*);", body)
            powers = [_power(power) for power in re.findall(r"\n\t\tinternal_power \(\) \{(.*?)\n\t\t\}", body, re.S)]
            cells[name][pin] = next(iter(function), None), sum(map(float, capacitances_ff)) / 2, powers
    rule = text.split(f"wire_load({re.findall(r'default_wire_load : (.*) ;', text)[0]})")[1].split("}")[0]
    ff_per_um, slope_um = (float(re.findall(rf"{name} : (.*);", rule)[0]) for name in ("capacitance", "slope"))
    sinks, um = np.array([(0, 0), *re.findall(r"fanout_length\( (.*), (.*) \)", rule)], dtype=float).T
    volts = float(re.findall(r"nom_voltage\s*: (.*);", text)[0])
    return volts, lambda n: ff_per_um * (np.interp(n, sinks, um) + slope_um * np.maximum(n - sinks[-1], 0)), cells


def _power(text):
    """Return a group's related pin, its condition, and for each of `EDGES` the table's axes and values."""
    said = dict(re.findall(r'(related_pin|when)\s*: "(.*)";', text))
    bodies = dict(re.findall(r"(rise|fall)_power ?\(\w+\) ?\{(.*?)\}", text, re.S))
    rows = [[re.findall(r"[\d.-]+", row) for row in re.findall(r"\((.*?)\)", bodies[edge], re.S)] for edge in EDGES]
    return said.get("related_pin"), said.get("when", "1"), [[np.array(row, dtype=float) for row in of] for of in rows]


def table_fj(axes_and_values, *point):
    """Return a table's value, linear between its entries and beyond them."""
    *axes, values = axes_and_values
    values = values.reshape([axis.size for axis in axes] or [])
    for axis, x in zip(axes, point, strict=False):  # a constant has no axis
        row = np.clip(np.searchsorted(axis, x) - 1, 0, axis.size - 2)
        values = values[row] + (values[row + 1] - values[row]) * (x - axis[row]) / (axis[row + 1] - axis[row])
    return float(values)
