"""Full adders: the deepest operand comes last, and polarities alternate where that saves inverters."""

import itertools
import random

import pytest

from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.synthesis.adders import TYPES, FullAdder, _inverted, find_full_adder, prepare, techmap

CELL = find_full_adder(find_library([FREEPDK45])).cell
PLAIN = FullAdder(CELL, "S", "CO", sum_inverted=False, carry_inverted=False)
INVERTED = FullAdder(CELL, "S", "CO", sum_inverted=True, carry_inverted=True)
DIRECTIONS = {"A": "input", "B": "input", "C": "input", "D": "input", "X": "output", "Y": "output", "Q": "output"}


def cell(kind: str, **connections: int) -> dict:
    directions = {port: DIRECTIONS[port] for port in connections}
    bits = {port: [bit] for port, bit in connections.items()}
    return {"type": kind, "port_directions": directions, "connections": bits, "parameters": {"WIDTH": 1}}


def adder(a: int, b: int, c: int, y: int, x: int) -> dict:
    return cell("$fa", A=a, B=b, C=c, Y=y, X=x)


def prepared(cells: dict, full_adder: FullAdder) -> set[str]:
    """Return which adders are fed inverted."""
    count = sum(found["type"] == "$fa" for found in cells.values())
    assert prepare({"cells": cells}, full_adder) == count
    adders = {name: found for name, found in cells.items() if found["type"] in TYPES}
    assert len(adders) == count
    assert all(found["parameters"] == {} for found in adders.values())
    return {name for name, found in adders.items() if found["type"] == TYPES[1]}


@pytest.mark.parametrize("order", list(itertools.permutations((1, 50, 60))))
def test_operands_come_in_the_order_of_their_depth(order):
    """Bit 50 is the sum of two adders in a row, 4 gates deep; bit 60 comes behind three gates, bit 1 from outside."""
    cells = {
        "last": adder(*order, y=70, x=71),
        "second": adder(40, 2, 3, y=50, x=51),
        "first": adder(4, 5, 6, y=40, x=41),
        "gate3": cell("$_AND_", A=59, B=1, Y=60),
        "gate2": cell("$_AND_", A=58, B=1, Y=59),
        "gate1": cell("$_AND_", A=1, B=2, Y=58),
    }
    prepared(cells, PLAIN)
    assert [cells["last"]["connections"][port] for port in "ABC"] == [[1], [60], [50]]


def test_a_register_starts_at_no_depth():
    """The sum passes a register before it meets the gate's output."""
    cells = {
        "last": adder(60, 50, 1, y=70, x=71),
        "register": cell("$_DFF_P_", D=40, Q=50),
        "first": adder(4, 5, 6, y=40, x=41),
        "gate": cell("$_AND_", A=1, B=2, Y=60),
    }
    prepared(cells, PLAIN)
    assert cells["last"]["connections"]["C"] == [60]


def chain(length: int, between: str = "") -> dict:
    """Return adders each of which gets the last one's sum, over an inverter if one is between."""
    cells = {}
    for i in range(length):
        bit = 10 * i
        cells[f"fa{i}"] = adder(bit + 9 if i else 1000, 1001 + i, 2001 + i, y=bit + 10, x=bit + 11)
        cells[f"wire{i}"] = cell(between or "$_NOT_", A=bit + 10, Y=bit + 19)
        if not between:
            cells[f"fa{i}"]["connections"]["A"] = [bit if i else 1000]
            del cells[f"wire{i}"]
    return cells


def test_adders_of_a_chain_with_inverted_outputs_are_fed_alternately():
    inverted = prepared(chain(9), INVERTED)
    assert inverted in ({f"fa{i}" for i in range(0, 9, 2)}, {f"fa{i}" for i in range(1, 9, 2)})


def test_an_inverter_on_the_way_makes_neighbours_alike():
    """The search improves one adder at a time, so that one border between two polarities may stay."""
    inverted = prepared(chain(9, "$_NOT_"), INVERTED)
    assert sum((f"fa{i}" in inverted) != (f"fa{i + 1}" in inverted) for i in range(8)) <= 1


def test_adders_with_plain_outputs_are_fed_plain():
    assert prepared(chain(9), PLAIN) == set()


@pytest.mark.parametrize("through", [0, 1, 2])
def test_a_register_gets_a_plain_sum_with_as_few_inverters_as_there_were(through):
    """Inverted outputs of inverted operands are plain; an odd number of inverters turns that."""
    bits = [40, 41, 42]
    cells = {"fa": adder(1, 2, 3, y=40, x=39), "register": cell("$_DFF_P_", D=bits[through], Q=50)}
    for i in range(through):
        cells[f"not{i}"] = cell("$_NOT_", A=bits[i], Y=bits[i + 1])
    assert prepared(cells, INVERTED) == ({"fa"} if through % 2 == 0 else set())


@pytest.mark.parametrize("inverted", [False, True])
def test_gates_before_an_adder_end_in_the_inversion_that_costs_nothing(inverted):
    """An and-or gate is smallest with its output inverted, so the adder is fed inverted unless an inverter follows."""
    cells = {"fa": adder(21, 22, 23, y=30, x=31)}
    for i in range(3):
        cells[f"gate{i}"] = cell("$_AND_", A=i, B=i + 5, Y=11 + i if inverted else 21 + i)
        if inverted:
            cells[f"not{i}"] = cell("$_NOT_", A=11 + i, Y=21 + i)
    assert prepared(cells, PLAIN) == (set() if inverted else {"fa"})


def test_the_operand_that_comes_last_goes_to_the_pin_of_least_capacitance():
    pins = CELL.inputs
    lightest = min(pins, key=lambda pin: CELL.pins[pin].capacitance_ff)
    heaviest = max(pins, key=lambda pin: CELL.pins[pin].capacitance_ff)
    plain, inverted = techmap(PLAIN).split("endmodule")[:2]
    assert f".{lightest}(C)" in plain
    assert f".{heaviest}(A)" in plain
    assert f".{lightest}(~C)" in inverted


@pytest.mark.parametrize(("full_adder", "plain", "inverted"), [(PLAIN, "", "~"), (INVERTED, "~", "")])
def test_outputs_are_inverted_where_cell_and_operands_ask_for_it(full_adder, plain, inverted):
    for module, sign in zip(techmap(full_adder).split("endmodule"), (plain, inverted), strict=False):
        assert f"assign Y = {sign}s;\nassign X = {sign}c;" in module


@pytest.mark.parametrize("seed", range(3))
def test_polarities_are_those_of_counting_all_wishes_of_an_adder_at_each_step(seed):
    """With the same random numbers: each in turn changes if that meets more of its wishes, or by chance as many."""
    drawn = random.Random(seed)
    size = 60
    wishes: list[list[tuple[int, bool]]] = [[] for _ in range(size)]
    for _ in range(3 * size):
        one, other, parity = drawn.randrange(size), drawn.randrange(-size // 4, size), drawn.random() < 0.5
        if other < 0:
            wishes[one].append((-1, parity))
        elif other != one:
            wishes[one].append((other, parity))
            wishes[other].append((one, parity))
    starts = [drawn.random() < 0.5 for _ in range(size)]
    choice, order, chance = starts.copy(), list(range(size)), random.Random(0)
    for _ in range(40):
        chance.shuffle(order)
        better = 0
        for node in order:
            unmet = sum(choice[node] != ((other >= 0 and choice[other]) != parity) for other, parity in wishes[node])
            met = len(wishes[node]) - unmet
            if unmet > met or (unmet == met and chance.random() < constant("sideways-chance")):
                choice[node] = not choice[node]
                better += unmet > met
        if not better:
            break
    expected = {f"fa{node}" for node in range(size) if choice[node]}
    assert _inverted([f"fa{node}" for node in range(size)], starts.copy(), wishes) == expected
    assert 0 < len(expected) < size
