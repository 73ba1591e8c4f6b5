"""Phases that are evaluated once for the requests that share them give what each request gives alone."""

from itertools import product

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.by_phase import evaluate_by_phase
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.platform.regulator import Regulator
from bitjoule.energy_models.system.system import System

MODELS, SCHEMES, NEW_TOKENS = ("bitnet-b1.58-700m", "mamba-130m", "mixtral-8x7b"), ("fp16", "bitnet-b1.58"), (0, 1, 9)

EFFICIENCY = {"low": 0.8, "nominal": 0.9, "high": 0.95}


def asked(*names, **update):
    """Return a system of machines, and requests that differ in every way, in a mixed order."""
    places = [(name, platforms()[name].model_copy(update=update)) for name in names]
    found = System(
        [presets()[name] for name in MODELS], [schemes()[name] for name in SCHEMES], [technologies()["7nm"]],
        [[place] * len(SCHEMES) for place in places],
    )  # fmt: skip
    of_each = (range(len(MODELS)), range(len(SCHEMES)), range(len(names)), (1.0, 4.0), (3.0, 40.0), NEW_TOKENS)
    rows = np.random.default_rng(4).permutation(np.array(list(product(*of_each)), dtype=np.float64))
    model, scheme, platform = rows[:, :3].T.astype(np.intp)
    return found, (Cases(model, scheme, *rows[:, 3:].T), np.zeros_like(platform), platform)


def leaves(values):
    """Yield the arrays of nested tuples."""
    for each in values:
        if isinstance(each, tuple):
            yield from leaves(each)
        elif each is not None:
            yield each


@pytest.mark.parametrize(
    "update", [{}, {"regulator": Regulator(efficiency={"low": 0.8, "nominal": 0.9, "high": 0.95})}]
)
def test_every_bit_is_that_of_requests_evaluated_whole(update):
    found, requests = asked("fp16-edge", "fp16-hbm", **update)
    by_phase, whole = evaluate_by_phase(found, *requests), found.evaluate(*requests)
    prefill, decode = by_phase.phases
    assert len(prefill.evaluated.counts) * len(NEW_TOKENS) == len(whole.counts)
    assert decode.row is None
    for name in vars(whole):
        ours, theirs = (list(leaves([getattr(each, name)])) for each in (by_phase.whole, whole))
        assert len(ours) == len(theirs), name
        for own, other in zip(ours, theirs, strict=True):
            assert own.tobytes() == other.tobytes(), name


def test_memory_levels_hold_what_the_whole_request_needs_so_phases_stay_together():
    found, requests = asked("a100-l2")
    by_phase = evaluate_by_phase(found, *requests)
    assert [placed for placed, _ in by_phase.placed()] == [slice(0, 2)]
    assert by_phase.whole is by_phase.phases[0].evaluated


def test_requests_that_share_no_phase_are_evaluated_together():
    found, (cases, technology, platform) = asked("fp16-edge")
    own = cases.new_tokens == 9
    apart = Cases(*(values[own] for values in cases[:5]))
    (only,) = evaluate_by_phase(found, apart, technology[own], platform[own]).phases
    assert (only.row, only.evaluated.latency_s.shape[1]) == (None, 2)
