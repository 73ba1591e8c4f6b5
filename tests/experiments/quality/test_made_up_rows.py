"""Losses and zeros of made-up trainings, against means and intervals by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.quality.laws import law_table
from bitjoule.experiments.quality.losses import loss_table
from bitjoule.experiments.quality.zeros import entropy_bits, zero_table
from bitjoule.sim.quality.tables import Model, Step

NAN = math.nan
# rung, format, losses of its trainings (NaN where one diverged), share of zeros, whether it was trained
LOSSES = [
    ("small", "fp16", (3.0, 3.2, 3.4), NAN, True), ("small", "ternary", (3.5, NAN), 0.25, True),
    ("small", "fp16", (9.0,), NAN, False), ("large", "ternary", (2.5, 2.9, 2.7, NAN), 0.5, True),
    ("large", "sign-mean", (4.0,), NAN, False), ("lone", "fp16", (1.0,), NAN, True),
]  # fmt: skip
MODELS = [
    Model(rung, name, str(seed), 100.0, value, 0.01, zeros + 0.01 * seed, trained)
    for rung, name, values, zeros, trained in LOSSES
    for seed, value in enumerate(values)
]


@pytest.fixture(scope="module")
def table():
    return loss_table("it", MODELS, "fp16").set_index(["rung", "format", "trained"])


def test_trainings_that_diverged_are_counted_and_no_part_of_a_mean(table):
    for rung, name, values, zeros, trained in LOSSES:
        row, finite = table.loc[(rung, name, trained)], [value for value in values if not math.isnan(value)]
        assert (row["seeds"], row["diverged"]) == (len(values), len(values) - len(finite))
        found = [row[f"loss{end}_nats_per_byte"] for end in ("", "_least", "_greatest")]
        assert found == pytest.approx([np.mean(finite), min(finite), max(finite)])
        assert row["zero_share"] == pytest.approx(zeros + 0.01 * (len(values) - 1) / 2, nan_ok=True)
    assert len(table) == len(LOSSES)


def test_intervals_have_the_scatter_of_a_size_and_the_number_of_their_own_trainings(table):
    """Of five trainings of two formats of one size three numbers are free; the others scatter by hand."""
    scatter = {"small": math.sqrt(2 * 0.2**2 / 2), "large": math.sqrt(2 * 0.2**2 / 2)}
    for rung, name, values, _, trained in LOSSES:
        row, count = table.loc[(rung, name, trained)], sum(not math.isnan(value) for value in values)
        if rung == "lone":
            assert math.isnan(row["loss_low_nats_per_byte"])
            continue
        reach = stats.t.ppf(0.975, 2) * scatter[rung]
        mean = row["loss_nats_per_byte"]
        ends = [row[f"loss_{end}_nats_per_byte"] for end in ("low", "high")]
        assert ends == pytest.approx([mean - reach / math.sqrt(count), mean + reach / math.sqrt(count)])
        gap = [row[f"gap{end}_nats_per_byte"] for end in ("", "_low", "_high")]
        if rung == "small" and name == "ternary":  # against the three trained in the baseline's format
            wide = reach * math.sqrt(1 / 1 + 1 / 3)
            assert gap == pytest.approx([3.5 - 3.2, 0.3 - wide, 0.3 + wide])
        else:
            assert np.isnan(gap).all()


STEPS = [("a", "1", 100.0, 2.0, 0.2), ("a", "2", 100.0, 3.0, 0.5), ("a", "1", 200.0, 1.0, 0.6),
         ("b", "1", 100.0, 4.0, 0.0)]  # fmt: skip


def test_zeros_are_those_of_all_seeds_and_what_they_save_is_over_a_mac_without_zeros():
    names = ("45nm-measured", "7nm-measured")
    table = zero_table("it", [Step(*step) for step in STEPS], {name: technologies()[name] for name in names})
    by_hand = [("a", 2, 100.0, 2.5, 0.35, 0.2, 0.5), ("a", 1, 200.0, 1.0, 0.6, 0.6, 0.6),
               ("b", 1, 100.0, 4.0, 0.0, 0.0, 0.0)]  # fmt: skip
    columns = ["format", "seeds", "tokens", "loss_nats_per_byte", "zero_share", "zero_share_least",
               "zero_share_greatest"]  # fmt: skip
    assert table["technology"].tolist() == [name for name in names for _ in by_hand]
    for name in names:
        technology, own = technologies()[name], table[table["technology"] == name]
        lanes, columns_of = technology.lanes, technology.columns
        mac = next(each for each in technology.macs if each.weights == "ternary")
        terms = {"column": 1 / lanes, "lane": 1 / columns_of, "fanout": math.log2(columns_of),
                 "cycle": 1 / lanes / columns_of}  # fmt: skip
        for row, wanted in zip(own.to_dict("records"), by_hand, strict=True):
            assert [row[column] for column in columns] == pytest.approx(list(wanted))
            share, paid = wanted[4], []
            for zeros in (share, 0.0):
                shares = terms | {"nonzero": 1 - zeros, "zero": zeros}
                paid.append([
                    sum(part * getattr(getattr(mac, f"{key}_pj"), end) for key, part in shares.items())
                    for end in ("low", "nominal", "high")
                ])  # fmt: skip
            assert [row["mac_low_pj"], row["mac_pj"], row["mac_high_pj"]] == pytest.approx(paid[0])
            assert row["saved_share"] == pytest.approx(1 - paid[0][1] / paid[1][1])
            assert row["entropy_bits"] == entropy_bits(share)


def test_a_law_says_which_trainings_it_is_of_and_a_factor_at_which_size_it_is():
    """Both formats are compared at the largest size of the one that was trained least far."""
    sizes = {"fp16": (1e6, 2e6, 4e6, 8e6), "ternary": (1e6, 2e6, 4e6)}
    models = [
        Model(f"{size:g}", name, seed, size, 5.0 * size**-0.1 * (1.1 if name == "ternary" else 1.0), 0.1, NAN, True)
        for name, of_format in sizes.items() for size in of_format for seed in "12"
    ]  # fmt: skip
    table = law_table("it", models, "fp16")
    laws = table[table["form"] == "power"].set_index("format")
    for name, of_format in sizes.items():
        row = laws.loc[name]
        found = [row[key] for key in ("rungs", "trainings", "smallest", "largest")]
        assert found == [len(of_format), 2 * len(of_format), min(of_format), max(of_format)]
    assert laws["factor_at_parameters"].tolist() == pytest.approx([NAN, 4e6], nan_ok=True)
    assert laws.loc["ternary", "size_factor"] == pytest.approx(1.1 ** (1 / 0.1), rel=1e-3)
    own = table[table["form"] == "paper_exponent"].set_index("format")["source"]
    assert own.tolist() == [f"exponent of {weights} weights in the paper" for weights in ("fp16", "fp16")]
