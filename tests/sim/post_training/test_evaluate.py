"""Windows of a text and the loss on them, by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.sim.post_training.evaluate import mean_loss, windows


@pytest.mark.parametrize(("size", "starts"), [(4, []), (5, [0]), (8, [0]), (9, [0, 4]), (12, [0, 4]), (13, [0, 4, 8])])
def test_windows_share_their_ends_and_a_shorter_rest_is_left_out(size, starts):
    assert windows(bytes(range(size)), 4) == [list(range(start, start + 5)) for start in starts]


SPREAD = {1: [0], 3: [0, 12, 24], 4: [0, 8, 16, 24], 9: range(0, 36, 4), 10: range(0, 40, 4), 99: range(0, 40, 4)}


@pytest.mark.parametrize(("most", "starts"), SPREAD.items())
def test_fewer_windows_are_spread_over_the_text(most, starts):
    assert [part[0] for part in windows(bytes(range(41)), 4, most)] == list(starts)


@pytest.mark.parametrize("added", [0.0, 5000.0])
def test_the_loss_is_that_of_each_token_after_the_first_whatever_is_added_to_all_logits(added):
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.7, 0.2]])) + added
    given = []
    model = SimpleNamespace(forward=lambda tokens, _: given.append(tokens) or logits.astype(np.float64))
    found = mean_loss(model, [[0, 1, 2], [2, 0, 1]])
    assert found == pytest.approx(-math.log(0.25 * 0.2 * 0.5 * 0.7) / 4, rel=1e-9)
    assert given == [[0, 1], [2, 0]]
