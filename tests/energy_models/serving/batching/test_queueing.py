"""Probabilities of those who come and stay, by their definitions."""

import math

import pytest

from bitjoule.energy_models.serving.batching.queueing import binomial, poisson


@pytest.mark.parametrize("mean", [0.0, 0.3, 2.5])
def test_the_number_of_those_who_come_is_poissons(mean):
    found = poisson(mean, 12)
    assert found == pytest.approx([mean**k * math.exp(-mean) / math.factorial(k) for k in range(12)], rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_the_number_of_those_who_stay_is_binomial(share):
    found = binomial(5, share)
    assert found == pytest.approx([math.comb(5, k) * share**k * (1 - share) ** (5 - k) for k in range(6)], rel=1e-12)
