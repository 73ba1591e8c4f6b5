"""Titles in several lines."""

import pytest

from bitjoule.reports.figures.wrapping import wrapped


@pytest.mark.parametrize(
    ("text", "characters", "lines"),
    [
        ("decode, 512 prompt tokens", 25, ["decode, 512 prompt tokens"]),
        # the fewest lines would leave a word alone
        ("x: a-model, 7nm, decode, 512 prompt tokens, 128 new tokens", 52,
         ["x: a-model, 7nm, decode,", "512 prompt tokens, 128 new tokens"]),
        # a bracket is not broken where the line can end before it, or behind a comma
        ("headline: decode, 512 prompt tokens (first of 3 workloads)", 45,
         ["headline: decode, 512 prompt tokens", "(first of 3 workloads)"]),
        # no punctuation: lines of nearly equal lengths
        ("aa bb cc dd ee ff", 14, ["aa bb cc", "dd ee ff"]),
        # a word that is longer than a line has one of its own
        ("45nm-measured-arrays (synthesised)", 12, ["45nm-measured-arrays", "(synthesised)"]),
        ("", 10, [""]),
    ],
)  # fmt: skip
def test_a_title_is_broken_into_even_lines(text, characters, lines):
    assert wrapped(text, characters).split("\n") == lines


def test_every_word_stays_in_its_place():
    text = "one two, three (four five) six: seven eight nine ten"
    for characters in range(1, 60):
        lines = wrapped(text, characters).split("\n")
        assert " ".join(lines) == text
        assert all(len(line) <= characters or " " not in line for line in lines)
