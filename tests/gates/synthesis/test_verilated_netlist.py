"""The netlist in Verilator: bit-exact, in the right cycle, and the same toggles as in the bit-parallel simulator."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.text import LibertyError
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.activity import Simulator
from bitjoule.gates.stimuli.operands import Uniform
from bitjoule.gates.stimuli.stimulus import STREAMS, Stimulus, offered, to_words
from bitjoule.gates.synthesis.verilated_netlist import cell_model, net_toggles, verilated_netlist
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles
from bitjoule.sim.accelerator.native_machine import Window
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import activation_stream, element_type, weight_stream
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.cases import operands as case_operands
from bitjoule.sim.reference.float_matmul import canonical_bits
from tests.sampling import sampled

TINY = AcceleratorConfig(lanes=8, columns=4, max_k=64, weight_bus_bits=32, tokens=4)
CONFIGS = {
    "tiny": TINY,
    "ternary5, without pipeline": AcceleratorConfig(9, 5, 40, 72, weight_encoding="ternary5", pipeline=0),
    "binary, multiplexer": AcceleratorConfig(
        8, 4, 30, 8, tokens=2, weight_encoding="binary1", pipeline=2, datapath="multiplexer", activation_bits=5
    ),
    "look-up tables": AcceleratorConfig(8, 3, 40, 24, tokens=2, datapath="lookup_table", activation_bits=5),
    "INT8": AcceleratorConfig(8, 2, 50, 128, tokens=2, weight_encoding="int8"),
    "FP16": AcceleratorConfig(
        8, 1, 50, 64, weight_encoding="fp16", accumulation="fp16", pipeline=3, datapath="rounding_tree"
    ),
    "FP16 into FP32": AcceleratorConfig(8, 1, 50, 64, weight_encoding="fp16", datapath="rounding_tree"),
    "FP16, fused": AcceleratorConfig(8, 1, 50, 64, weight_encoding="fp16"),
    "ternary x FP16 with scales": AcceleratorConfig(8, 1, 50, 32, tokens=2, activation_bits=16, pipeline=2),
    "64 lanes": AcceleratorConfig(64, 5, 16384, 512, weight_encoding="ternary5"),
}


def operands(
    config: AcceleratorConfig, random: np.random.Generator, m: int, k: int, n: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    if config.scaled:
        case = Case("any", (MatmulShape(m, k, n),), int(random.integers(1 << 30)), "wide", "wide")
        return case_operands(config, case, 0)
    if config.multiplies:
        # All bit patterns: subnormals, infinities and NaN among the floats.
        x, w = (random.integers(0, 256, 2 * rows * columns, dtype=np.uint8) for rows, columns in ((m, k), (k, n)))
        dtype = element_type(config)
        return x.view(dtype)[: m * k].reshape(m, k), w.view(dtype)[: k * n].reshape(k, n)
    limit = 1 << (config.activation_bits - 1)
    x = random.integers(-limit, limit, (m, k), dtype=np.int8)
    w = random.integers(-1, 2, (k, n), dtype=np.int8)
    return x, w if config.encoding.zero else np.where(w < 0, np.int8(-1), np.int8(1))


def products(
    config: AcceleratorConfig, found: NDArray[Any], x: NDArray[Any], w: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the product found and NumPy's, of floats their bits."""
    expected = expected_product(config, x, w)
    if not config.floating_point:
        return found, expected
    assert found.dtype == expected.dtype
    return canonical_bits(found), canonical_bits(expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(CONFIGS, 1, "netlists in Verilator"))
def test_the_netlist_computes_matmuls_as_numpy_does_and_in_the_closed_forms_cycles(
    name: str, synthesised: Callable[[AcceleratorConfig], Netlist]
) -> None:
    config = CONFIGS[name]
    random = np.random.default_rng(1)
    longest = min(config.max_k, 3 * config.lanes - 1)
    shapes = [(1, 1, 1), (config.tokens + 1, longest, config.columns + 1), (2 * config.tokens, longest, 1)]
    with verilated_netlist(config, synthesised(config)) as hardware:
        for shape in shapes:
            x, w = operands(config, random, *shape)
            outcome = hardware.matmul(x, w)
            assert np.array_equal(*products(config, outcome.results, x, w))
            assert outcome.cycles == cycles(config, *shape)
        largest = 1000 if config.floating_point else -(1 << (config.activation_bits - 1))
        extreme = np.full((2, longest), largest, element_type(config))
        _, w = operands(config, random, 1, longest, config.columns)
        assert np.array_equal(*products(config, hardware.matmul(extreme, w).results, extreme, w))


@pytest.mark.slow
def test_verilator_and_the_bit_parallel_simulator_count_the_same_toggles_of_every_net(
    synthesised: Callable[[AcceleratorConfig], Netlist],
) -> None:
    netlist = synthesised(TINY)
    random = np.random.default_rng(2)
    m, k, n = TINY.tokens + 2, 2 * TINY.lanes + 3, TINY.columns + 1
    stimulus = Stimulus(TINY, Uniform(), words=1, seed=0)
    pairs = [operands(TINY, random, m, k, n) for _ in range(stimulus.trials)]
    last = cycles(TINY, m, k, n)

    weights = np.stack([weight_stream(TINY, w, m) for _, w in pairs], axis=1)
    activations = np.stack([activation_stream(TINY, x, n) for x, _ in pairs], axis=1)
    beats = ([stimulus.command(m, k, n)], map(to_words, weights), map(to_words, activations))
    simulator = Simulator(netlist, "clk", stimulus.words)
    simulator.settle()
    settled = np.zeros(netlist.nets, np.int64)
    for cycle, inputs in enumerate(
        itertools.islice(offered(simulator, dict(zip(STREAMS, beats, strict=True))), last + 2)
    ):
        counted = simulator.cycle(inputs, count=cycle > 2)  # two of reset; Verilator compares with the command's
        if counted is not None:
            settled += counted[0].astype(np.int64)

    verilated = np.zeros(netlist.nets, np.int64)
    with verilated_netlist(TINY, netlist) as hardware:
        for x, w in pairs:
            toggles = hardware.toggles(x, w, Window(0, last)).toggles
            assert toggles is not None
            verilated += net_toggles(toggles, netlist)
    assert settled.sum() > 0
    assert np.flatnonzero(settled != verilated).size == 0


def test_a_cell_model_says_what_the_library_says(library: Library) -> None:
    for cell in library.cells.values():
        if not cell.is_combinational or not cell.inputs:  # a tie cell has no table
            continue
        model = cell_model(cell)
        for pin in cell.outputs:
            expression = model.partition(f"assign {pin} = ")[2].partition(";")[0]
            assert "{" not in expression
            # Verilog's ~ & ^ | are Python's, and every operation stands in parentheses.
            values = [
                eval(expression.replace("1'b0", "0"), {}, dict(zip(cell.inputs, row, strict=True))) & 1  # noqa: S307
                for row in itertools.product((0, 1), repeat=len(cell.inputs))
            ]
            assert sum(bit << row for row, bit in enumerate(values)) == cell.table(pin)


HEADER = """
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff); nom_voltage : 1;
"""
INPUT = "direction : input; capacitance : 1;"
GATE = f"""pin (C) {{ {INPUT} clock_gate_clock_pin : true; }} pin (E) {{ {INPUT} clock_gate_enable_pin : true; }}
  pin (S) {{ {INPUT} clock_gate_test_pin : true; }} pin (G) {{ direction : output; clock_gate_out_pin : true; }}"""


def _cell(folder: Path, body: str) -> Cell:
    path = folder / "odd.lib"
    path.write_text(f"library (odd) {{ {HEADER} cell (odd) {{ area : 1; cell_leakage_power : 1; {body} }} }}")
    return Library([path]).cells["odd"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"pin (D) {{ {INPUT} }} pin (Q) {{ direction : output; }}", "cell odd: output Q has no function"),
        (
            f'latch (IQ, IQN) {{ enable : "D"; }} pin (D) {{ {INPUT} }} '
            'pin (Q) { direction : output; function : "IQ"; }',
            "cell odd: the function reads IQ, which is not an input; latches are not supported",
        ),
        (
            f'ff (IQ, IQN) {{ next_state : "D"; clocked_on : "C"; clear : "R"; preset : "!R"; }} pin (D) {{ {INPUT} }} '
            f'pin (C) {{ {INPUT} }} pin (R) {{ {INPUT} }} pin (Q) {{ direction : output; function : "IQ"; }}',
            "cell odd has a reset or preset that cannot be tied off; expected one that can",
        ),
        (f"clock_gating_integrated_cell : latch_negedge; {GATE}", "cell odd is a clock gate of kind latch_negedge"),
    ],
)
def test_a_cell_without_a_model_is_refused_by_name(body: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LibertyError, match=message):
        cell_model(_cell(tmp_path, body))


def test_a_clock_gates_test_pin_acts_before_or_after_the_latch_as_the_library_says(tmp_path: Path) -> None:
    before = cell_model(_cell(tmp_path, f"clock_gating_integrated_cell : latch_posedge_precontrol; {GATE}"))
    after = cell_model(_cell(tmp_path, f"clock_gating_integrated_cell : latch_posedge_postcontrol; {GATE}"))
    assert "if (!C) latched = E | S;" in before
    assert "G = C & (latched);" in before
    assert "if (!C) latched = E;" in after
    assert "G = C & (latched | S);" in after
