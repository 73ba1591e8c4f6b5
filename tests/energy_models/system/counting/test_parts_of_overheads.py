"""Overheads part by part: whole cycles, operating points, what is not unpacked, machines side by side."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.slowdowns import step_cycles
from bitjoule.energy_models.system.counting.utilisation import ARRAY, UNPACKING
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, LATENCY
from bitjoule.energy_models.system.platform.dvfs import Dvfs, Point
from bitjoule.energy_models.system.platform.overheads import Overheads
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System
from tests.energy_models.requests import evaluate, system

SMALL = "bitnet-125m"
COMPUTE = BOUNDS.index("compute")


def edge(shares=None, copies=1, point=None, **overheads):
    """Return the edge device; shares of its peaks by array."""
    machine = platforms()["ternary-edge"]
    arrays = {
        name: array.model_copy(update={"achieved_share": (shares or {}).get(name, 1.0), "copies": copies})
        for name, array in machine.arrays.items()
    }
    dvfs = None
    if point is not None:
        points = [Point(clock_mhz=100, volts=0.6), Point(clock_mhz=500, volts=0.9)]
        dvfs = Dvfs(points=points, nominal_mhz=500, point=point, memory_bound_share=0.25)
    given = Overheads(**overheads) if overheads else None
    return machine.model_copy(update={"arrays": arrays, "overheads": given, "dvfs": dvfs})


def test_steps_take_whole_cycles_and_none_where_a_phase_does_not_happen():
    """(0.3 us + 3 x 0.07 us) x 1.7 MHz is 0.867 cycles a step: 5 for five of them, none for a prefill of no token."""
    slow = SimpleNamespace(
        platform=SimpleNamespace(overheads=SimpleNamespace(step_us=0.3, request_us=0.07)), clock_mhz=1.7
    )
    plain = SimpleNamespace(platform=SimpleNamespace(overheads=None), clock_mhz=1.7)
    steps = SimpleNamespace(repeats=np.array([[1.0, 5.0], [1.0, 5.0]]), tokens=np.array([[0.0, 1.0], [7.0, 1.0]]))
    cases = SimpleNamespace(batch=np.array([3.0, 3.0]))
    found = step_cycles(cases, steps, [plain, slow], np.array([1, 1]))
    np.testing.assert_array_equal(found, [[0, 5], [1, 5]])
    np.testing.assert_array_equal(step_cycles(cases, steps, [plain, slow], np.array([0, 1])), [[0, 0], [1, 5]])


@pytest.mark.parametrize(
    ("overheads", "waits"),
    [
        ({"matmul_us": 10.0}, True), ({"output_ns": 30.0}, True), ({"unpack_weights_per_s": {"ternary2": 1e6}}, True),
        ({"step_us": 200.0}, False), ({"request_us": 70.0}, False),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_launches_outputs_and_unpacking_wait_for_the_clock_and_the_memory_and_the_host_for_neither(overheads, waits):
    """(1 - s) / f + s at a fifth of the clock and all of the bandwidth, with s = 1/4."""
    at_full, at_fifth = (
        evaluate(system(SMALL, machine=edge(point=point, **overheads)), 2, 8, 3).latency_s
        - evaluate(system(SMALL, machine=edge(point=point)), 2, 8, 3).latency_s
        for point in (500, 100)
    )
    assert (at_full > 0).all()
    # two phases of whole cycles of 10 ns; what unpacking hides shows in neither
    np.testing.assert_allclose(at_fifth, at_full * (0.75 * 5 + 0.25 if waits else 1), rtol=0.02, atol=2e-8)


@pytest.mark.parametrize("more", [{}, {"unpack_overlap": 1.0}, {"unpack_in_turn": True, "unpack_overlap": 1.0}])
def test_weights_without_a_rate_and_caches_are_not_unpacked(more):
    cached = evaluate(system(SMALL, "bitnet-b1.58-kv8", machine=edge(unpack_weights_per_s={"int8": 1.0}, **more)))
    plain = evaluate(system(SMALL, "bitnet-b1.58-kv8", machine=edge()))
    np.testing.assert_array_equal(cached.latency_s, plain.latency_s)
    assert not cached.times.busy[..., UNPACKING].any()


def test_unpacking_joins_products_at_the_share_of_the_peak_that_is_reached():
    m, k, n, rate = 256, 640, 320, 1e9
    at_peak = evaluate(system(Matmul(m, k, n), machine=edge()), 1, m, 0).times
    machine = edge({"adders": 0.25}, unpack_weights_per_s={"ternary2": rate}, unpack_overlap=1.0)
    found = evaluate(system(Matmul(m, k, n), machine=machine), 1, m, 0).times
    computing = at_peak.busy[..., ARRAY].sum() / 0.25
    assert computing > 1.5 * at_peak.seconds[..., :LATENCY].sum()
    assert found.seconds[..., COMPUTE].sum() == pytest.approx(computing + k * n / rate, rel=1e-3)


def test_each_array_reaches_its_own_share_of_its_peak():
    """The products of attention run on the FP16 MACs, and those of the linears on the adders."""
    peak, half = (
        evaluate(system(SMALL, machine=edge({"float": share})), 1, 512, 0).times.seconds[0, 0] for share in (1.0, 0.5)
    )
    at = list(system(SMALL).layout.matmuls).index
    for name in ("attention_scores", "attention_values"):
        assert peak[at(name), COMPUTE] > 0
        assert half[at(name), COMPUTE] == pytest.approx(2 * peak[at(name), COMPUTE], rel=1e-3), name
    for name in ("q_proj", "ffn_up"):
        np.testing.assert_allclose(half[at(name)], peak[at(name)], rtol=1e-3)


def test_copies_fill_for_each_matrix_of_a_linear():
    one, two = (evaluate(system(SMALL, machine=edge(copies=copies)), 4, 0, 3).times.seconds[0, 1] for copies in (1, 2))
    at = [list(system(SMALL).layout.matmuls).index(name) for name in ("q_proj", "o_proj", "ffn_up", "ffn_down")]
    latency = BOUNDS.index("latency")
    assert one[at, latency].all()
    np.testing.assert_allclose(two[at, latency], one[at, latency], rtol=1e-3)


def test_of_machines_side_by_side_only_those_with_a_rate_unpack():
    m, k, n, rate = 2, 640, 320, 1e6
    machines = [edge(), edge(unpack_weights_per_s={"ternary2": rate})]
    both = System(
        [Matmul(m, k, n)], [schemes()["bitnet-b1.58"]], [technologies()["7nm"]], [[("x", each)] for each in machines]
    )
    zeros, two = np.zeros(2, dtype=np.intp), np.ones(2)
    found = both.evaluate(Cases(zeros, zeros, two, m * two, 0 * two), zeros, np.arange(2))
    np.testing.assert_allclose(found.times.busy[..., UNPACKING].sum(axis=(1, 2)), [0, k * n / rate], rtol=1e-9)


def test_what_is_done_beside_the_arrays_is_as_long_in_any_order_of_buffers_and_at_any_width_of_that_of_weights():
    machine = edge()
    wide = {name: buffer.model_copy(update={"width_bits": 4 * 512} if name == "weights" else {})
            for name, buffer in machine.buffers.items()}  # fmt: skip
    behind = dict(reversed(wide.items()))
    plain, wider, reversed_ = (
        evaluate(system(SMALL, machine=machine.model_copy(update={"buffers": each})), 2, 40, 3)
        for each in (machine.buffers, wide, behind)
    )
    np.testing.assert_array_equal(reversed_.times.busy, wider.times.busy)
    np.testing.assert_array_equal(reversed_.latency_s, wider.latency_s)
    rest = len(system(SMALL).layout.matmuls)
    np.testing.assert_array_equal(wider.times.busy[:, :, rest:], plain.times.busy[:, :, rest:])
    assert plain.times.busy[:, :, rest:].any()
    assert (wider.times.busy[:, :, :rest] <= plain.times.busy[:, :, :rest]).all()
