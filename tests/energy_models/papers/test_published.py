"""Printed numbers: their precision, and that each belongs to something that ships."""

import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.sources import sources
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.papers.published import PrintedNumber, published, published_names
from bitjoule.energy_models.prices.technology import technologies


def printed(text: str) -> PrintedNumber:
    return PrintedNumber("m", "s", "t", 512, "arithmetic", "", "", "energy_j", text, "", "", "")


@pytest.mark.parametrize(
    ("text", "ours", "agrees"),
    [
        ("0.04", 0.0341, False),
        ("0.03", 0.0341, True),
        ("13.80", 13.7985, True),
        ("13.80", 13.7949, False),
        ("29.1", 29.149, True),
        ("29.1", 29.151, False),
        ("333", 332.6, True),
        ("333", 332.4, False),
    ],
)
def test_ours_agrees_if_it_rounds_to_the_printed_digits(text, ours, agrees):
    assert printed(text).agrees(ours) is agrees


@pytest.mark.parametrize("name", published_names())
def test_every_printed_number_is_a_number_of_a_case_that_can_be_run(name):
    rows = published(name)
    assert rows
    for row in rows:
        assert float(row.printed) > 0
        assert row.model in presets() or row.model == "1x1x1"
        assert row.scheme in schemes()
        assert row.technology in technologies()
        assert row.action in {"", "add", "mul"}
        assert row.accounting in set(Accounting)
        assert (row.baseline in schemes()) == (row.quantity in ("ratio_to_baseline", "memory_ratio"))
        assert row.source in sources()
        assert row.where
