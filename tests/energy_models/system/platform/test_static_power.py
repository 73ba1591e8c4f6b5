"""Static power: watts times seconds, busy apart from idle, and what they do to the gain of a format."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import PHASE_NAMES
from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices import rows
from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from bitjoule.energy_models.system.platform.regulator import Regulator
from bitjoule.energy_models.system.platform.static_power import (
    COMPUTING,
    MOVING,
    NOT_COMPUTING,
    NOT_MOVING,
    ON,
    STATES,
    StaticPower,
    over_time,
)
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.steps import ABSENT, StepPrice
from tests.energy_models.clocks import MET_MHZ
from tests.energy_models.requests import EDGE, evaluate, picked, system

WATTS = (0.04, 0.1, 0.5, 1.0)


def with_static(name="ternary-edge", **parts):
    """Return a shipped platform with the leakage of its nodes and these watts."""
    platform = platforms()[name]
    leak = Band(low=0.0002, nominal=0.0003, high=0.003)
    nodes = {key: node.model_copy(update={"leakage_w": leak}) for key, node in platform.nodes.items()}
    return platform.model_copy(update={"static": StaticPower(**parts) if parts else None, "nodes": nodes})


def without_leakage(name, **parts):
    """Return a shipped platform that draws nothing but these watts."""
    nodes = {key: node.model_copy(update={"leakage_w": 0.0}) for key, node in platforms()[name].nodes.items()}
    return with_static(name, **parts).model_copy(update={"nodes": nodes})


def joules(evaluated, **wanted):
    """Return low, nominal and high of what is picked, shape (ends, phases)."""
    return np.array([
        [picked(end, phase=phase, **wanted)[0] for phase in PHASE_NAMES] for end in evaluated.energies
    ]) / 1e12  # fmt: skip


def test_static_energy_is_the_sum_of_watts_times_seconds():
    band = {"low": 0.1, "nominal": 0.3, "high": 1.0}
    machine = with_static(phy=0.02, dram=0.035, host=band)
    found = evaluate(system(machine=machine), new=8)
    leakage = machine.nodes["7nm"].leakage_w
    for end, chip, host in zip((0, 1, 2), (leakage.low, leakage.nominal, leakage.high), band.values(), strict=True):
        watts = chip + 0.02 + 0.035 + host
        np.testing.assert_allclose(joules(found, component="static")[end], watts * found.latency_s[0], rtol=1e-12)
    assert joules(found, component="leakage").sum() == 0


def test_memory_is_busy_while_bits_cross_the_edge_of_the_chip_and_idle_in_the_rest_of_the_phase():
    busy_w, idle_w = 0.5, 0.03
    machine = with_static(phy={"busy": busy_w, "idle": idle_w})
    found = evaluate(system(machine=machine), new=8)
    ways = ("off_chip_read", "off_chip_write")
    bits = np.array([picked(found.counts, phase=phase, action=ways)[0] for phase in PHASE_NAMES])
    busy_s = bits / (machine.off_chip.bandwidth_gb_per_s * 8e9)
    expected = busy_w * busy_s + idle_w * (found.latency_s[0] - busy_s)
    assert (busy_s < found.latency_s[0]).all()
    cycle_s = 1 / MET_MHZ["7nm"] / 1e6  # whole cycles are counted
    np.testing.assert_allclose(joules(found, operand="phy")[1], expected, atol=busy_w * cycle_s, rtol=1e-12)


def test_arrays_are_busy_for_the_cycles_of_their_blocks():
    """Of a matmul of whole tiles: tokens x blocks of lanes x columns cycles, a token a cycle; the rest waits."""
    m, k, n = 64, 640, 320
    machine = without_leakage("ternary-edge", array={"busy": 0.2, "idle": 0.01}, sram=0.004)
    found = evaluate(system(Matmul(m, k, n), machine=machine), 1, m, 0)
    cycles = m * (k // 64) * (n // 16)
    hertz = MET_MHZ["7nm"] * 1e6
    expected = 0.2 * cycles / hertz + 0.01 * (found.latency_s[0, 0] - cycles / hertz)
    assert found.latency_s[0, 0] > cycles / hertz
    np.testing.assert_allclose(joules(found, operand="array")[1, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(joules(found, operand="sram")[1, 0], 0.004 * found.latency_s[0, 0], rtol=1e-12)
    assert picked(found.counts, operand="chip")[0] == 0


def of_fp16_and_ternary(objective, watts):
    """Return joules and seconds of prefill and decode at 6.7B, of FP16 and of b1.58, on machines of one area."""
    found = []
    for scheme in ("fp16", "bitnet-b1.58"):
        machine = without_leakage(EDGE[scheme], **({"host": watts} if watts else {}))
        whole = system("bitnet-6.7b", scheme, EDGE[scheme], machine=machine)
        whole = System(whole.models, whole.schemes, whole.technologies, whole.platforms, objective)
        evaluated = evaluate(whole, prompt=512, new=128)
        found.append((joules(evaluated)[1], evaluated.latency_s[0]))
    return found


@pytest.fixture(scope="module")
def fastest():
    """Return what costs nothing while it waits, mapped for the least time, which no watt changes."""
    return of_fp16_and_ternary(Objective.LATENCY, 0.0)


@pytest.mark.parametrize("watts", WATTS)
def test_the_gain_moves_towards_the_ratio_of_times_as_a_closed_form_says(fastest, watts):
    (fp16_j, fp16_s), (ternary_j, ternary_s) = fastest
    expected = (fp16_j + watts * fp16_s) / (ternary_j + watts * ternary_s)
    (fp16, _), (ternary, _) = of_fp16_and_ternary(Objective.LATENCY, watts)
    np.testing.assert_allclose(fp16 / ternary, expected, rtol=1e-9)
    dynamic, slowness = fp16_j / ternary_j, fp16_s / ternary_s
    assert ((np.minimum(dynamic, slowness) < expected) & (expected < np.maximum(dynamic, slowness))).all()


@pytest.mark.parametrize("watts", WATTS)
def test_mappings_of_least_energy_take_static_power_into_account(watts):
    """Never worse than the mapping that is best without it; never better than both of its terms alone."""
    least = of_fp16_and_ternary(Objective.ENERGY, 0.0)
    for (with_j, _), (without_j, seconds) in zip(of_fp16_and_ternary(Objective.ENERGY, watts), least, strict=True):
        assert (with_j <= (without_j + watts * seconds) * (1 + 1e-9)).all()
        assert (with_j >= without_j).all()


def test_a_comparison_moves_a_part_alike_on_all_machines():
    found = [
        f"platforms/{name}.yaml:static.{part}@{clock}MHz"
        for name, part, clock in (
            ("a", "host", 500),
            ("b", "host", 800),
            ("a", "dram.busy", 500),
            ("a", "dram.idle", 5),
        )
    ]
    assert [shared_row(key, "7nm") for key in found] == ["static:host", "static:host", "static:dram", "static:dram"]
    assert {shared_row(f"platforms/{name}.yaml:regulator.efficiency", "7nm") for name in "ab"} == {"regulator"}


def written(folder, text):
    """Return a platform's file that builds on ternary-edge without its static power."""
    (folder / "base.yaml").write_text("like: ternary-edge\nstatic: null\n")
    path = folder / "mine.yaml"
    path.write_text(f"like: base\n{text}\n")
    return path


def test_the_price_of_a_cycle_leads_to_its_watts_and_their_source(tmp_path, monkeypatch):
    text = "static:\n  dram: {busy: {low: 0.03, nominal: 0.04, high: 0.05}, idle: 0.02}\n"
    text += "sources: {static.dram: a data sheet}"
    mine = read_platform(written(tmp_path, text))
    monkeypatch.setattr(rows, "platforms", lambda: {"mine": mine})
    monkeypatch.setattr(rows, "PLATFORMS", tmp_path)
    found = rows.price_row("platforms/mine.yaml:static.dram.busy@250MHz")
    assert tuple(found.price) == pytest.approx((120.0, 160.0, 200.0))  # pJ: watts over 250e6 cycles a second
    assert (found.unit, found.where, found.places) == ("cycle", "a data sheet", ("platforms/mine.yaml:3",))
    assert found.derived == "static.dram.busy in W, for a cycle at 250 MHz"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("static: {fan: 1}", "2: static.fan: unknown key; expected one of array, sram, phy, dram, host, board, gated"),
        ("static: {dram: {busy: 1}}", "2: static.dram.idle: is missing; expected a value"),
        ("static: {host: {busy: 1, idle: 1}}", "2: static.host.busy: unknown key; expected one of low, nominal, high"),
        ("static: {phy: -1}", "2: static.phy: got -1; expected greater than or equal to 0"),
        (
            "static: {phy: {low: 2, nominal: 1, high: 3}}",
            "2: static.phy.nominal: 1 is outside 2 to 3; expected low <= nominal <= high",
        ),
        (
            "static: {sram: 0.1}",
            "2: static.sram: counts the leakage of sram twice: nodes.45nm.leakage_w includes it; expected one of the "
            "two, e.g. `leakage_w: 0`",
        ),
    ],
)
def test_wrong_static_power_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError) as refused:
        read_platform(written(tmp_path, text))
    assert str(refused.value).splitlines()[0].endswith(message)


def test_regulators_lose_their_share_of_all_but_host_and_board():
    machine = with_static(dram=0.035, host=0.3, board=0.2)
    efficiency = {"low": 0.8, "nominal": 0.875, "high": 0.9}
    regulated = machine.model_copy(update={"regulator": Regulator(efficiency=efficiency)})
    without, found = (joules(evaluate(system(machine=hardware))) for hardware in (machine, regulated))
    metered = joules(evaluate(system(machine=machine)), operand=("host", "board"))
    shares = np.array([1 / 0.9 - 1, 1 / 0.875 - 1, 1 / 0.8 - 1])[:, None]
    np.testing.assert_allclose(found - without, shares * (without - metered), rtol=1e-9)
    lost = joules(evaluate(system(machine=regulated)), component="regulator")
    np.testing.assert_allclose(lost, found - without, rtol=1e-9)


@pytest.mark.parametrize(("efficiency", "wrong"), [("0", "0"), ("{low: 0.5, nominal: 0.9, high: 1.1}", "1.1")])
def test_an_efficiency_is_above_nothing_and_at_most_one(tmp_path, efficiency, wrong):
    with pytest.raises(InputError) as refused:
        read_platform(written(tmp_path, f"regulator: {{efficiency: {efficiency}}}"))
    expected = f"2: regulator.efficiency: got {wrong}; expected above 0, and at most 1"
    assert str(refused.value).endswith(expected)


def test_the_price_of_a_loss_leads_to_the_efficiency(tmp_path, monkeypatch):
    mine = read_platform(written(tmp_path, "regulator: {efficiency: {low: 0.8, nominal: 0.875, high: 0.9}}"))
    monkeypatch.setattr(rows, "platforms", lambda: {"mine": mine})
    monkeypatch.setattr(rows, "PLATFORMS", tmp_path)
    found = rows.price_row("platforms/mine.yaml:regulator.efficiency")
    assert tuple(found.price) == pytest.approx((1 / 0.9 - 1, 1 / 0.875 - 1, 0.25))
    assert (found.unit, found.places) == ("pJ delivered", ("platforms/mine.yaml:2",))
    assert found.derived == "1 / regulator.efficiency - 1"  # as the three ends are


def test_a_gated_part_keeps_a_share_of_its_watts_while_it_is_idle():
    edge = platforms()["ternary-edge"]
    nodes = {key: node.model_copy(update={"leakage_w": 0.0}) for key, node in edge.nodes.items()}
    powers = (
        StaticPower(array=2.0, gated={"array": 0.25}),
        StaticPower(array={"busy": 2.0, "idle": 0.5}),
        StaticPower(array=2.0, gated={"array": 1.0}),
        StaticPower(array=2.0),
    )
    joules = [
        evaluate(system(machine=edge.model_copy(update={"nodes": nodes, "static": power}))).energies.nominal_pj.sum()
        for power in powers
    ]
    assert joules[0] == pytest.approx(joules[1], rel=1e-12)
    assert joules[2] == joules[3] > joules[0]


@pytest.mark.parametrize(
    ("static", "message"),
    [
        ("{array: null, gated: {array: 0.5}}", "static.gated.array: has no watts"),
        ("{phy: {busy: 2, idle: 1}, gated: {phy: 0.5}}", "static.gated.phy: has watts for when it is idle"),
        ("{host: 2, gated: {host: 0.5}}", "static.gated.host"),
        ("{dram: 2, gated: {dram: 1.5}}", "static.gated.dram: got 1.5; expected"),
    ],
)
def test_wrong_gating_is_named(tmp_path, static, message):
    path = tmp_path / "mine.yaml"
    path.write_text(f"like: ternary-edge\nstatic: {static}\n")
    with pytest.raises(InputError) as raised:
        read_platform(path)
    assert message in str(raised.value)


def test_a_mapping_pays_for_its_time_what_the_phase_pays_for_its_states():
    """Each state is paid in its own cycles: a whole, a busy and an idle part, the same as the price of a cycle says."""
    draw = np.random.default_rng(5)
    for left_out in (None, *range(len(STATES))):
        prices = draw.uniform(1, 9, len(STATES))
        lines = [
            ABSENT if i == left_out else StepPrice(1.0, "", Price(0.5 * price, price, 2 * price), f"k{i}")
            for i, price in enumerate(prices)
        ]
        found = over_time(lines, Price(100.0, 100.0, 100.0))
        for cycles, computing, moving in ((50.0, 20.0, 7.0), (9.0, 0.0, 9.0), (30.0, 30.0, 0.0)):
            in_state = {ON: cycles, COMPUTING: computing, NOT_COMPUTING: cycles - computing, MOVING: moving,
                        NOT_MOVING: cycles - moving}  # fmt: skip
            expected = sum(
                price * in_state[state.cycles]
                for i, (price, state) in enumerate(zip(prices, STATES, strict=True)) if i != left_out
            )  # fmt: skip
            paid = found.cycle_pj * cycles + found.computing_pj * computing + found.moving_pj * moving
            assert paid == pytest.approx(expected, rel=1e-12)
    assert over_time([ABSENT] * len(STATES), Price(1.0, 3.0, 9.0)) == (3.0, 0.0, 0.0)
