"""The chain of decode steps: what a request finds that comes at any time."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.chain import to_wait


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1)])
def test_a_request_comes_in_a_step_as_often_as_the_step_is_long(shares):
    """With two places and hardly a request, it waits if both sequences of a full step go on, and only then."""
    step_s, tokens = np.array([1.0, 9.0]), 5.0
    chain = SimpleNamespace(steps=np.array(shares), admission=SimpleNamespace(waiting=3))
    found = to_wait(Arrivals(1e-12, 2, tokens), step_s, chain)
    in_full = shares[1] * step_s[1] / (shares[0] * step_s[0] + shares[1] * step_s[1])
    waits = in_full * (1 - 1 / tokens) ** 2
    assert found == pytest.approx([1 - waits, waits, 0, 0], abs=1e-9)
