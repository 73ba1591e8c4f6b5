"""Energies of the columns that count anything: bands of one side, machines that differ."""

import numpy as np
import pytest

from bitjoule.energy_models.system.counting.counted import Evaluated

COUNTS = np.random.default_rng(7).integers(0, 9, (2, 6, 90)).astype(float)  # phases, columns, cases
PRICES = np.ones((3, 3, 6)) * np.arange(2, 8)  # ends, machines, columns
PRICES[:, 1, 0] = 11.0  # another machine, without a band
PRICES[2, :, 1] += 0.5  # dearer at the high end alone
PRICES[0, :, 2] -= 0.5  # cheaper at the low end alone
PRICES[2, 2, 3] += 0.25  # a band on one machine alone
COUNTS[:, 4] = 0  # counts nothing
COUNTS[:, 5, :-1] = 0  # counts in the last case alone
COUNTS[:, 5, -1] = 3


@pytest.mark.parametrize("machine", [np.arange(90) % 3, np.repeat([0, 1, 2], 30)], ids=["one by one", "neighbours"])
def test_energies_of_phases_are_counts_times_the_prices_of_each_machine_at_each_end(machine):
    evaluated = Evaluated(
        COUNTS.reshape(12, 90), machine, PRICES, *[None] * 3, latency_s=np.zeros((90, 2)), drawn=None,
        memory_bytes=None, times=None, lossy=None,
    )  # fmt: skip
    np.testing.assert_array_equal(evaluated.active, [0, 1, 2, 3, 5, 6, 7, 8, 9, 11])
    expected = np.einsum("pck,ekc->ekp", COUNTS, PRICES[:, machine])
    np.testing.assert_allclose(evaluated.phase_energies_pj, expected, rtol=1e-13)
    banded = evaluated.active_energies.banded
    np.testing.assert_array_equal(banded, [False, True, True, True, False] * 2)
    for column, energy in zip(evaluated.active, evaluated.active_energies.in_columns(), strict=True):
        one = COUNTS.reshape(12, 90)[column] * PRICES[:, machine, column % 6]
        np.testing.assert_array_equal(np.broadcast_to(energy, one.shape), one)
