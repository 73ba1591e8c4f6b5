"""Which models no other beats in energy and loss, on each machine by itself."""

import math

import pandas as pd
import pytest

from bitjoule.experiments.quality.energies import MACHINE, _pareto


def marked(energy, loss, platform="p"):
    table = pd.DataFrame({"energy_per_token_j": energy, "loss": loss, "technology": "7nm", "platform": platform})
    assert set(MACHINE) < set(table)
    return _pareto(table.astype({"energy_per_token_j": float, "loss": float}), "loss").tolist()


@pytest.mark.parametrize(
    ("energy", "loss", "best"),
    [
        ([1, 2, 3], [3, 2, 1], [True, True, True]),
        ([1, 2, 3], [1, 2, 3], [True, False, False]),
        ([1, 1, 2], [2, 3, 2], [True, False, False]),
        ([1, 1], [2, 2], [True, True]),
    ],
)
def test_a_model_is_in_the_set_unless_another_is_better_in_one_and_no_worse_in_the_other(energy, loss, best):
    assert marked(energy, loss) == best


def test_models_are_compared_on_one_machine_and_those_without_a_number_are_out():
    assert marked([1, 2, 2, 1, 1], [3, 4, 4, math.nan, 9], ["p", "p", "q", "p", "q"]) == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert marked([1, math.nan, 2], [3, 1, 2]) == [True, False, True]
