"""Which part a cell is: sums are whole, known registers are found, parts grow with what they depend on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.netlist import Instance, Netlist, kind
from bitjoule.gates.power.activity import Simulator, clock_tree
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.power.parts import Bank, _lane, bank, by_part, energy_by_part_fj, parts_of
from bitjoule.gates.stimuli.operands import Gaussian
from bitjoule.gates.stimuli.stimulus import Stimulus
from bitjoule.rtl.config import AcceleratorConfig
from tests.gates import hand_made as hand

Mapped = Callable[[AcceleratorConfig], Netlist]
TINY = AcceleratorConfig(lanes=8, columns=4, max_k=64, weight_bus_bits=32, tokens=4)
DECODE = replace(TINY, columns=5, tokens=1, weight_bus_bits=64, weight_encoding="ternary5")


def areas_um2(netlist: Netlist, config: AcceleratorConfig) -> dict[str, float]:
    return by_part((instance.cell.area_um2 for instance in netlist.instances), parts_of(netlist, config))


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("core.plus$3[5]$_DFF_P_", Bank.OPERANDS),
        ("core.loader.held_minus[17]$_DFFE_PP_", Bank.OPERANDS),
        ("core.column0.dot_product.activations[63]$_DFF_P_", Bank.OPERANDS),
        ("core.weights$12[7]$_DFF_P_", Bank.OPERANDS),
        ("core.loader.held_scales[17]$_DFFE_PP_", Bank.OPERANDS),
        ("core.column3.scale[15]$_DFF_P_", Bank.OPERANDS),
        ("core.column3.word1[2]$_DFF_P_", Bank.COLUMN),
        ("core.column3.dot_product.cut2_unit0$_DFF_P_", Bank.COLUMN),
        ("core.accumulators.storage[3][59]$_DFF_P_", Bank.SUMS),
        ("core.accumulators.kept[3][2]$_DFF_P_", Bank.SUMS),
        ("core.queue.storage[0][61]$_DFF_P_", Bank.SUMS),
        ("core.queue.w_level[1]$_DFFE_PP_", Bank.CONTROL),
        ("core.loader.early0[31]$_DFF_P_", Bank.INPUT),
        ("core.loader.is_last$_DFFE_PP_", Bank.CONTROL),
        ("core.sequencer.n_left[23]$_DFF_P_", Bank.CONTROL),
        ("core.step.first$_DFF_P_", Bank.CONTROL),
    ],
)
def test_a_registers_name_says_what_it_holds(name: str, held: Bank) -> None:
    assert bank(name) == held


def test_a_bit_of_an_operand_register_is_of_its_lane_and_what_is_shared_of_all() -> None:
    table = replace(TINY, lanes=9, weight_bus_bits=72, datapath="lookup_table", table_lanes=3)
    cases = [
        (TINY, "activations", 8, [(0, 0), (7, 0), (8, 1), (63, 7), (64, None)]),
        (TINY, "plus", 1, [(0, 0), (7, 7), (8, 0), (31, 7)]),  # of four columns, one after the other
        (table, "plus", 1, [(0, 0), (2, 0), (3, 1), (8, 2), (9, 0)]),
        (TINY, "scale", 0, [(0, None), (15, None)]),
    ]
    for config, name, bits, places in cases:
        for index, lane in places:
            expected = 0b11 if lane is None else 1 << lane
            assert _lane(config, {name: bits} if bits else {"plus": 1}, name, index) == expected, (name, index)


def test_sums_come_in_one_order_whatever_that_of_the_instances() -> None:
    parts = ["clock", "tree", "unpack", "tree"]
    for order in (slice(None), slice(None, None, -1)):
        assert list(by_part([1.0, 2.0, 4.0, 8.0][order], parts[order]).items()) == [
            ("unpack", 4.0), ("tree", 10.0), ("clock", 1.0)
        ]  # fmt: skip


def test_what_leaves_the_columns_last_registers_is_accumulated_and_what_goes_on_in_it_is_tree(tmp_path: Path) -> None:
    """Registers of one column, a -> b -> sum, with an inverter before b and one before the sum."""
    clock, data, a, inverted, b, ready, total = range(2, 9)
    cells = hand.library(tmp_path).cells
    instances = [
        Instance(f"core.column0.{name}[0]$_DFF_P_", cells["DFF"], {"CK": clock, "D": taken, "Q": given})
        for name, taken, given in (("dot_product.cut2_unit", data, a), ("word0", inverted, b))
    ]
    instances += [
        Instance("core.accumulators.storage[0][0]$_DFF_P_", cells["DFF"], {"CK": clock, "D": ready, "Q": total}),
        Instance("within", cells["INV"], {"A": a, "Y": inverted}),
        Instance("behind", cells["INV"], {"A": b, "Y": ready}),
    ]
    netlist = Netlist("top", {"clk": [clock], "d": [data]}, {"q": [total]}, instances)
    assert parts_of(netlist, TINY) == ["registers"] * 3 + ["tree", "accumulate"]


@pytest.mark.slow
def test_every_register_of_the_array_is_found(synthesised: Mapped) -> None:
    held = Counter(bank(item.name) for item in synthesised(TINY).instances if item.cell.flip_flop is not None)
    trits = TINY.lanes * TINY.columns
    assert held[Bank.OPERANDS] == 2 * trits + TINY.lanes * TINY.activation_bits
    assert held[Bank.INPUT] == (TINY.tile_beats - 1) * TINY.weight_bus_bits
    sums = TINY.columns * TINY.accumulator_bits
    flags = 2 * TINY.latency_cycles  # of a result: malformed, end
    assert held[Bank.SUMS] == (TINY.tokens + TINY.latency_cycles) * sums + flags


@pytest.mark.slow
@pytest.mark.parametrize("config", [TINY, DECODE])
def test_areas_and_energies_of_the_parts_add_up(
    config: AcceleratorConfig, synthesised: Mapped, library: Library
) -> None:
    netlist = synthesised(config)
    parts = parts_of(netlist, config)
    assert len(parts) == len(netlist.instances)
    assert sum(areas_um2(netlist, config).values()) == pytest.approx(netlist.area_um2)
    model = EnergyModel(netlist, library, clock_tree(netlist, set(netlist.inputs["clk"])))
    simulator = Simulator(netlist, "clk", 1, arc_delays(netlist, model.wired.analysis))
    stimulus = Stimulus(config, Gaussian(32.0), words=1, seed=1, held=config.tokens > 1)
    activity = simulator.measure(stimulus.steady(simulator, cycles=20), warm_up=12)
    energy = model.energy(activity)
    for settled in (False, True):
        found = energy_by_part_fj(energy, parts, settled)
        whole = (energy.settled_fj if settled else energy.total_fj) + energy.wire_fj[0 if settled else 1]
        assert sum(found.values()) == pytest.approx(whole)
        assert min(found.values()) >= -1e-9
        each = zip(parts, energy.by_instance_fj[0 if settled else 1] - energy.clock_by_instance_fj, strict=True)
        enables_fj = sum(value for part, value in each if part == "clock")
        assert found["clock"] == pytest.approx(energy.clock_fj + enables_fj)
    for part in ("tree", "accumulate"):
        assert energy_by_part_fj(energy, parts)[part] > energy_by_part_fj(energy, parts, settled=True)[part] > 0


@pytest.mark.slow
@pytest.mark.parametrize("config", [TINY, DECODE])
def test_one_gate_selects_each_bit_and_full_adders_are_in_the_tree_and_the_accumulators_adder(
    config: AcceleratorConfig, synthesised: Mapped
) -> None:
    netlist = synthesised(config)
    pairs = list(zip(netlist.instances, parts_of(netlist, config), strict=True))
    adders = Counter(part for item, part in pairs if kind(item.cell) == "adder")
    assert set(adders) == {"tree", "accumulate"}
    # Two words are left of the lanes', to which the sum so far is added: one full adder a bit, less at the ends.
    assert adders["accumulate"] <= config.columns * config.accumulator_bits
    selecting = [item for item, part in pairs if part == "select" and kind(item.cell) == "select"]
    assert len(selecting) == config.lanes * config.columns * config.activation_bits


@pytest.mark.slow
def test_a_denser_code_takes_more_gates_to_unpack(synthesised: Mapped) -> None:
    binary = replace(DECODE, weight_encoding="binary1", weight_bus_bits=40)
    dense = areas_um2(synthesised(DECODE), DECODE)
    assert areas_um2(synthesised(binary), binary).get("unpack", 0.0) < 0.2 * dense["unpack"]


@pytest.mark.slow
def test_the_tree_grows_with_the_lanes_and_the_accumulators_adder_does_not(synthesised: Mapped) -> None:
    wide = replace(DECODE, lanes=32, weight_bus_bits=256)
    few, many = areas_um2(synthesised(DECODE), DECODE), areas_um2(synthesised(wide), wide)
    # Two words are left of n of them after n - 2 compressors of whole words.
    assert many["tree"] / few["tree"] > (32 - 2) / (8 - 2)
    assert many["select"] / few["select"] == pytest.approx(4, rel=0.1)
    assert many["accumulate"] < 1.25 * few["accumulate"]


@pytest.mark.slow
def test_an_array_that_multiplies_has_multipliers_where_others_select(synthesised: Mapped) -> None:
    config = AcceleratorConfig(8, 2, 64, 128, weight_encoding="int8")
    areas = areas_um2(synthesised(config), config)
    assert "select" not in areas
    assert areas["multiply"] > areas["accumulate"]


@pytest.mark.slow
def test_look_up_tables_are_made_before_their_registers_and_halve_the_tree(synthesised: Mapped) -> None:
    config = replace(TINY, datapath="lookup_table")
    netlist = synthesised(config)
    held = Counter(bank(item.name) for item in netlist.instances if item.cell.flip_flop is not None)
    pairs = config.lanes // 2
    # x0, x1, x1 + x0 and x1 - x0 of each pair of lanes; the last two share their lowest bit.
    sums = 2 * config.activation_bits + 2 * (config.activation_bits + 1)
    weights = 2 * config.lanes * config.columns
    assert held[Bank.OPERANDS] - weights in (pairs * sums, pairs * (sums - 1))
    # Of n rows, n - 2 compressors leave two words: 2 instead of 6 of them, one bit wider.
    areas, plain = areas_um2(netlist, config), areas_um2(synthesised(TINY), TINY)
    assert areas["tree"] < 0.5 * plain["tree"]
    assert areas["select"] > plain["select"]
    assert areas["unpack"] > 10 * plain.get("unpack", 0.0)
