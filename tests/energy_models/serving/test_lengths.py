"""Distributions of lengths: their moments by hand, and what a file or an experiment may say."""

import numpy as np
import pytest
from pydantic import ValidationError

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.serving.length_options import OwnLengths, lengths_of, read_lengths
from bitjoule.energy_models.serving.lengths import Lengths, contexts_of


@pytest.mark.parametrize(
    ("lengths", "mean", "square"),
    [
        (Lengths.fixed(7), 7, 49),
        (Lengths.geometric(10), 10, 10 * (2 * 10 - 1)),
        (Lengths.geometric(1), 1, 1),
        (Lengths.uniform(10, 0.5), 10, 100 + (11**2 - 1) / 12),  # 5 to 15
        (Lengths.of([30, 10, 10], [1, 2, 1]), 15, (900 + 3 * 100) / 4),
    ],
)
def test_moments_are_those_of_closed_forms(lengths, mean, square):
    assert lengths.probability.sum() == pytest.approx(1, rel=1e-9)
    assert lengths.mean == pytest.approx(mean, rel=1e-9)
    assert lengths.mean_square == pytest.approx(square, rel=1e-8)
    assert lengths.seen == pytest.approx((square / mean + 1) / 2, rel=1e-8)


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_a_lognormal_distribution_has_its_moments_and_quantiles(sigma):
    lengths = Lengths.lognormal(1000, sigma)
    assert lengths.mean == pytest.approx(1000, rel=1e-9)
    assert lengths.mean_square == pytest.approx(1e6 * np.exp(sigma**2), rel=0.02)  # slices have a width
    drawn = np.random.default_rng(3).lognormal(np.log(1000) - sigma**2 / 2, sigma, 400_000)
    for share in (0.5, 0.9, 0.99):
        at = np.searchsorted(np.cumsum(lengths.probability), share)
        assert lengths.tokens[at] == pytest.approx(np.quantile(drawn, share), rel=0.02)


def test_the_tokens_behind_a_sequence_are_those_of_every_step():
    """Of 3 requests of 10 tokens and one of 30, a step in 60 has each of the first ten positions of all four."""
    lengths = Lengths.of([10, 30], [3, 1])
    positions = np.concatenate([np.tile(np.arange(1, 11), 3), np.arange(1, 31)])
    assert lengths.seen == pytest.approx(positions.mean(), rel=1e-12)
    behind = lengths.seen_by_steps(600)
    assert behind.mean + 0.5 == pytest.approx(positions.mean(), rel=1e-3)
    for share in (0.25, 0.5, 0.9):
        assert np.quantile(behind.tokens, share) == pytest.approx(np.quantile(positions - 0.5, share), abs=0.6)
    both = contexts_of(Lengths.fixed(100), lengths)
    assert both.mean == pytest.approx(100 + positions.mean() - 1, rel=1e-2)


def test_the_longest_of_several_is_worked_by_hand():
    # two of 1 or 3 tokens, equally likely: the longest is 3 in three of four pairs
    lengths = Lengths.of([1, 3], [1, 1])
    assert lengths.longest_of(np.array([0, 0, 1.0])) == pytest.approx(0.25 * 1 + 0.75 * 3, rel=1e-12)
    assert lengths.longest_of(np.array([0, 1.0])) == pytest.approx(2, rel=1e-12)
    # of n that are geometric, for a long mean, about the mean times 1 + 1 / 2 + ... + 1 / n
    longest = Lengths.geometric(1000).longest_of(np.array([0, 0, 0, 1.0]))
    assert longest == pytest.approx(1000 * (1 + 1 / 2 + 1 / 3), rel=1e-3)


def test_slices_keep_the_mean_and_the_probability():
    coarse = Lengths.lognormal(500, 1.0).coarse(20)
    assert len(coarse.tokens) <= 20
    assert coarse.probability.sum() == pytest.approx(1, rel=1e-12)
    assert coarse.mean == pytest.approx(500, rel=1e-9)


def test_what_an_experiment_says_of_lengths_is_what_it_gets(tmp_path):
    assert lengths_of("fixed", 9).tokens.tolist() == [9]
    assert lengths_of("geometric", 9).mean == pytest.approx(9, rel=1e-9)
    assert lengths_of(OwnLengths(uniform=0.5), 10).tokens.tolist() == list(range(5, 16))
    assert lengths_of(OwnLengths(tokens=[3, 1], requests=[1, 3]), 9).probability.tolist() == [0.75, 0.25]
    (tmp_path / "list.csv").write_text("tokens\n10\n30\n10\n")
    (tmp_path / "histogram.csv").write_text("requests,tokens\n2,10\n1,30\n0,99\n")
    for name in ("list", "histogram"):
        read = read_lengths(tmp_path / f"{name}.csv")
        assert (read.tokens, read.requests) == ([10, 30], [2.0, 1.0])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("tokens\n10\nmany\n", ":3: row: got 'many'; expected a whole number of tokens, 1 to 16777216"),
        ("tokens,requests\n10\n", ":2: row: got '10'; expected a whole number of tokens, 1 to 16777216, and one of re"),
        ("tokens\n0\n", ":2: row: got '0'; expected a whole number of tokens, 1 to 16777216"),
        ("tokens\n", ":1: rows: 0 lengths; expected 1 to 16384 that differ"),
        ("length\n10\n", ":1: header: got 'length'; expected a CSV file with the columns tokens and requests, or the"),
    ],
)  # fmt: skip
def test_each_thing_wrong_in_a_file_has_its_line(text, wrong, tmp_path):
    path = tmp_path / "lengths.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_lengths(path)
    assert f"lengths.csv{wrong}" in str(error.value.problems[0])


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({}, "got no lengths; expected one of uniform, lognormal, file, tokens"),
        ({"uniform": 0.5, "lognormal": 1.0}, "got uniform and lognormal; expected one of uniform"),
        ({"tokens": [1, 2], "requests": [1.0]}, "1 numbers for 2 lengths; expected one for each"),
        ({"tokens": [1], "requests": [0.0]}, "no request has any length; expected a positive number"),
        ({"lognormal": 3.0}, "less than or equal to 2"),
    ],
)
def test_lengths_that_say_two_things_are_refused(keys, wrong):
    with pytest.raises(ValidationError, match=wrong):
        OwnLengths(**keys)
