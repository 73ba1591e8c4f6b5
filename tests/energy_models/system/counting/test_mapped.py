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
