"""Energy at equal loss, on curves whose ratio is known."""

import numpy as np
import pytest

from bitjoule.sim.quality.equal_loss import Curve, common_losses, energy_at, equal_loss, reaching

ENERGY = np.array([1.0, 2.0, 4.0, 8.0])
LOSS = 3.0 - np.log2(ENERGY) / 2  # 3, 2.5, 2, 1.5


def curve(factor=1.0, worse=0.0, reach=0.0, prices=(0.5, 1.0, 3.0)):
    return Curve(np.outer(prices, ENERGY * factor), LOSS + worse, np.full(4, reach))


@pytest.mark.parametrize(("loss", "energy"), [(3.0, 1.0), (2.25, 2**1.5), (1.5, 8.0)])
def test_between_two_sizes_the_logarithm_of_the_energy_is_linear_in_the_loss(loss, energy):
    assert energy_at(loss, LOSS, ENERGY) == pytest.approx(energy)
    assert energy_at(loss, LOSS[::-1], ENERGY[::-1]) == pytest.approx(energy)


@pytest.mark.parametrize("loss", [3.01, 1.49])
def test_beyond_the_sizes_there_is_no_energy(loss):
    assert np.isnan(energy_at(loss, LOSS, ENERGY))


def test_a_format_of_the_same_losses_at_a_third_of_the_energy_takes_three_times_less():
    found = equal_loss(curve(), curve(1 / 3), 2.2)
    assert found == pytest.approx((2.2, 3.0, 3.0, 3.0))


def test_a_worse_format_needs_a_larger_model():
    """Half a nat is a factor of two in energy, so a format of a third of the energy takes 1.5 times less."""
    assert equal_loss(curve(), curve(1 / 3, worse=0.5), 2.2).ratio == pytest.approx(1.5)


def test_the_band_has_both_ends_of_the_losses_against_each_other():
    found = equal_loss(curve(reach=0.1), curve(1 / 3, reach=0.15), 2.2)
    assert (found.low, found.high) == pytest.approx((3 * 2**-0.5, 3 * 2**0.5))  # a quarter of a nat together


def test_the_band_has_both_ends_of_the_prices_of_both():
    other = Curve(np.array([[0.5], [0.5], [1.0]]) * ENERGY, LOSS, np.zeros(4))
    found = equal_loss(curve(prices=(0.5, 1.0, 3.0)), other, 2.2)
    assert (found.low, found.ratio, found.high) == pytest.approx((1.0, 2.0, 3.0))


@pytest.mark.parametrize("loss", [1.55, 2.95])
def test_the_band_is_open_where_an_end_lies_beyond_the_sizes(loss):
    found = equal_loss(curve(reach=0.1), curve(1 / 3, reach=0.1), loss)
    assert found == (loss, pytest.approx(3.0), 0.0, np.inf)


def test_common_losses_lie_evenly_within_what_all_reach():
    assert common_losses([curve(), curve(worse=0.5)], 3) == pytest.approx([2.25, 2.5, 2.75])
    assert not len(common_losses([curve(), curve(worse=2.0)], 3))


def test_a_format_that_hardly_reaches_the_others_is_left_out():
    curves = {"fp16": curve(), "good": curve(worse=0.4), "poor": curve(worse=1.4), "collapsed": curve(worse=2.0)}
    assert list(reaching(curves, "fp16")) == ["fp16", "good"]
    assert list(reaching({"fp16": curve(), "half": curve(worse=0.7)}, "fp16")) == ["fp16", "half"]  # 0.8 of 1.5 nats
    assert list(reaching({"fp16": curve(), "less": curve(worse=0.8)}, "fp16")) == ["fp16"]  # 0.7 of 1.5 nats
    assert list(reaching({"fp16": curve(), "half": curve(worse=0.75)}, "fp16")) == ["fp16"]  # no more than half
    assert list(reaching({"fp16": curve(worse=2.0), "better": curve()}, "fp16")) == ["fp16"]
    assert reaching(curves, "other") == {}
    one_size = Curve(np.ones((3, 1)), np.ones(1), np.zeros(1))
    assert list(reaching({"fp16": one_size}, "fp16")) == ["fp16"]
    assert list(reaching({"fp16": curve(), "collapsed": curve(worse=2.0)}, "fp16")) == ["fp16"]
