"""Who joins a batch between two steps, against closed forms and a count of every way that it can go."""

from math import exp, factorial

import numpy as np
import pytest

from bitjoule.energy_models.serving.batching.admission import Admission, still_to_wait
from bitjoule.energy_models.serving.batching.queueing import Distribution, busy_period, prefill_sums


def poisson(count, mean):
    return exp(-mean) * mean**count / factorial(count)


def test_without_room_all_wait_and_those_of_a_step_with_them():
    admission = Admission(2.0, Distribution.fixed(0.25), waiting=60)
    pool = admission.pool(3, step_s=0.5)
    assert pool[:6] == pytest.approx([0, 0, 0, *(poisson(k, 1.0) for k in range(3))], rel=1e-12)
    assert admission.total(pool, room=0) == pytest.approx(pool, rel=1e-12)


def test_one_place_takes_one_prefill_in_which_others_come():
    admission = Admission(2.0, Distribution.fixed(0.25), waiting=60)
    alone = np.eye(1, 61, 2)[0]  # two wait
    total = admission.total(alone, room=1)
    # one joins, one waits, and those who come in its prefill of half a request on average
    assert total[:5] == pytest.approx([0, 0, *(poisson(k, 0.5) for k in range(3))], rel=1e-12)
    # with two places the second joins too, and whoever came in both prefills waits
    assert admission.total(alone, room=2)[:5] == pytest.approx([0, 0, *(poisson(k, 1.0) for k in range(3))], rel=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_with_enough_room_as_many_join_as_a_busy_period_serves(spread):
    prefill = Distribution(0.25 * np.array([1 - spread, 1 + spread]), np.full(2, 0.5))
    admission = Admission(2.0, prefill, waiting=120)
    total = admission.total(admission.pool(0, 0.5), room=40)
    expected = busy_period(2.0, prefill_sums(prefill), 0.5)[: len(total)]
    assert total[:20] == pytest.approx(expected[:20], abs=1e-4)
    assert total.sum() == pytest.approx(1, rel=1e-9)


def test_a_request_waits_for_those_ahead_of_it_less_the_places():
    # nobody waits and hardly anyone comes: two places are enough, no place needs one end
    assert still_to_wait(0, 1e-9, np.array([0.0, 0.0, 1.0]), 10)[0] == pytest.approx(1, rel=1e-6)
    assert still_to_wait(0, 1e-9, np.array([1.0, 0.0]), 10)[1] == pytest.approx(1, rel=1e-6)
    # three wait, one or two places: two or three ends
    found = still_to_wait(3, 1e-9, np.array([0.0, 0.25, 0.75]), 10)
    assert found[[2, 3]] == pytest.approx([0.75, 0.25], rel=1e-6)
    # as rarely as a year apart or less: still alone
    for came in (9e-7, 1e-12, 1e-17, 1e-300, 0.0):
        rare = still_to_wait(0, came, np.array([0.0, 1.0]), 10)
        assert rare[:2] == pytest.approx([1 - came / 2, came / 2], rel=1e-6)
    # of two that come in a step on average, one is ahead in the mean
    ahead = still_to_wait(0, 2.0, np.array([1.0]), 60)
    assert ahead @ np.arange(60) == pytest.approx(1 + 1, rel=1e-6)
