"""How counts read."""

import pytest

from bitjoule.energy_models.inputs.wording import counted


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 tokens"), (1, "1 token"), (2, "2 tokens"), (1_048_576, "1048576 tokens")],
)
def test_one_is_singular_and_no_digit_is_lost(count, text):
    assert counted(count, "token") == text
