"""What differs between two small results whose numbers are made up, against sums by hand."""

from pathlib import Path

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.results.differences import compare

PJ = 1e12  # of a joule
ACTIONS = ["component", "operand", "action", "format"]
# action: (count, joules) in the first and in the second result; None where it does not happen
LARGE = {
    "mul": ((10, 1.0), (30, 1.5)), "add": ((4, 0.8), (4, 0.9)), "io": ((1, 0.05), (2, 3.0)), "leak": ((2, 0.2), None),
    "load": (None, (1, 1.5)),
}  # fmt: skip
SMALL = {"mul": ((10, 1.0), (10, 1.1))}
FIRST = {"energy_j": [1.0, 2.05], "latency_s": [float("nan"), 3.0], "rate": [0.0, 5.0]}
SECOND = {"energy_j": [1.1, 6.9], "latency_s": [7.0, 3.0], "rate": [2.0, 5.0]}


class Made:
    """A result folder that is held in memory."""

    def __init__(self, side, summary, experiment, manifest):
        cases = [("small", 2), ("large", 2)]
        rows = [
            (*case, f"part of {action}", "weights", action, "int8", count, *[joules * PJ] * 3, action)
            for case, actions in zip(cases, (SMALL, LARGE), strict=True)
            for action, (count, joules) in ((name, sides[side]) for name, sides in actions.items() if sides[side])
        ]
        columns = ["model", "batch", *ACTIONS, "count", "energy_pj", "energy_low_pj", "energy_high_pj", "price"]
        self.tables = {
            "summary": pd.DataFrame(cases, columns=["model", "batch"]).assign(**summary),
            "results": pd.DataFrame(rows, columns=columns),
        }
        self.path, self.experiment, self.manifest = Path(f"made/{side}"), experiment, manifest

    def frame(self, name, columns=None):
        return self.tables[name] if columns is None else self.tables[name][list(columns)]

    def columns(self, name):
        return list(self.tables[name].columns)


@pytest.fixture(scope="module")
def both():
    names = [{"name": name, "description": name, "plots": [name]} for name in "ab"]
    experiments = [own | {"workload": {"batch": 2, "name": own["name"], "same": 1}} for own in names]
    manifests = [{"versions": {"numpy": digit}, "input": {"f": digit * 64}, "git_commit": "c"} for digit in "12"]
    sides = zip((FIRST, SECOND), experiments, manifests, strict=True)
    return compare(*(Made(side, *given) for side, given in enumerate(sides)))


def test_inputs_that_change_a_number_are_told(both):
    """Name, description and plots of an experiment change none; keys of the same names within it may."""
    assert list(both.inputs.itertuples(index=False, name=None)) == [
        ("experiment", "workload.name", "a", "b"), ("version", "numpy", "1", "2"),
        ("input file", "f", f"sha256 {12 * '1'}", f"sha256 {12 * '2'}"),
    ]  # fmt: skip


def test_totals_have_a_row_for_each_number_that_differs_or_is_in_one_alone(both):
    wanted = [
        ("small", "energy_j", 1.0, 1.1, 0.1, 1.1), ("large", "energy_j", 2.05, 6.9, 4.85, 6.9 / 2.05),
        ("small", "latency_s", float("nan"), 7.0, float("nan"), float("nan")),
        ("small", "rate", 0.0, 2.0, 2.0, float("nan")),
    ]  # fmt: skip
    columns = ["model", "quantity", "first", "second", "difference", "ratio"]
    pd.testing.assert_frame_equal(both.totals[columns], pd.DataFrame(wanted, columns=columns))


def test_prices_are_ordered_by_what_either_result_pays_and_those_of_one_alone_are_last(both):
    wanted = [
        ("io", 0.05, 1.5, 0.05, 3.0, "price"), ("mul", 0.1, 0.065, 2.0, 2.6, "price"),
        ("add", 0.2, 0.225, 0.8, 0.9, "price"), ("load", None, 1.5, 0.0, 1.5, "only in second"),
        ("leak", 0.1, None, 0.2, 0.0, "only in first"),
    ]  # fmt: skip
    for row, (price, first, second, *joules, change) in zip(both.prices.to_dict("records"), wanted, strict=True):
        assert (row["price"], row["change"]) == (price, change)
        assert [row["first_energy_j"], row["second_energy_j"]] == pytest.approx(joules)
        for name, paid in (("first_pj", first), ("second_pj", second)):
            assert pd.isna(row[name]) if paid is None else row[name] == pytest.approx(paid * PJ)
        assert pd.isna(row["ratio"]) if None in (first, second) else row["ratio"] == pytest.approx(second / first)


def test_parts_of_a_difference_are_ordered_by_their_size_whatever_their_sign(both):
    assert (both.case["model"], both.levels_j) == ("large", pytest.approx((2.05, 6.9)))
    by_hand = {
        "io": (2.95, 1 * (0.05 + 1.5) / 2, (1.5 - 0.05) * 3 / 2), "load": (1.5, 1.5, 0.0),
        "mul": (0.5, 20 * (0.1 + 0.05) / 2, -0.05 * 40 / 2), "leak": (-0.2, -0.2, 0.0), "add": (0.1, 0.0, 0.025 * 4),
    }  # fmt: skip
    assert list(both.contributions["action"]) == list(by_hand)
    found = both.contributions[["difference_j", "by_count_j", "by_price_j"]].to_numpy()
    for row, wanted in zip(found, by_hand.values(), strict=True):
        assert row == pytest.approx(wanted, abs=1e-12)


class Side(Made):
    """A result of cases with one action each."""

    def __init__(self, joules, **manifest):
        rows = [
            (name, None, "part", "weights", "add", "int8", 1, *[each * PJ] * 3, "p") for name, each in joules.items()
        ]
        energies = ["energy_pj", "energy_low_pj", "energy_high_pj"]
        self.tables = {
            "summary": pd.DataFrame({"model": list(joules), "note_of": "", "energy_j": list(joules.values())}),
            "results": pd.DataFrame(rows, columns=["model", "note_of", *ACTIONS, "count", *energies, "price"]),
        }
        self.path, self.experiment, self.manifest = Path("made"), {}, manifest


@pytest.mark.parametrize(
    ("second", "most"), [((3.0, 5.0), "b"), ((3.0, 0.25), "b"), ((0.2, 3.0), "a"), ((8.0, 0.9), "a"), ((0.4, 2.6), "b")]
)
def test_the_case_is_the_one_whose_ratio_is_farthest_from_one_whether_it_rose_or_fell(second, most):
    both = compare(Side({"a": 1.0, "b": 1.0}), Side(dict(zip("ab", second, strict=True))))
    ratios = dict(zip("ab", [max(each, 1 / each) for each in second], strict=True))
    assert both.case["model"] == max(ratios, key=ratios.get) == most
    assert both.case["note_of"] == ""


def test_conditions_choose_the_case_whose_parts_are_told():
    """The case that changed most is one of those that were asked for; without a difference there is none."""
    first, second = Side({"a": 1.0, "b": 1.0, "c": 1.0}), Side({"a": 9.0, "b": 2.0, "c": 1.0})
    assert compare(first, second).case["model"] == "a"
    asked = compare(first, second, {"model": "b"})
    assert (asked.case["model"], asked.levels_j) == ("b", pytest.approx((1.0, 2.0)))
    assert asked.prices["second_energy_j"].tolist() == pytest.approx([2.0])
    same = compare(first, second, {"model": "c"})
    assert (same.case, same.levels_j, len(same.contributions)) == ({}, (0.0, 0.0), 0)


@pytest.mark.parametrize(
    ("section", "what", "shown"),
    [
        ("versions", "version", "{}"),
        ("seeds", "seed", "{}"),
        ("input", "input file", "sha256 {:.12}"),
        ("data", "data file", "sha256 {:.12}"),
    ],
)
def test_hashes_of_files_are_cut_and_other_records_are_whole(section, what, shown):
    before, after = ("0123456789abcdef", "fedcba9876543210")
    sides = [Side({"a": 1.0}, **{section: {"x": each, "same": "1"}}) for each in (before, after)]
    rows = list(compare(*sides).inputs.itertuples(index=False, name=None))
    assert rows == [(what, "x", shown.format(before), shown.format(after))]


def made(side, summary=FIRST):
    return Made(side, summary, {"name": "a"}, {"versions": {}, "input": {}, "git_commit": "c"})


def test_every_wrong_condition_is_told_with_what_there_is():
    with pytest.raises(InputError) as raised:
        compare(made(0), made(1), {"modle": "small", "model": "smal", "batch": "3"})
    assert str(raised.value).splitlines() == [
        "--where:1: modle: unknown key (did you mean 'model'?); expected one of model, batch",
        "--where:1: model: got 'smal' (did you mean 'small'?); expected one of small, large",
        "--where:1: batch: got '3'; expected 2",
    ]


def test_prices_that_differ_in_their_last_digits_alone_are_the_same():
    """A sum of another order is such a price."""
    first, near, far = made(0), made(0), made(0)
    for other, factor in ((near, 1 + 3e-13), (far, 1 + 3e-9)):
        prices = [name for name in other.tables["results"] if name.startswith("energy_")]
        other.tables["results"][prices] *= factor
    assert compare(first, near).prices.empty
    assert len(compare(first, far).prices) == len(set(first.tables["results"]["price"]))
