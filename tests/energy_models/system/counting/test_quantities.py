"""What one matmul costs, as `bitjoule show mapping` lists it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.counting.quantities import FEW, matmul_energies, quantities, steps_of
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.mapping import Tiles, energy_pj, replay
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import STEPS, MatmulKind
from tests.energy_models.loop_walk import as_traffic, effective, walk
from tests.energy_models.problems import blocks, mapped, orders
from tests.energy_models.requests import evaluate, picked, system


def test_a_matmul_of_one_tile_is_counted_as_by_hand():
    """8 x 64 x 16 on 64 lanes x 16 columns: every weight, input and output moves once, each sum is updated once."""
    machine = Machine(schemes()["bitnet-b1.58"], platforms()["ternary-edge"], technologies()["7nm"], "ternary-edge")
    problem = machine.problem(MatmulKind.STANDALONE, 8, 64, 16, False, 0.0)
    rows = matmul_energies(machine, problem, search(problem))
    m, k, n, trit, byte, sums = 8, 64, 16, 2, 8, 23
    assert {(row.operand, row.action): (row.times, row.unit) for row in rows} == {
        ("partial_sums", "add"): (m * (k - 1) * n, "int8"),
        ("weights", "register_write"): (k * n * trit, "bits (ternary)"),
        ("partial_sums", "register_read"): (m * n * sums, "bits (int32)"),
        ("partial_sums", "register_write"): (m * n * sums, "bits (int32)"),
        ("weights", "buffer_read"): (k * n * trit, "bits (ternary2)"),
        ("weights", "buffer_write"): (k * n * trit, "bits (ternary2)"),
        ("weights", "off_chip_read"): (k * n * trit, "bits (ternary2)"),
        ("activations", "buffer_read"): (m * k * byte, "bits (int8)"),
        ("activations", "buffer_write"): (m * k * byte, "bits (int8)"),
        ("activations", "off_chip_read"): (m * k * byte, "bits (int8)"),
        ("outputs", "buffer_write"): (m * n * byte, "bits (int8)"),
        ("outputs", "buffer_read"): (m * n * byte, "bits (int8)"),
        ("outputs", "off_chip_write"): (m * n * byte, "bits (int8)"),
    }


def test_macs_with_a_price_of_their_own_are_operations_and_not_bits():
    edge = platforms()["int8-edge"]
    arrays = {
        name: array.model_copy(
            update={"macs": [m.model_copy(update={"actions": None, "energy_pj": 0.3}) for m in array.macs]}
        )
        for name, array in edge.arrays.items()
    }
    nodes = {name: node.model_copy(update={"clock_mhz": 500.0, "leakage_w": 0.0}) for name, node in edge.nodes.items()}
    mine = edge.model_copy(update={"arrays": arrays, "nodes": nodes})
    machine = Machine(schemes()["int8"], mine, technologies()["7nm"], "mine")
    problem = machine.problem(MatmulKind.STANDALONE, 8, 64, 16, False, 0.0)
    (mac,) = (row for row in matmul_energies(machine, problem, search(problem)) if row.action == "mac")
    assert mac[:4] == ("weights", "mac", "int8", 8 * 64 * 16)
    assert mac.energy_pj == pytest.approx(0.3 * 8 * 64 * 16)


@pytest.mark.parametrize(("scheme", "platform"), [("bitnet-b1.58", "ternary-edge"), ("fp16", "fp16-edge")])
def test_the_list_of_a_mapping_adds_up_to_the_energy_of_the_experiment(scheme, platform):
    machine = Machine(schemes()[scheme], platforms()[platform], technologies()["7nm"], platform)
    problem = machine.problem(MatmulKind.STANDALONE, 300, 700, 500, False, 0.0)
    rows = matmul_energies(machine, problem, search(problem))
    found = evaluate(system(Matmul(300, 700, 500), scheme, platform), 1, 300, 0)
    for row in rows:
        expected = picked(found.energies.nominal_pj, operand=row.operand, action=row.action)[0]
        assert row.energy_pj == pytest.approx(expected, rel=1e-12), row
    leaked = picked(found.energies.nominal_pj, component=("leakage", "static", "regulator"))[0]
    assert sum(row.energy_pj for row in rows) == pytest.approx(found.energies.nominal_pj.sum() - leaked, rel=1e-12)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(mapped(), orders, orders, st.sampled_from(["pe", "column"]))
def test_every_quantity_of_any_mapping_is_what_a_walk_through_its_loops_counts(case, order1, order0, per):
    """Sums that leave the array before they are whole come back: each time one is read and written once more."""
    problem, tiles = case
    m, k, n = problem[:3]
    array = platforms()["ternary-edge"].arrays["adders"]
    array = array.model_copy(
        update={"lanes": problem.array.lanes, "accumulators": array.accumulators.model_copy(update={"per": per})}
    )
    walked = walk(problem, tiles, order1, order0)
    mapping = replay(problem, effective(problem, tiles, order1, order0))
    added = k if per == "pe" else -(-k // problem.array.lanes)  # to a sum
    buffered = problem.weights.buffer >= 0
    expected = {
        "products": m * k * n, "sums": m * (k - 1) * n, "biases": 0,
        "fills": walked.weight_fills, "buffered_fills": walked.weight_fills if buffered else 0,
        "loads": walked.weight_loads, "weights_in": walked.weight_loads if buffered else walked.weight_fills,
        "updates": m * n * added + walked.sum_spills,
        "reads": walked.activation_reads, "activations_in": walked.activation_loads,
        "buffered_sums": walked.sum_spills + walked.sum_unloads, "unloads": walked.sum_unloads,
        "outputs": m * n, "outputs_out": m * n if problem.outputs.off_chip else 0,
    }  # fmt: skip
    counted = quantities(array, problem, mapping).tolist()
    assert dict(zip(QUANTITIES, counted, strict=False)) == expected
    times = [as_traffic(problem, walked).cycles, walked.compute_cycles, walked.off_chip_bits]
    assert counted[len(QUANTITIES) :] == pytest.approx(times)


@pytest.mark.parametrize(
    ("scheme", "platform"),
    [("bitnet-b1.58", "ternary-edge"), ("w4a16", "fp16-edge"), ("int8", "int8-edge"), ("fp16", "fp16-hbm")],
)
def test_what_a_search_weighs_is_what_is_reported_of_any_mapping(scheme, platform):
    """The sizes of the loops are drawn, whether they fit or not: half of the mappings move sums in and out."""
    machine = Machine(schemes()[scheme], platforms()[platform], technologies()["7nm"], platform)
    random = np.random.default_rng(14)
    spilled = 0
    for _ in range(40):
        m, k, n = (int(random.integers(1, 5) * unit - 1) for unit in (40, 128, 96))
        problem = machine.problem(MatmulKind.STANDALONE, m, k, n, False, 0.0)
        outer = [random.integers(1, size + 1) for size in blocks(problem)]
        sizes = (*outer, *(random.integers(1, size + 1) for size in outer))
        mapping = replay(problem, Tiles(*map(float, sizes), *random.integers(0, 3, 2)))
        moved, costs = mapping.traffic, problem.costs
        timed = moved.cycles * costs.cycle_pj + moved.compute_cycles * costs.computing_pj
        reported = sum(row.energy_pj for row in matmul_energies(machine, problem, mapping))
        assert energy_pj(problem, moved) - timed == pytest.approx(reported, rel=1e-9)
        spilled += moved.sum_spills > 0
    assert spilled > 10


@pytest.mark.parametrize("cases_of_a_machine", [1, FEW, 3 * FEW])
def test_steps_are_quantities_times_the_units_of_their_machine(cases_of_a_machine):
    """Cases of few or of many machines take different ways; some machines have a step that others lack."""
    draw = np.random.default_rng(cases_of_a_machine)
    machine_index = np.repeat([1, 0, 2], cases_of_a_machine)
    moved = draw.lognormal(0, 8, (len(machine_index), 2, 4, len(QUANTITIES)))
    factors = draw.random((3, 4, len(STEPS))) * (draw.random((3, 4, len(STEPS))) < 0.7)
    factors[..., 3] = 0
    expected = np.zeros((*moved.shape[:3], len(STEPS)))
    for case, phase, slot, step in np.ndindex(*expected.shape):
        units = factors[machine_index[case], slot, step]
        expected[case, phase, slot, step] = moved[case, phase, slot, QUANTITIES.index(STEPS[step].quantity)] * units
    np.testing.assert_array_equal(steps_of(moved, factors, machine_index), expected)
