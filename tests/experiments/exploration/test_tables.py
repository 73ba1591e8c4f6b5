"""Tables of an exploration whose numbers are made up, against what follows by hand."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bitjoule
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.execution import read
from bitjoule.experiments.exploration import run as running
from bitjoule.experiments.exploration.evaluation import evaluate
from bitjoule.experiments.exploration.scores import Scores
from bitjoule.experiments.exploration.space.conditions import Constraint
from bitjoule.experiments.exploration.tables import FAILED, best_row, constraint_table, sensitivity_table
from tests.experiments.exploration.cases import document, resolved


def work_of(objectives, numbers, limits=(), limited=None, finite=None):
    """Return designs with these scores."""
    count = len(numbers)
    limited = np.zeros((count, 0)) if limited is None else np.array(limited, dtype=float)
    excesses = np.stack([limit.excess(limited[:, i]) for i, limit in enumerate(limits)], axis=1) if limits else limited
    scores = Scores(np.array(objectives, dtype=float), limited, excesses, np.array(finite or [True] * count))
    return SimpleNamespace(scores=scores, limits=tuple(limits), evaluations=SimpleNamespace(numbers=np.array(numbers)))


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_best_has_the_least_product_of_what_falls_over_what_rises(order):
    """The objective of a metric that is maximised is its negative: 2 J at 8 tokens a second is 1/4."""
    designs = [([2.0, -8.0], 30), ([1.0, -3.0], 10), ([8.0, -9.0], 20)]
    work = work_of(*zip(*(designs[i] for i in order), strict=True))
    assert work.evaluations.numbers[best_row(work, None)] == 30


def test_of_designs_that_are_equally_good_the_first_of_the_space_is_the_best():
    work = work_of([[2.0, 3.0], [3.0, 2.0], [1.0, 6.0], [4.0, 4.0]], [9, 4, 7, 1])
    assert work.evaluations.numbers[best_row(work, None)] == 4
    assert best_row(work_of([[1.0]], [3], finite=[False]), None) is None


def test_what_a_constraint_leaves_is_counted_of_those_that_meet_the_others():
    limits = [Constraint("area_mm2", "<=", 2.0), Constraint("tokens_per_s", ">=", 10.0), Constraint("watts", "<=", 4.0)]
    limited = [[1, 5, 3], [3, 12, 3], [6, 20, 2], [1, 30, 5], [0.5, 99, 1]]
    work = work_of(np.ones((5, 1)), range(5), limits, limited, [True] * 4 + [False])
    table = constraint_table(work)
    assert table["constraint"].tolist() == ["area_mm2 <= 2", "tokens_per_s >= 10", "watts <= 4"]
    assert table["met_by"].tolist() == [2, 3, 3]
    assert table["others_met_by"].tolist() == [2, 1, 1]
    assert table["best_value"].tolist() == [1, 30, 2]
    assert table["best_beside_others"].tolist() == [3, 5, 5]
    assert table["missed_by"].tolist() == pytest.approx([0.5, 0.5, 0.25])


@pytest.mark.parametrize(
    ("limits", "limited", "told"),
    [
        ([], [[]], "No design has a result."),
        ([("area_mm2", "<=", 2.0)], [[np.inf]], "No design has a result."),
        ([("area_mm2", "<=", 0.0)], [[3.0], [0.75]], "Nearest to being met is area_mm2 <= 0: design 8 has 0.75 mm², "
         "which misses it by 0.75, and meets all others."),
        ([("memory_share", "<=", 0.5)], [[0.75]], "Nearest to being met is memory_share <= 0.5: design 7 has 0.75, "
         "which misses it by 50 % of the limit, and meets all others."),
        ([("tokens_per_s", ">=", 8.0), ("watts", "<=", 2.0)], [[6.0, 3.0], [4.0, 2.5]],
         "Nearest to being met is watts <= 2: design 7 has 3 W, which misses it by 50 % of the limit, the largest of "
         "what it misses; no design misses one alone."),
    ],
)  # fmt: skip
def test_where_nothing_is_feasible_the_nearest_constraint_is_told_with_value_and_unit(limits, limited, told):
    limits = [Constraint(*limit) for limit in limits]
    finite = [bool(np.isfinite(values).all() and values) for values in limited]
    work = work_of(np.ones((len(limited), 1)), [7, 8][: len(limited)], limits, limited, finite)
    start = "" if told.startswith("No design") else "No design meets all constraints. "
    assert running._nearest_text(work) == start + told


def test_designs_without_a_result_are_warned_of_by_reason_the_most_frequent_first():
    reasons = ["", *["too small"] * 3, *["a, b"] * 4, "c", "d", "", "e", "f", "g"]
    table = pd.DataFrame({"status": FAILED, "problem": reasons, "x": 1.0, "y": [np.nan, *[1.0] * (len(reasons) - 1)]})
    table.loc[len(table)] = {"status": "pareto", "problem": "", "x": np.nan, "y": np.nan}
    lines = []
    running._warn_of_failures(table, ["x", "y"], lines.append)
    assert lines[:3] == [
        "4 designs have no result: a, b", "3 designs have no result: too small",
        "2 designs have no result: a metric is not finite (y)",
    ]  # fmt: skip
    assert len(lines) == 5


def test_a_knob_is_as_sensitive_as_its_settings_with_a_result_are_apart():
    columns = ["knob", "setting", "status", "x_relative"]
    rows = [("a", "1", "pareto", 1.0), ("a", "2", "dominated", 4.0), ("a", "3", "infeasible", 0.5),
            ("a", "4", FAILED, 99.0), ("b", "1", "pareto", 1.0)]  # fmt: skip
    table = sensitivity_table(pd.DataFrame(rows, columns=columns), ["x"])
    assert list(table.itertuples(index=False, name=None)) == [("a", 4, 3, 0.5, 4.0, 8.0), ("b", 1, 1, 1.0, 1.0, 1.0)]


def test_ends_of_metrics_are_those_of_the_energies_the_lower_value_first():
    explored = bitjoule.run(document())
    amounts = evaluate(resolved().base, resolved().space, explored.designs["design"]).amounts
    whole, generating = (amounts.energy_j[:, 0, span] for span in (0, 1))
    tokens, seconds = amounts.tokens[:, 0, 1], amounts.time_s[:, 0, 0]
    for at, end in enumerate(("_low", "", "_high")):
        expected = {
            "energy_j": whole[:, at], "energy_per_token_j": generating[:, at] / tokens,
            "tokens_per_joule": tokens / generating[:, 2 - at], "watts": whole[:, at] / seconds,
            "energy_delay_j_s": whole[:, at] * seconds,
        }  # fmt: skip
        for name, values in expected.items():
            np.testing.assert_allclose(explored.designs[f"{name}{end}"], values, rtol=1e-12, err_msg=name + end)
    assert not {"area_mm2_low", "latency_s_high"} & set(explored.designs)


def test_counts_of_a_summary_are_those_of_the_statuses_and_the_hypervolume_that_of_its_boxes():
    """Of two objectives, one of them maximised, the boxes of the Pareto set are the steps of a stair."""
    names = ("energy_j", "tokens_per_s")
    limit = "area_mm2 <= 0.2"
    found = bitjoule.run(document(explore__objectives=list(names), explore__constraints=[limit]))
    row, status = found.summary.iloc[0], found.designs["status"].astype(str)
    counts = {"pareto": "pareto", "undecided": "undecided", "infeasible": "infeasible", "no_result": "no result"}
    assert {key: row[key] for key in counts} == {key: (status == name).sum() for key, name in counts.items()}
    assert row["feasible"] == (~status.isin(["infeasible", "no result"])).sum()
    assert 0 < row["infeasible"] == (found.designs["area_mm2"] > 0.2).sum()
    energy, rate = (found.pareto[name].to_numpy() for name in names)
    assert len(energy) > 1
    corner = [energy.max() + 0.1 * np.ptp(energy), rate.min() - 0.1 * np.ptp(rate)]
    assert [row[f"reference_{name}"] for name in names] == pytest.approx(corner)
    steps = sorted(zip(energy, rate, strict=True))
    below = [corner[1], *(each for _, each in steps)]
    area = sum((corner[0] - each) * (high - low) for (each, high), low in zip(steps, below, strict=False))
    assert row["hypervolume"] == pytest.approx(area)


@pytest.mark.parametrize(
    ("key", "least"), [("workload.new_tokens", 0), ("workload.prompt_tokens", 1), ("workload.batch", 1)]
)
def test_amounts_of_a_workload_are_taken_from_the_least_on(key, least):
    read(document(explore__knobs={key: [least, least + 1]}))
    for wrong, shown in ((least - 1, str(least - 1)), (2.5, "2.5"), (True, "true")):
        with pytest.raises(InputError, match=rf"{key}: got {shown}; expected whole numbers from {least} to "):
            read(document(explore__knobs={key: [wrong, 4]}))
