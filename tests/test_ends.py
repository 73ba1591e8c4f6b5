"""The check of the low and high ends of tables refuses what is not in order."""

import pytest
import tabulate

from bitjoule.reports.figures.markdown import markdown
from tests.ends import EndsError

HEADERS = ["price", "pJ", "low", "high", "band"]


@pytest.mark.parametrize(
    "cells",
    [
        ["5", "4", "7", "4 to 7"],
        ["5", "5", "5", "900 mJ to 1.2 J"],
        ["5.0", "4.99", "5", "up to 7"],
        ["5", "", "", "-3 to 1"],
        ["5 mW", "4 mW", "1 W", ""],
    ],
)
def test_ends_in_order_and_what_is_no_number_pass(cells):
    assert cells[0] in markdown(HEADERS, [["add", *cells]], [0])


@pytest.mark.parametrize(
    "cells",
    [
        ["5", "7", "4", ""],
        ["8", "4", "7", ""],
        ["3", "4", "7", ""],
        ["5 mW", "4 W", "1 W", ""],
        ["5", "4", "7", "7 to 4"],
        ["5", "4", "7", "1.2 J to 900 mJ"],
    ],
)
def test_ends_out_of_order_are_refused_in_every_table(cells):
    rows = [["add", *cells]]
    with pytest.raises(EndsError):
        markdown(HEADERS, rows, [0])
    with pytest.raises(EndsError):
        tabulate.tabulate(rows, HEADERS)
