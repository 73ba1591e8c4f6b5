"""How a token is drawn: in proportion to the softmax of its logit over the temperature."""

import math
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.model import sample

DRAWS = 20_000


def evenly(draws: int) -> Any:
    """Return a generator whose numbers are spread evenly from 0 to 1: as many of each part as it is wide."""
    numbers: Iterator[float] = iter((np.arange(draws) + 0.5) / draws)
    return SimpleNamespace(random=lambda: next(numbers))


def shares(logits: np.ndarray[Any, Any], temperature: float) -> np.ndarray[Any, Any]:
    """Return how often each token is drawn, to 1 / DRAWS."""
    generator = evenly(DRAWS)
    drawn = [sample(logits, temperature, generator) for _ in range(DRAWS)]
    return np.bincount(drawn, minlength=len(logits)) / DRAWS


@pytest.mark.parametrize("temperature", [0.25, 0.6, 1.0, 3.0])
def test_tokens_are_drawn_by_the_softmax_of_logits_over_the_temperature(temperature: float) -> None:
    logits = np.array([0.3, -1.1, 2.0, 1.6, -0.2, 0.0], np.float32)
    weights = np.exp(logits.astype(np.float64) / temperature)
    np.testing.assert_allclose(shares(logits, temperature), weights / weights.sum(), atol=1.01 / DRAWS)


def test_logits_far_beyond_the_range_of_an_exponential_are_drawn_all_the_same() -> None:
    # 0.5 apart at temperature 0.5: a ratio of e
    np.testing.assert_allclose(
        shares(np.array([2000.0, 2000.5], np.float32), 0.5), [1 / (1 + math.e), math.e / (1 + math.e)], atol=1 / DRAWS
    )


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_the_distribution_is_that_of_transformers(temperature: float) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warper = pytest.importorskip("transformers").TemperatureLogitsWarper(temperature)
    logits = np.random.default_rng(3).normal(0, 2, 12).astype(np.float32)
    expected = torch.softmax(warper(None, torch.from_numpy(logits)[None])[0].double(), -1).numpy()
    np.testing.assert_allclose(shares(logits, temperature), expected, atol=1.01 / DRAWS + 1e-6)
