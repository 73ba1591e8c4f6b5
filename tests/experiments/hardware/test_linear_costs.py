"""What a whole BitLinear costs around its array: elements and accesses by hand, and prices by technology."""

import pandas as pd
import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.functions import functions, unit_work
from bitjoule.energy_models.prices.measured import UNITS
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.hardware.costs import accelerator_machine, matmul_costs
from bitjoule.experiments.hardware.linear_costs import MEMORIES, inside, linear_costs
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import units
from bitjoule.sim.accelerator.configurations import read_design
from bitjoule.sim.accelerator.cycles import MatmulShape
from tests.bitjoule.commands.hardware.test_rtl_simulate_linears import config, fake_hardware  # noqa: F401 (fixtures)
from tests.energy_models.clocks import at

ARRAY = AcceleratorConfig(8, 4, 512, 32, tokens=3)
NORMED, WIDE = LinearConfig(ARRAY, "bf16", 4, "rms_norm"), LinearConfig(ARRAY, "fp16", 2)
FP16_MUL, FP16_ADD = 1.1, 0.4  # pJ at 45 nm: Horowitz 2014


def machine(design, technology="45nm", platform="ternary-edge"):
    return accelerator_machine(
        design.array, schemes()["bitnet-b1.58"], at(platform), technologies()[technology], platform
    )


def test_what_passes_units_and_memories_counted_by_hand():
    """Two scales of five outputs each: both commands take all five tokens, in 25 beats of four BF16 values."""
    counted = inside(NORMED, MatmulShape(5, 100, 10), commands=2)
    assert counted.elements == {"rms_norm": 1000, "absmax": 1000, "quantise": 1000, "rescale": 50}
    tiles = 2 + 2  # of four columns, of which a command needs two
    beat, codes = 4 * 16, 104 * 8  # thirteen tiles of eight lanes
    accesses = {name: (read, written) for name, (_, read, written) in counted.memories.items()}
    assert accesses == {
        "tokens": (2 * 5 * 26 * beat, 2 * 5 * 25 * beat),
        "codes": (5 * tiles * codes, 2 * 5 * codes),
        "scales": (5 * tiles * 33, 2 * 5 * 33),
        "norm": (2 * 2 * 5 * 25 * beat, 2 * 5 * 25 * beat + 2 * 25 * beat),
    }
    sizes = {name: size for name, (size, *_) in counted.memories.items()}
    assert sizes == {"tokens": 2 * 512 * 2, "codes": 2 * 3 * 512, "scales": 2 * 3 * 33 / 8, "norm": 2 * 512 * 2}


def test_sums_are_held_where_a_tiles_outputs_take_several_cycles():
    counted = inside(WIDE, MatmulShape(5, 100, 10), commands=1)
    assert "rms_norm" not in counted.elements
    assert {*counted.memories} == {*MEMORIES} - {"norm"}
    assert counted.memories["sums"] == (4 * 4 * 18 / 8, 5 * 3 * 4 * 18, 5 * 3 * 4 * 18)  # 512 · 128 in 18 bits
    assert counted.memories["scales"][1] == 5 * 3 * 2 * 33  # two cycles of outputs for each tile


def energies(design, technology, shape=(2, 40, 9)):
    costs = linear_costs(machine(design, technology), design, MatmulShape(*shape))
    return {(cost.operand, cost.action): cost.times * cost.price.nominal_pj for cost in costs}


def test_a_technology_without_prices_of_units_pays_the_operations_that_are_assumed():
    found = energies(LinearConfig(ARRAY, "fp16", 4, "rms_norm"), "45nm")
    elements, outputs = 2 * 40, 2 * 9
    expected = {
        ("rms_norm", "mul"): 2 * elements * FP16_MUL, ("rms_norm", "add"): elements * FP16_ADD,
        ("absmax", "add"): elements * FP16_ADD,
        ("quantise", "mul"): elements * FP16_MUL, ("quantise", "add"): elements * FP16_ADD,
        ("rescale", "mul"): outputs * FP16_MUL,
    }  # fmt: skip
    assert {key: found[key] for key in found if key[0] in UNITS} == pytest.approx(expected)


@pytest.mark.parametrize("technology", ["45nm-measured", "7nm-measured"])
@pytest.mark.parametrize("form", ["fp16", "bf16", "fp32"])
def test_a_measured_technology_prices_each_unit_by_itself(technology, form):
    found = energies(LinearConfig(ARRAY, form, 4, "rms_norm"), technology)
    for unit, elements in {"rms_norm": 80, "absmax": 80, "quantise": 80, "rescale": 18}.items():
        row = price_row(f"technologies/{technology}.yaml:{unit}:{form}")
        assert found[unit, "element"] == pytest.approx(elements * row.price.nominal_pj)
        assert (unit, "add") not in found
        assert (unit, "mul") not in found


def test_memories_are_banks_of_the_platforms_buffer_or_the_smallest_that_is_priced():
    """2 MiB of codes in banks of 128 KiB, as the platform's buffer has; a memory below 8 KiB costs as that."""
    design = read_design("bitlinear_64x16")
    keys = {cost.operand: cost.key for cost in linear_costs(machine(design), design, MatmulShape(1, 64, 16))}
    assert keys["codes"] == "memories.csv:45nm:sram:131072"
    assert keys["tokens"] == "memories.csv:45nm:sram:65536"
    assert keys["scales"] == keys["sums"] == "memories.csv:45nm:sram:8192"


def test_inputs_cross_the_buffers_port_once_for_each_command_in_the_hardwares_format():
    for commands, taken in ((1, 1), (2, 2)):
        found = matmul_costs(
            machine(WIDE), WIDE, MatmulKind.LINEAR, MatmulShape(3, 100, 40), cycles=10_000, commands=commands
        )
        times = {(cost.operand, cost.action): (cost.times, cost.format) for cost in found.actions}
        assert times["activations", "buffer_read"] == (taken * 3 * 100 * 16, "fp16")
        assert times["outputs", "buffer_write"] == (3 * 40 * 16, "fp16")


def test_a_format_that_nothing_prices_is_told():
    design = read_design("bitlinear_64x5")
    with pytest.raises(UnpricedError, match="45nm has no price for mul bf16, which platform ternary-edge needs"):
        linear_costs(machine(design), design, MatmulShape(1, 64, 16))


def test_the_comparison_and_the_lane_together_are_the_assumed_quantisation():
    assert tuple(UNITS) == units.UNITS
    both = [unit_work(name) for name in ("absmax", "quantise")]
    whole = functions()["quantisation"]
    assert {action: sum(work.get(action, 0) for work in both) for action in ("mul", "add")} == {
        "mul": whole.mul, "add": whole.add,
    }  # fmt: skip
    assert unit_work("rms_norm") == {"mul": functions()["rmsnorm"].mul, "add": functions()["rmsnorm"].add}
    assert unit_work("rescale") == {"mul": 1.0}


@pytest.mark.usefixtures("fake_hardware")
def test_a_run_counts_units_and_memories_and_says_what_it_leaves_out(bitjoule, config, tmp_path):  # noqa: F811
    arguments = ("--config", config, "--new-tokens", "1", "--technology", "45nm-measured", "--out", tmp_path)
    status, out, err = bitjoule("rtl", "simulate", *arguments)
    assert (status, err) == (0, "")
    results = pd.read_csv(tmp_path / "rtl_tiny_b158" / "results.csv")
    matmuls = pd.read_csv(tmp_path / "rtl_tiny_b158" / "matmuls.csv")
    counts = results[results["action"] == "element"].groupby("operand")["count"].sum()
    assert counts["quantise"] == counts["rms_norm"] == (matmuls["tokens"] * matmuls["k"]).sum()
    assert counts["rescale"] == (matmuls["tokens"] * matmuls["n"]).sum()
    for part in ("unit quantise", "unit rms_norm", "memories around the array"):
        assert part in out
    assert "units and memories around the array are counted; attention, softmax, embedding and LM head are not" in (
        " ".join(out.split())
    )


@pytest.mark.usefixtures("fake_hardware")
def test_a_technology_without_the_hardwares_format_is_refused_before_anything_runs(bitjoule, config, tmp_path):  # noqa: F811
    status, _, err = bitjoule("rtl", "simulate", "--config", config, "--technology", "45nm", "--out", tmp_path / "out")
    assert status == 2
    assert "45nm has no price for mul bf16, which platform ternary-edge needs" in err
    assert not list((tmp_path / "out").glob("*"))
