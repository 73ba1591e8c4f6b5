"""Few matmuls are searched one by one, many together: the same numbers, and no search twice."""

import numpy as np
import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting import mapped
from bitjoule.energy_models.system.counting.mapped import map_matmuls
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind

KINDS = [MatmulKind.STANDALONE, MatmulKind.HEAD]
# Machine, kind, m, k, n, resident, bits of the buffer that activations take
ROWS = np.array([
    (code, kind, m, k, n, m == 1, 1000.0 * (m == 1))
    for code in (0, 1) for kind in (0, 1) for m, k, n in ((1, 256, 640), (1, 640, 256), (64, 256, 640), (7, 300, 33))
], dtype=np.float64)  # fmt: skip


@pytest.mark.parametrize("objective", Objective)
def test_matmuls_that_are_searched_alone_have_the_numbers_of_many(monkeypatch, objective):
    machines = {
        code: Machine(schemes()[scheme], platforms()[platform], technologies()["7nm"], platform)
        for code, (scheme, platform) in enumerate([("bitnet-b1.58", "ternary-edge"), ("int8", "int8-edge")])
    }
    search.cache_clear()
    monkeypatch.setattr(mapped, "FEW", 0)
    together = map_matmuls(ROWS, machines, KINDS, objective)
    assert search.cache_info().misses == 0
    monkeypatch.setattr(mapped, "FEW", len(ROWS))
    alone = map_matmuls(ROWS, machines, KINDS, objective)
    np.testing.assert_array_equal(alone, together)
    searched = search.cache_info().misses
    assert searched > 0
    np.testing.assert_array_equal(map_matmuls(ROWS, machines, KINDS, objective), together)
    assert search.cache_info().misses == searched


@pytest.mark.parametrize("few", [0, 99], ids=["together", "one by one"])
def test_the_matmul_that_does_not_fit_is_the_one_that_is_named(monkeypatch, few):
    """Its activations take the whole buffer; those before and behind it fit."""
    monkeypatch.setattr(mapped, "FEW", few)
    machine = Machine(schemes()["bitnet-b1.58"], platforms()["ternary-edge"], technologies()["7nm"], "mine")
    rows = np.array([(5, 0, m, 300, 33, 1, bits) for m, bits in ((7, 0.0), (9, 0.0), (8, 1e12), (6, 0.0))])
    with pytest.raises(ValueError, match=r"^no tile of 8 x 300 x 33 fits platform mine$"):
        map_matmuls(rows, {5: machine}, KINDS[:1], Objective.ENERGY)
