"""Cases in which one lane differs from the others, and mutants of the netlist that no other case found."""

import re

import numpy as np
import pytest

from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.bench.cases import operands
from bitjoule.sim.bench.float_lanes import LEVEL, ONE_SPECIAL, ONE_ZERO, SPREAD, lane_operands
from bitjoule.sim.testbench.folder import testbench_files as files_of
from bitjoule.sim.testbench.stimulus import corner_cases, stimulus_of
from tests.sampling import sampled
from tests.sim.bench.coverage import configuration
from tests.sim.bench.test_faults import with_fault
from tests.sim.testbench.test_drivers import make

LANES = 8
NUMBERS = r"assign (\\\$\d+)  = "
# Of fp16_fused_8x4 with one column, by their number in a draw of 300 with seed 1; the first array of tests.mutation.
SURVIVED = {
    "71: a NaN in lane 6 is taken for a number": (
        "core", r"(= \| activations__payload\[105:96\];\n  assign \\\$\d+  = )\\\$\d+  & \\\$\d+ ;", r"\1 1'h0;"
    ),
    "140: a distance loses the borrow from below its bit 4": (
        "column0",
        rf"(distance14_sum = [^;]+;\n  {NUMBERS}~ \\\$\d+ ;\n  {NUMBERS}largest4) & \2 ;",
        r"\1;",
    ),
    "152: lane 5 is no candidate for the largest exponent": (
        "column0", r"(= candidate4_5) & \\\$\d+ ;\n  (assign candidate3_5)", r"= 1'h0;\n  \2"
    ),
}  # fmt: skip


def lane_cases(config):
    return [case for case in corner_cases(config, 0) if case.name.startswith("a lane ")]


def fields(values):
    """Return exponent fields, as products count them: of subnormal numbers that of the least normal one."""
    return np.maximum((np.abs(values).view(np.uint16) >> 10).astype(int), 1)


def test_each_lane_in_turn_is_special_or_zero_and_the_others_are_numbers():
    for kind, wanted in ((ONE_SPECIAL, {"nan", "inf", "-inf"}), (ONE_ZERO, {"0.0"})):
        values = lane_operands(np.random.default_rng(1), kind, 3 * LANES, LANES)
        differs = ~np.isfinite(values) if kind == ONE_SPECIAL else values == 0
        assert (differs == np.tile(np.eye(LANES, dtype=bool), (3, 1))).all()
        for lane in range(LANES):
            assert {str(value) for value in values[lane::LANES, lane]} == wanted


def test_each_lane_in_turn_has_the_largest_exponent_and_the_others_any_below_it():
    values = lane_operands(np.random.default_rng(2), SPREAD, 40 * LANES, LANES)
    exponents = fields(values)
    assert np.isfinite(values).all()
    for lane in range(LANES):
        rows = exponents[lane::LANES]
        assert (rows[:, lane] == rows.max(axis=1)).all()
        below = rows[:, [lane]] - np.delete(rows, lane, axis=1)
        assert set(range(26)) <= set(below.ravel().tolist())
    level = fields(lane_operands(np.random.default_rng(3), LEVEL, 200, LANES))
    assert (level == level[:, :1]).all()
    assert set(level[:, 0].tolist()) == set(range(1, 31))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("fp16_fused_8x4", [(ONE_SPECIAL, ONE_ZERO), (SPREAD, LEVEL), (ONE_ZERO, ONE_SPECIAL), (LEVEL, SPREAD)]),
        ("fp16_8x4", [(ONE_SPECIAL, ONE_ZERO), (SPREAD, LEVEL), (ONE_ZERO, ONE_SPECIAL), (LEVEL, SPREAD)]),
        ("ternary_fp16_8x4", [(ONE_SPECIAL, "random"), (SPREAD, "wide")]),
        ("tiny_8x4", []),
    ],
)
def test_arrays_of_floats_have_these_cases_of_one_tile_of_k(name, kinds):
    config = read_configuration(name)
    cases = lane_cases(config)
    assert [(case.activations, case.weights) for case in cases] == kinds
    for case in cases:
        (shape,) = case.shapes
        x, w = operands(config, case, 0)
        assert shape.k == config.lanes == x.shape[1] == w.shape[0]
        words = {case.activations: x, case.weights: w.T}
        if ONE_SPECIAL in words:
            lanes, counts = np.unique(np.argwhere(~np.isfinite(words[ONE_SPECIAL]))[:, 1], return_counts=True)
            assert (lanes.tolist(), set(counts.tolist())) == (list(range(config.lanes)), {3})
        if ONE_ZERO in words:  # among the special numbers, each lane's meets a zero
            assert sorted(np.argwhere(words[ONE_ZERO] == 0)[:, 1].tolist()) == list(range(config.lanes))


def written(config, verilog, folder):
    stimulus = stimulus_of(config, lane_cases(config))
    for name, text in files_of(config, verilog, stimulus, "lanes").items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("mutant", sampled(SURVIVED, 1, "mutants of floats that survived"))
def test_a_mutant_of_floats_that_survived_once_is_found(mutant, tmp_path, icarus):
    config = configuration("fp16_fused_8x4 with one column")
    verilog = with_fault(accelerator_verilog(config), *SURVIVED[mutant])
    run = make(written(config, verilog, tmp_path), f"SIM={icarus}")
    assert run.returncode != 0
    assert re.search("^FAILED: a result is wrong", run.stdout, re.MULTILINE), run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    sampled(
        ["fp16_fused_8x4 with one column", "fp16_8x4 with one column", "ternary_fp16_8x4"], 1, "lane cases of floats"
    ),
)
def test_arrays_without_a_fault_pass_these_cases(name, tmp_path, icarus):
    config = configuration(name)
    run = make(written(config, accelerator_verilog(config), tmp_path), f"SIM={icarus}", "PAUSE=0")
    assert run.returncode == 0, run.stdout + run.stderr


# Of the counter of K. No case reached its largest values until the testbench had one; both simulators see them since.
COUNTER = {
    "tiny_8x4 163": (
        "tiny_8x4", r"(\\\$\d+  = )k_left;", r"\1{ k_left[6:4], k_left[3] ^ k_left[6], k_left[2:0] };"
    ),
    "int4_8x4 66": (
        "int4_8x4 with one column", r"(\\\$\d+ ) = k;\s+end\s+end", r"\1 = k;\n end\n end\n \1[11] = 1'h0;"
    ),
}  # fmt: skip


@pytest.mark.dear
@pytest.mark.parametrize("mutant", COUNTER)
def test_both_simulators_find_a_mutant_of_the_counter_in_the_same_cycle(mutant, tmp_path, icarus):
    name, there, fault = COUNTER[mutant]
    config = configuration(name)
    verilog = with_fault(accelerator_verilog(config), "sequencer", there, fault)
    stimulus = stimulus_of(config, corner_cases(config, 0))
    for file, text in files_of(config, verilog, stimulus, mutant).items():
        (tmp_path / file).write_text(text)
    told = [
        re.search("^FAILED: .*", make(tmp_path, f"SIM={simulator}").stdout, re.MULTILINE)[0]
        for simulator in (icarus, "verilator")
    ]
    assert told[0] == told[1]
