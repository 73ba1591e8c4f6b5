"""Wires between buffers and arrays: pJ per bit and millimetre, times bits, times millimetres."""

import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices import rows
from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.quantities import matmul_energies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import read_platform
from bitjoule.energy_models.system.work.steps import MatmulKind
from tests.energy_models.requests import evaluate, picked, system

TEXT = """like: ternary-edge
buffers: {weights: {wire_mm: 0.5}, activations: {wire_mm: 3}}
nodes: {7nm: {wire_pj_per_bit_mm: {low: 0.05, nominal: 0.1, high: 0.121}}}
sources: {nodes.7nm.wire_pj_per_bit_mm: a book}
"""


@pytest.fixture
def wired(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    return read_platform(path)


def test_a_matmul_of_one_tile_pays_for_each_operand_once(wired):
    """8 x 64 x 16 on 64 lanes x 16 columns: trits of 2 bits on 0.5 mm, bytes in and out on 3 mm, no partial sum."""
    machine = Machine(schemes()["bitnet-b1.58"], wired, technologies()["7nm"], "mine")
    problem = machine.problem(MatmulKind.STANDALONE, 8, 64, 16, False, 0.0)
    found = {row.operand: row for row in matmul_energies(machine, problem, search(problem)) if row.action == "wire"}
    bits = {"weights": 64 * 16 * 2, "activations": 8 * 64 * 8, "outputs": 8 * 16 * 8}
    assert {operand: row.times for operand, row in found.items()} == bits
    lengths = {"weights": 0.5, "activations": 3, "outputs": 3}
    assert {operand: row.energy_pj for operand, row in found.items()} == pytest.approx(
        {operand: bits[operand] * 0.1 * lengths[operand] for operand in bits}
    )


def of_fp16(folder, weights_mm):
    """Return FP16 in a prefill whose partial sums do not all fit the accumulators."""
    path = folder / "fp16.yaml"
    path.write_text(TEXT.replace("ternary-edge", "fp16-edge").replace("0.5", str(weights_mm), 1))
    return evaluate(system("bitnet-b1.58-2b-4t", "fp16", "fp16-edge", machine=read_platform(path)), prompt=512)


def test_partial_sums_go_to_the_buffer_and_back(tmp_path):
    """The wire of a partial sum carries as many bits as its buffer reads and writes together."""
    found = of_fp16(tmp_path, 0.5)
    carried = picked(found.counts, operand="partial_sums", action="wire")[0]
    moved = picked(found.counts, operand="partial_sums", action=("buffer_read", "buffer_write"))[0]
    assert carried == moved > 0


def test_mappings_take_wires_into_account(tmp_path):
    """With long wires to its weights, an array loads them less often; nothing but the mapping changes counts."""
    near, far = (picked(of_fp16(tmp_path, mm).counts, operand="weights", action="wire")[0] for mm in (0.5, 500))
    assert far < near


def test_the_price_of_a_bit_leads_to_length_and_energy(wired, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "platforms", lambda: {"mine": wired})
    monkeypatch.setattr(rows, "PLATFORMS", tmp_path)
    key = "platforms/mine.yaml:buffers.activations.wire_mm@7nm"
    found = rows.price_row(key)
    assert tuple(found.price) == pytest.approx((0.15, 0.3, 0.363))
    assert (found.unit, found.derived) == ("bit", "nodes.7nm.wire_pj_per_bit_mm x 3 mm")
    assert found.places == ("platforms/mine.yaml:2", "platforms/mine.yaml:3")
    assert "a book" in found.where
    assert shared_row(key, "7nm") == "wires:7nm"
