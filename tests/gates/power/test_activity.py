"""Cells of one level that have the same pins are evaluated each by its own function."""

import itertools

import numpy as np
import pytest

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Simulator, _short
from tests.gates import clock_gate
from tests.gates import hand_made as hand

FUNCTIONS = {
    "AND2_X1": np.bitwise_and,
    "NOR2_X1": lambda a, b: ~(a | b),
    "NAND2_X1": lambda a, b: ~(a & b),
    "OR2_X1": np.bitwise_or,
    "AND2_X2": np.bitwise_and,
}


def test_settled_values_are_those_of_each_cells_function():
    """AND, NOR, NAND and OR have the pins A1, A2 and ZN; behind them inverters have A and ZN."""
    cells = find_library([FREEPDK45]).cells
    instances = [Instance(name, cells[name], {"A1": 2, "A2": 3, "ZN": 10 + at}) for at, name in enumerate(FUNCTIONS)]
    instances += [Instance(f"not {at}", cells["INV_X1"], {"A": 10 + at, "ZN": 20 + at}) for at in range(len(FUNCTIONS))]
    outputs = {"y": [*range(10, 15), *range(20, 25)]}
    simulator = Simulator(Netlist("top", {"a": [2], "b": [3]}, outputs, instances), None, 2)
    a, b = np.random.default_rng(3).integers(0, 2**64, (2, 1, 2), dtype=np.uint64)
    simulator.settle()
    simulator.cycle({"a": a, "b": b})
    plain = np.concatenate([function(a, b) for function in FUNCTIONS.values()])
    np.testing.assert_array_equal(simulator.output("y"), np.concatenate([plain, ~plain]))


def test_a_simulator_that_begins_again_has_forgotten_all():
    """A register that takes its own inverse, and counts of its toggles."""
    cells = find_library([FREEPDK45]).cells
    instances = [
        Instance("q", cells["DFF_X1"], {"D": 4, "CK": 2, "Q": 3, "QN": 5}),
        Instance("not", cells["INV_X1"], {"A": 3, "ZN": 4}),
        Instance("and", cells["AND2_X1"], {"A1": 3, "A2": 6, "ZN": 7}),
    ]
    netlist = Netlist("top", {"clk": [2], "a": [6]}, {"q": [3], "y": [7]}, instances)
    ones = np.full((1, 1), ~np.uint64(0))

    def outputs(simulator):
        simulator.settle()
        simulator.cycle({"a": ones})
        return simulator.output("q").copy(), simulator.output("y").copy(), simulator.values.copy()

    fresh = outputs(Simulator(netlist, "clk", 1))
    used = Simulator(netlist, "clk", 1)
    for _ in range(2):
        outputs(used)
    assert (used.output("q") == 0).all()  # where a third cycle would have set it again
    used.cycle({"a": ones})
    used.restart()
    for now, then in zip(outputs(used), fresh, strict=True):
        np.testing.assert_array_equal(now, then)
    assert (fresh[0] == ones).all()


def test_every_function_of_three_inputs_stays_the_same_when_it_is_shortened():
    """Written as a sum of products; exclusive or and its complement are the two that become shorter."""
    states = list(itertools.product((0, 1), repeat=3))
    shorter = []
    for number in range(1, 255):
        true = [state for i, state in enumerate(states) if number >> i & 1]
        products = (
            "&".join(f"{'' if bit else '!'}{pin}" for pin, bit in zip("ABC", state, strict=True)) for state in true
        )
        written = BooleanFunction("|".join(f"({product})" for product in products))
        found = _short(written)
        values = {pin: np.array([state[i] for state in states], dtype=np.uint64) for i, pin in enumerate("ABC")}
        assert (found(values) & np.uint64(1)).tolist() == [number >> i & 1 for i in range(8)], found.text
        if found.text != written.text:
            shorter.append(number)
    parity = sum((sum(state) % 2) << i for i, state in enumerate(states))
    assert shorter == sorted((parity, parity ^ 0xFF))


def test_what_is_not_on_one_rising_clock_is_refused(tmp_path):
    """A reset that is not tied off, a flip-flop on data, a clock gate behind another, and a loop of gates."""
    clear = 'clocked_on : "CK"; clear : "!RN";'
    text = hand.text().replace('clocked_on : "CK";', clear, 1)
    text = text.replace("pin (Q)", "pin (RN) { direction : input; capacitance : 1; }\npin (Q)", 1)
    library = hand.library(tmp_path, content=text.rstrip().removesuffix("}") + clock_gate.cell() + "}\n")
    cells = library.cells

    def simulator(*instances):
        made = [Instance(str(place), cells[name], nets) for place, (name, nets) in enumerate(instances)]
        return Simulator(Netlist("top", {"clk": [2], "d": [3], "r": [4]}, {"q": [9]}, made), "clk", 1)

    register = {"D": 3, "CK": 2, "RN": 1, "Q": 9}
    assert simulator(("DFF", register)).output("q").tolist() == [[0]]
    for nets, told in (
        (register | {"RN": 4}, "DFF has a reset or preset that is not tied off"),
        (register | {"RN": 0}, "DFF has a reset or preset that is not tied off"),
        (register | {"CK": 3}, "DFF is not clocked by the rising edge"),
    ):
        with pytest.raises(ValueError, match=f"^{told}$"):
            simulator(("DFF", nets))
    gate = {"CK": 2, "E": 3, "GCK": 5}
    assert simulator(("ICG", gate), ("DFF", register | {"CK": 5})).clock_nets == {2: None, 5: 3}
    for wrong in ({"CK": 3, "E": 4, "GCK": 5}, {"CK": 5, "E": 4, "GCK": 6}):
        with pytest.raises(ValueError, match=r"^a clock gate is not on the clock itself$"):
            simulator(("ICG", gate), ("ICG", wrong))
    with pytest.raises(ValueError, match=r"^the netlist has a combinational loop$"):
        simulator(("INV", {"A": 5, "Y": 6}), ("NAND", {"A": 6, "B": 3, "Y": 5}))


def test_constants_have_one_value_in_every_trial():
    cells = find_library([FREEPDK45]).cells
    instances = [
        Instance("and", cells["AND2_X1"], {"A1": 1, "A2": 2, "ZN": 3}),
        Instance("or", cells["OR2_X1"], {"A1": 0, "A2": 2, "ZN": 4}),
    ]
    simulator = Simulator(Netlist("top", {"a": [2]}, {"y": [3, 4, 0, 1]}, instances), None, 2)
    a = np.random.default_rng(4).integers(0, 2**64, (1, 2), dtype=np.uint64)
    simulator.cycle({"a": a})
    none = np.zeros_like(a)
    np.testing.assert_array_equal(simulator.output("y"), np.concatenate([a, a, none, ~none]))
