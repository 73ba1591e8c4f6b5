"""Names under bars."""

import pytest

from bitjoule.reports.figures.bars import LONGEST_NAME, bar_name


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_NAME, LONGEST_NAME), (LONGEST_NAME + 1, LONGEST_NAME - 1)])
def test_a_long_name_is_cut_to_the_length_of_the_longest_that_is_whole(length, kept):
    name = "x" * length
    assert bar_name([name, "fp16"]) == "x" * kept + "…" * (kept < length) + "  fp16"
