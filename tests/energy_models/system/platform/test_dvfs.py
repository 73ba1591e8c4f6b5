"""Operating points: what follows from clock and volts, in closed form, and that nothing changes without them."""

import numpy as np
import pytest

import bitjoule
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.system.platform.dvfs import Dvfs
from bitjoule.energy_models.system.platform.overheads import Overheads
from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from bitjoule.energy_models.system.platform.static_power import StaticPower
from tests.energy_models.clocks import at
from tests.energy_models.requests import evaluate, system

BATCH, PROMPT, NEW = 2, 24, 4
LOW, NOMINAL = 250.0, 500.0
V_LOW, V_NOMINAL = 0.6, 0.9


def dvfs(point=None, **keys):
    points = [{"clock_mhz": LOW, "volts": V_LOW}, {"clock_mhz": NOMINAL, "volts": V_NOMINAL}]
    return Dvfs.model_validate({"points": points, "nominal_mhz": NOMINAL, "point": point} | keys)


def edge(own=None, **update):
    """Return an edge device at a point; its memory is fast enough not to be seen."""
    platform = at("ternary-edge", NOMINAL)
    fast = platform.off_chip.model_copy(update={"bandwidth_gb_per_s": 1e6})
    return platform.model_copy(update={"off_chip": fast, "dvfs": own, **update})


def found(platform, **case):
    return evaluate(system(machine=platform), **case)


def columns_of(platform, **wanted):
    """Return which columns have these values."""
    columns = system(machine=platform).columns
    return np.array([all(getattr(column, key) in values for key, values in wanted.items()) for column in columns])


def test_the_nominal_point_and_no_points_give_the_same_bytes():
    plain = found(edge(), batch=BATCH, prompt=PROMPT, new=NEW)
    for own in (dvfs(), dvfs(NOMINAL)):
        same = found(edge(own), batch=BATCH, prompt=PROMPT, new=NEW)
        np.testing.assert_array_equal(same.latency_s, plain.latency_s)
        for end in ("low_pj", "nominal_pj", "high_pj"):
            np.testing.assert_array_equal(getattr(same.energies, end), getattr(plain.energies, end))


def test_at_half_the_clock_what_is_clocked_takes_twice_the_time():
    half, full = (found(edge(own), batch=BATCH, prompt=PROMPT, new=NEW) for own in (dvfs(LOW), dvfs()))
    np.testing.assert_allclose(half.latency_s, 2 * full.latency_s, rtol=1e-9)


def test_energy_of_the_chip_is_that_of_the_square_of_the_volts_and_that_of_memory_does_not_change():
    half, full = (found(edge(own), batch=BATCH, prompt=PROMPT, new=NEW) for own in (dvfs(LOW), dvfs()))
    memory = columns_of(edge(), action=("off_chip_read", "off_chip_write"))
    beside = columns_of(edge(), component=("static", "leakage", "regulator"))
    chip = ~memory & ~beside
    np.testing.assert_array_equal(half.counts[:, chip | memory], full.counts[:, chip | memory])
    np.testing.assert_allclose(
        half.energies.nominal_pj[:, chip], (V_LOW / V_NOMINAL) ** 2 * full.energies.nominal_pj[:, chip], rtol=1e-12
    )
    np.testing.assert_array_equal(half.energies.nominal_pj[:, memory], full.energies.nominal_pj[:, memory])


@pytest.mark.parametrize("exponent", [0.0, 1.0, 3.0])
def test_leakage_follows_the_volts_for_the_time_that_it_takes(exponent):
    half, full = (
        found(edge(dvfs(point, leakage_exponent=exponent), static=None), batch=BATCH, prompt=PROMPT, new=NEW)
        for point in (LOW, NOMINAL)
    )
    leaks = columns_of(edge(static=None), component=("leakage",))
    watts = [(each.energies.nominal_pj[:, leaks] / each.latency_s) for each in (half, full)]
    assert (watts[1] > 0).all()
    np.testing.assert_allclose(watts[0], (V_LOW / V_NOMINAL) ** exponent * watts[1], rtol=1e-9)


def test_static_parts_follow_volts_clock_or_nothing():
    own = dvfs(LOW, leakage_exponent=2.0, switching=["array"])
    nodes = {key: node.model_copy(update={"leakage_w": 0.0}) for key, node in at("ternary-edge", NOMINAL).nodes.items()}
    platform = edge(own, nodes=nodes, static=StaticPower(array=3.0, sram=5.0, host=7.0))
    each = found(platform, batch=1, prompt=PROMPT, new=NEW)
    expected = {"array": 3.0 * 0.5 * (V_LOW / V_NOMINAL) ** 2, "sram": 5.0 * (V_LOW / V_NOMINAL) ** 2, "host": 7.0}
    for part, watts in expected.items():
        drawn = columns_of(platform, component=("static",), operand=(part,))
        joules = each.energies.nominal_pj[0, drawn].sum() * 1e-12
        assert joules == pytest.approx(watts * each.latency_s.sum(), rel=1e-9), part


def test_volts_and_bandwidth_of_a_clock_between_two_points_are_on_the_line():
    points = [
        {"clock_mhz": 400, "volts": 0.5, "bandwidth_gb_per_s": 50},
        {"clock_mhz": 600, "bandwidth_gb_per_s": 100},
        {"clock_mhz": 1000, "volts": 0.8, "bandwidth_gb_per_s": 100},
    ]
    own = Dvfs.model_validate({"points": points, "nominal_mhz": 1000, "point": 500, "memory_bound_share": 0.25})
    volts = 0.5 + 0.3 * 100 / 600
    assert own.volts(500) == pytest.approx(volts)
    assert own.operating.memory == pytest.approx(0.75)
    assert own.operating.energy == pytest.approx((volts / 0.8) ** 2)
    assert own.operating.waiting == pytest.approx(0.75 * 1000 / 500 + 0.25 / 0.75)


def test_unpacking_and_launches_wait_for_the_clock_and_for_memory():
    k, n, rate, launch_us = 640, 320, 1e6, 50.0
    points = [
        {"clock_mhz": LOW, "volts": V_LOW, "bandwidth_gb_per_s": 5e5},
        {"clock_mhz": NOMINAL, "volts": V_NOMINAL, "bandwidth_gb_per_s": 1e6},
    ]
    overheads = Overheads(unpack_weights_per_s={"ternary2": rate}, matmul_us=launch_us)
    seconds = []
    for point in (NOMINAL, LOW):
        own = Dvfs.model_validate({"points": points, "nominal_mhz": NOMINAL, "point": point, "memory_bound_share": 0.3})
        machine = system(Matmul(1, k, n), machine=edge(own, overheads=overheads))
        seconds.append(evaluate(machine, 1, 1, 0).latency_s[0, 0])
    added = k * n / rate + launch_us * 1e-6
    filling = seconds[0] - added  # clocked
    assert 0 < filling < 0.01 * added
    assert seconds[1] == pytest.approx(2 * added + 2 * filling, rel=1e-4)  # both clocks are half


def test_off_chip_bits_take_the_time_of_the_memorys_clock_alone():
    points = [
        {"clock_mhz": LOW, "volts": V_LOW, "bandwidth_gb_per_s": 2.0},
        {"clock_mhz": NOMINAL, "volts": V_NOMINAL, "bandwidth_gb_per_s": 1.0},
    ]
    own = Dvfs.model_validate({"points": points, "nominal_mhz": NOMINAL, "point": LOW})
    slow = platforms()["ternary-edge"].off_chip.model_copy(update={"bandwidth_gb_per_s": 0.01})
    base = at("ternary-edge", NOMINAL).model_copy(update={"off_chip": slow})
    faster, plain = (evaluate(system(machine=m), 1, 0, NEW) for m in (base.model_copy(update={"dvfs": own}), base))
    assert faster.latency_s[0, 1] == pytest.approx(plain.latency_s[0, 1] / 2, rel=0.01)


def test_the_key_of_a_scaled_price_leads_to_the_price_and_moves_with_its_row():
    own = dvfs(LOW)
    machine = system(machine=edge(own)).machine(0, 0, 0)
    price, key = machine.operation("add", "int8"), machine.operation_key("add", "int8")
    plain, _, factor = key.partition("*")
    row = price_row(key)
    assert float(factor) == pytest.approx((V_LOW / V_NOMINAL) ** 2)
    np.testing.assert_allclose(row.price, price, rtol=1e-12)
    assert row.places == price_row(plain).places
    assert shared_row(key, "7nm") == shared_row(plain, "7nm")


POINTS = "points: [{clock_mhz: 250, volts: 0.6}, {clock_mhz: 500, volts: 0.9}]"
WRONG = {
    f"{{{POINTS}, nominal_mhz: 500, point: 600}}": "dvfs.point: got 600; expected MHz between 250 and 500",
    f"{{{POINTS}, nominal_mhz: 100}}": "dvfs.nominal_mhz: got 100; expected MHz between 250 and 500",
    "{points: [{clock_mhz: 500, volts: 0.6}, {clock_mhz: 250, volts: 0.9}], nominal_mhz: 500}": "a higher clock",
    "{points: [{clock_mhz: 250, volts: 0.9}, {clock_mhz: 500, volts: 0.6}], nominal_mhz: 500}": "no fewer volts",
    "{points: [{clock_mhz: 250}, {clock_mhz: 500, volts: 0.9}], nominal_mhz: 500}": "an end of the range without volts",
    "{points: [{clock_mhz: 250, volts: 0.6}], nominal_mhz: 250}": "dvfs.points",
    f"{{{POINTS}, nominal_mhz: 500, memory_bound_share: 2}}": "memory_bound_share: got 2; expected",
    f"{{{POINTS}, nominal_mhz: 500, clock: 2}}": "dvfs.clock: unknown key",
    "{points: [{clock_mhz: 250, volts: 0.6, bandwidth_gb_per_s: 1}, {clock_mhz: 500, volts: 0.9}], nominal_mhz: 500}":
        "an end of the range without bandwidth",
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_a_wrong_point_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(f"like: ternary-edge\ndvfs: {text}\n")
    with pytest.raises(InputError) as raised:
        read_platform(path)
    assert message in str(raised.value)
    assert ":2: " in str(raised.value)


def test_a_point_is_a_key_like_any_other(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("like: jetson-orin-nano\ndvfs: {point: 700}\n")
    jetson = platforms()["jetson-orin-nano"].dvfs
    assert read_platform(path).dvfs == jetson.model_copy(update={"point": 700.0})
    assert jetson.volts(408) < jetson.volts(700) < jetson.volts(1020)


def test_an_experiment_sweeps_points_and_lists_what_its_platforms_hold():
    points = [{"clock_mhz": LOW, "volts": V_LOW}, {"clock_mhz": NOMINAL, "volts": V_NOMINAL}]
    own = {"points": points, "nominal_mhz": NOMINAL}
    machines = [
        {"name": f"at{clock:g}", "like": "ternary-edge", "dvfs": {**own, "point": clock}} for clock in (LOW, NOMINAL)
    ]
    plain = {"name": "plain", "like": "ternary-edge", "nodes": {"7nm": {"clock_mhz": NOMINAL}}}
    result = bitjoule.run({
        "name": "x", "accounting": "system", "models": ["bitnet-125m"], "schemes": ["bitnet-b1.58"],
        "technologies": ["7nm"], "platforms": [*machines, plain],
        "workload": {"prompt_tokens": 4, "new_tokens": 2},
    })  # fmt: skip
    table = result.summary[result.summary["phase"] == "request"].set_index("platform")
    assert table.loc["at500", "energy_j"] == table.loc["plain", "energy_j"]
    assert table.loc["at250", "latency_s"] > table.loc["at500", "latency_s"]
