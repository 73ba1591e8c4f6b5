"""How counts, sizes and lists of lines read."""

import pytest

from bitjoule.energy_models.inputs.wording import Alike, counted, memory_size


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 tokens"), (1, "1 token"), (2, "2 tokens"), (1_048_576, "1048576 tokens")],
)
def test_one_is_singular_and_no_digit_is_lost(count, text):
    assert counted(count, "token") == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(2e9, "2 GB"), (34_359_738_368, "34.4 GB"), (999.4e9, "999 GB"), (999.6e9, "1 TB"), (1.138e12, "1.14 TB"),
     (5e6, "0.005 GB")],
)  # fmt: skip
def test_a_size_has_no_exponent(size_bytes, text):
    assert memory_size(size_bytes) == text


def test_lines_of_one_wording_are_together_whatever_they_are_about():
    """Names may be plain words, numbers may be any; a line of other words or of more of them is another."""
    lines = [
        "platform a: opt in fp16 needs 5 GB; its memory holds 4 GB",
        "technology t: its price of dram is not that of a",
        "platform mine: llama-70b in ternary needs 51.2 GB; its memory holds 40 GB",
        "technology other: its price of dram is not that of b",
        "technology other: its price of dram is not that of b or c",
    ]
    alike = Alike()
    assert [len(alike.add(line)) for line in lines] == [1, 1, 2, 2, 1]
    assert alike.groups == [[lines[0], lines[2]], [lines[1], lines[3]], [lines[4]]]
