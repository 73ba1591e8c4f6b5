"""What one matmul costs, as `bitjoule show mapping` lists it."""

import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.quantities import matmul_energies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind
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
