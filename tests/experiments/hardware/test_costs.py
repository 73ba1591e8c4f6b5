"""What matmuls on the accelerator cost: by hand, against the system accounting, and where operands stay on chip."""

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.counting.quantities import quantities
from bitjoule.energy_models.system.mappings.mapping import Tiles, replay
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.off_chip import Contiguous, OffChip
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.platform.regulator import Regulator
from bitjoule.energy_models.system.platform.static_power import BusyIdle, StaticPower
from bitjoule.energy_models.system.work.steps import STEPS, MatmulKind
from bitjoule.experiments.hardware.costs import accelerator_machine, matmul_costs
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles
from bitjoule.sim.accelerator.rtl_engine import streams
from tests.energy_models.clocks import at


def machine(config, technology="45nm", name="ternary-edge", clock_mhz=None, **changes):
    platform = at(name).model_copy(update=changes)
    return accelerator_machine(config, schemes()["bitnet-b1.58"], platform, technologies()[technology], name, clock_mhz)


def costs(config_name, m, k, n, kind=MatmulKind.STANDALONE, **changes):
    config = read_configuration(config_name)
    found = matmul_costs(machine(config, **changes), config, kind, MatmulShape(m, k, n), cycles(config, m, k, n))
    times = {(cost.operand, cost.action): cost.times for cost in found.actions}
    assert len(times) == len(found.actions)
    return found, times


@pytest.mark.parametrize("engine", ["numpy", pytest.param("check", marks=pytest.mark.slow)])
def test_a_hardware_run_of_a_small_matmul_costs_the_sum_of_counts_times_prices(bitjoule, tmp_path, engine):
    """(2, 100) @ (100, 40) on simulate_64x16: 2 tiles of K, 3 of N, each token takes all six tiles."""
    run = f"rtl: {{engine: {engine}, matmuls: [{{m: 2, k: 100, n: 40}}], random_weights: 0.3}}"
    leaks = "nodes: {45nm: {clock_mhz: 500, leakage_w: 0.0841}}"
    (tmp_path / "leaky.yaml").write_text(f"like: ternary-edge\nstatic: null\n{leaks}\n")
    (tmp_path / "x.yaml").write_text(f"name: x\ntechnology: 45nm\nplatform: leaky.yaml\n{run}\n")
    assert bitjoule("run", tmp_path / "x.yaml", "--out", tmp_path)[0] == 0
    table, summary = (pd.read_csv(tmp_path / "x" / f"{name}.csv") for name in ("results", "summary"))
    sram_pj = 20 / 64 * (100 / 20) ** (math.log(128 / 32) / math.log(1024 / 32))  # TPUv4i, banks of 128 KiB, a bit
    lpddr4_pj, register_pj, accumulator_pj, add_pj = 8, 0.0013, 2 * 0.0119, 0.03
    tile, inputs, outputs = 64 * 16 * 2, 64 * 8, 16 * 32  # bits of a beat
    off_chip = 6 * tile + 2 * 2 * inputs + 2 * 3 * outputs
    buffer = (6 + 2 * 6) * tile + (2 * 2 + 2 * 3 * 2) * inputs + (2 + 2) * 3 * outputs
    taken = off_chip / (12.8e9 * 8 / 500e6)  # LPDDR4 is the slowest
    expected = {
        "additions": 2 * 99 * 40 * add_pj,
        "off-chip": off_chip * lpddr4_pj,
        "buffer": buffer * sram_pj,
        "weight registers": 2 * 100 * 40 * 2 * register_pj,
        "accumulators": 2 * 2 * 40 * 23 * accumulator_pj,  # an update for each tile of K
        "leakage": taken * 0.0841 / 500e6 * 1e12,
    }
    assert summary["latency_s"][0] == pytest.approx(taken / 500e6)
    assert table["energy_pj"].sum() == pytest.approx(sum(expected.values()))
    assert summary["energy_per_token_j"][0] == pytest.approx(sum(expected.values()) / 2 / 1e12)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["edge_64x16", "simulate_64x16", "decode_64x5"]),
    st.sampled_from(["45nm", "7nm"]),
    st.integers(1, 4),
    st.integers(2, 4),  # the accelerator takes even a single tile anew for each block of tokens
    st.integers(2, 4),
)
def test_whole_tiles_move_what_the_system_accounting_counts_for_this_loop_order(name, technology, blocks, k, n):
    config = read_configuration(name)
    m, k, n = blocks * config.tokens, k * config.lanes, n * config.columns
    own = machine(config, technology)
    problem = own.problem(MatmulKind.STANDALONE, m, k, n, resident=False, reserved_bits=0)
    mapped = replay(problem, Tiles(m, k / config.lanes, n / config.columns, config.tokens, 1, 1, 0, 1))
    counted = quantities(own.array(MatmulKind.STANDALONE)[0], problem, mapped)
    _, times = costs(name, m, k, n, technology=technology)
    lines = own.lines(MatmulKind.STANDALONE)
    for step in STEPS:
        expected = counted[QUANTITIES.index(step.quantity)] * lines[step].factor
        if step.operand == "outputs":  # sums leave as they are, not requantised
            expected *= config.result_bits / 8
        assert times.get((step.operand, step.action), 0) == pytest.approx(expected), step


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["edge_64x16", "decode_64x5"]), st.integers(1, 130), st.integers(1, 300), st.integers(1, 99))
def test_what_leaves_and_enters_the_buffers_is_what_the_accelerator_streams_to_the_bit(name, m, k, n):
    _, times = costs(name, m, k, n)
    streamed = streams(read_configuration(name), m, k, n)
    assert times["weights", "buffer_read"] == streamed.weight_bits
    assert times["activations", "buffer_read"] == streamed.activation_bits
    assert times["outputs", "buffer_write"] == streamed.result_bits


@pytest.mark.parametrize(("m", "stays"), [(1, True), (4, True), (400, False)])
def test_inputs_and_results_of_a_linear_cross_the_chips_edge_if_the_buffer_cannot_hold_them(m, stays):
    """512 KiB hold 512 inputs of 8 bits and 512 sums of 32 of no more than 204 tokens."""
    _, times = costs("edge_64x16", m, 512, 512, MatmulKind.LINEAR)
    assert (("activations", "off_chip_read") not in times) is stays
    assert (("outputs", "off_chip_write") not in times) is stays


@pytest.mark.parametrize(("n", "loads"), [(2048, 1), (2064, 3)])
def test_weights_that_fit_their_buffer_are_read_off_chip_once(n, loads):
    """512 KiB are 1024 x 2048 trits of 2 bits. 192 tokens are three blocks."""
    _, times = costs("edge_64x16", 192, 1024, n)
    assert times["weights", "off_chip_read"] == times["weights", "buffer_write"] == loads * 1024 * n * 2
    assert times["weights", "buffer_read"] == 3 * 1024 * n * 2


def test_a_block_of_tokens_that_fits_no_buffer_is_read_off_chip_for_each_tile_of_outputs():
    _, once = costs("edge_64x16", 64, 8128, 32)
    _, again = costs("edge_64x16", 64, 8192, 32)
    assert once["activations", "off_chip_read"] == 64 * 8128 * 8
    assert again["activations", "off_chip_read"] == 2 * 64 * 8192 * 8


def test_fewer_tokens_than_a_block_take_only_their_own_room():
    """One token's 8192 inputs of 8 bits take 8 of the 512 KiB; those of a whole block of 64 would fill them all."""
    _, once = costs("edge_64x16", 1, 8192, 32)
    assert once["activations", "off_chip_read"] == 8192 * 8


def test_a_machine_is_never_faster_than_the_accelerator_or_its_memories():
    fast = platforms()["ternary-edge"].off_chip.model_copy(update={"bandwidth_gb_per_s": 1e6})
    config = read_configuration("edge_64x16")
    bound, times = costs("edge_64x16", 1, 2560, 2560)
    moved = times["weights", "off_chip_read"] + times["activations", "off_chip_read"] + 160 * 16 * 32
    assert bound.cycles == math.ceil(moved / (12.8e9 * 8 / 500e6))
    free, _ = costs("edge_64x16", 32, 2560, 2560, MatmulKind.LINEAR, off_chip=fast)
    assert free.cycles == cycles(config, 32, 2560, 2560)


def test_leakage_follows_the_time_and_a_clock_of_ones_own_the_cycles():
    """At a tenth of the clock off-chip memory moves ten times the bits a cycle; each cycle leaks ten times as long."""
    watts = Band(low=0.04, nominal=0.08, high=0.8)
    node = at("ternary-edge").nodes["45nm"].model_copy(update={"leakage_w": watts})
    slow, times = costs("simulate_64x16", 1, 2560, 2560, clock_mhz=50, static=None, nodes={"45nm": node})
    leak = next(cost for cost in slow.actions if cost.action == "leak")
    assert leak.times == slow.cycles == times["chip", "leak"]
    for price_pj, end_w in zip(leak.price, (watts.low, watts.nominal, watts.high), strict=True):
        assert price_pj == pytest.approx(end_w / 50e6 * 1e12)


def test_static_power_of_a_hardware_run_is_watts_times_its_time_and_regulators_lose_their_share():
    node = at("ternary-edge").nodes["45nm"].model_copy(update={"leakage_w": 0.07})
    static = StaticPower(host=0.3, dram=BusyIdle(busy=0.05, idle=0.02), array=None)
    keys = {"static": static, "nodes": {"45nm": node}, "regulator": Regulator(efficiency=0.8)}
    found, times = costs("simulate_64x16", 1, 2560, 2560, **keys)
    seconds = found.cycles / (node.clock_mhz * 1e6)
    joules = {
        (cost.operand, cost.action): cost.times * cost.price.nominal_pj / 1e12
        for cost in found.actions
        if cost.operand in ("chip", "host", "dram", "delivered")
    }
    moved_bits = sum(count for (_, action), count in times.items() if action.startswith("off_chip"))
    busy_s = moved_bits / (platforms()["ternary-edge"].off_chip.bandwidth_gb_per_s * 8e9)
    assert joules["chip", "on"] == pytest.approx(0.07 * seconds)
    assert joules["host", "on"] == pytest.approx(0.3 * seconds)
    assert joules["dram", "busy"] == pytest.approx(0.05 * busy_s, rel=1e-4)  # in whole cycles
    idle_j = joules.get(("dram", "idle"), 0.0)
    assert idle_j == pytest.approx(0.02 * (seconds - busy_s), abs=0.02 / (node.clock_mhz * 1e6))
    assert ("chip", "leak") not in times
    every = sum(cost.times * cost.price.nominal_pj for cost in found.actions if cost.operand != "delivered") / 1e12
    assert joules["delivered", "loss"] == pytest.approx((1 / 0.8 - 1) * (every - joules["host", "on"]))


@pytest.mark.parametrize("device", ["lpddr4-3200", "ddr4-2400", "hbm3e"])
def test_a_dram_device_of_a_hardware_run_costs_its_parts_which_add_up(device):
    """(1, 2560) @ (2560, 2560) trits: 1 638 400 bytes of weights, and what is streamed, in whole rows."""
    static = StaticPower(host=0.3)
    memory = OffChip(device=device, bandwidth_gb_per_s=12.8)
    found, times = costs("simulate_64x16", 1, 2560, 2560, static=static, off_chip=memory)
    row_bytes = drams()[device].row_bytes
    for operand, way in (("weights", "read"), ("activations", "read"), ("outputs", "write")):
        bits = times[operand, f"off_chip_{way}"]
        assert times[operand, f"{way}_phy"] == bits
        assert times.get((operand, f"{way}_io"), bits) == bits
        assert times[operand, f"{way}_activate"] == pytest.approx(bits / 8 / row_bytes)
    assert times["weights", "read_activate"] == 2560 * 2560 * 2 / 8 / row_bytes
    config = read_configuration("simulate_64x16")
    whole = machine(config, static=static, off_chip=memory)
    price = {step.action: line.price for step, line in whole.lines(MatmulKind.STANDALONE).items()}
    for end in range(3):
        parts = sum(c.times * c.price[end] for c in found.actions if c.key.startswith("drams") and c.operand != "dram")
        together = sum(times[operand, action] * price[action][end] for operand, action in times if "off_chip" in action)
        assert parts == pytest.approx(together)
    busy, idle = (times.get(("dram", state), 0) for state in ("busy", "idle"))
    assert busy + idle == found.cycles
    waits = [c.price.nominal_pj * c.times for c in found.actions if c.operand == "dram"]
    watts = memory.channel_count * (drams()[device].standby_w(True).nominal_pj + drams()[device].refresh_w.nominal_pj)
    seconds = found.cycles / 500e6
    assert sum(waits) / 1e12 == pytest.approx(watts * seconds, rel=0.1)  # nearly always busy
    assert ("chip", "leak") not in times


def test_rows_are_opened_by_the_contiguous_bytes_of_what_is_moved():
    """With 32 bytes of weights and 128 of activations behind each other, a row is opened for each."""
    memory = OffChip(
        device="hbm3e", bandwidth_gb_per_s=12.8, contiguous_bytes=Contiguous(weights=32, activations=128, embedding=64)
    )
    _, times = costs("simulate_64x16", 1, 2560, 2560, off_chip=memory)
    for operand, way, contiguous in (("weights", "read", 32), ("activations", "read", 128), ("outputs", "write", 128)):
        opened = times[operand, f"off_chip_{way}"] / 8 / contiguous
        assert times[operand, f"{way}_activate"] == pytest.approx(opened), operand


def test_a_dram_device_waits_in_a_hardware_run_of_a_platform_without_watts():
    node = at("ternary-edge").nodes["45nm"].model_copy(update={"leakage_w": 0.07})
    memory = OffChip(device="hbm3e", bandwidth_gb_per_s=12.8)
    found, times = costs("simulate_64x16", 1, 640, 640, static=None, off_chip=memory, nodes={"45nm": node})
    assert times["chip", "on"] == times["dram", "busy"] + times.get(("dram", "idle"), 0) == found.cycles
    assert ("chip", "leak") not in times


def test_signs_on_hardware_for_trits_are_moved_as_trits():
    config = read_configuration("simulate_64x16")
    signs = accelerator_machine(
        config, schemes()["bitnet"], platforms()["ternary-edge"], technologies()["7nm"], "ternary-edge"
    )
    found = matmul_costs(signs, config, MatmulKind.LINEAR, MatmulShape(1, 64, 16), 4)
    moved = {cost.action: (cost.times, cost.format) for cost in found.actions if cost.operand == "weights"}
    assert moved["off_chip_read"] == (64 * 16 * 2, "ternary2")
    assert moved["register_write"] == (64 * 16 * 2, "ternary")


def test_a_platform_that_multiplies_is_no_platform_for_an_adder_array():
    config = read_configuration("simulate_64x16")
    with pytest.raises(UnpricedError, match="platform int8-edge multiplies ternary x int8"):
        machine(config, name="int8-edge")
