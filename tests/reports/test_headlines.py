"""Headlines and places of results, from tables no two of whose numbers are equal."""

from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.experiments.quality.laws import points
from bitjoule.reports import designs
from bitjoule.reports.exploration import summary as exploration
from bitjoule.reports.exploration.words import short_names
from bitjoule.reports.netlists import summary as netlists
from bitjoule.reports.page import page
from bitjoule.sim.quality.tables import Model


def test_netlists_are_told_by_their_first_and_last_array_of_each_library():
    rows = [("a45", "one", "uniform", 101.4), ("a45", "two", "worst", 52.25), ("a45", "three", "worst", 7.125),
            ("b7", "one", "uniform", 3.5)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["library", "array", "stimulus", "energy_fj"])
    told = "a45, per MAC: one (uniform) 101 fJ to three (worst) 7.12 fJ; b7, per MAC: one (uniform) 3.50 fJ"
    assert netlists.headline(table) == told


def test_designs_are_told_by_how_many_are_met_and_how_far_off_they_are():
    table = pd.DataFrame({"error_tokens_per_s": [0.05, -0.31, float("nan")], "error_j_per_token": [-0.02, 0.1, -0.2]})
    assert designs.headline(table) == "4 of 5 printed numbers within 30 % (difference: median 10 %, largest 31 %)"


@pytest.mark.parametrize(("error", "text"), [(-0.004, "0 %"), (0.004, "0 %"), (-0.372, "-37 %"), (0.058, "+6 %")])
def test_an_error_of_less_than_half_a_percent_has_no_sign(error, text):
    assert designs._percent(error) == text


def explored(best="", models=1):
    explore = SimpleNamespace(objectives=["energy_j", "latency_s"], best=best)
    experiment = SimpleNamespace(explore=explore, models=["m"] * models)
    pareto = pd.DataFrame({"best": [False, True, False], "energy_j": [0.5, 0.25, 8.0], "latency_s": [3.0, 6.0, 0.125]})
    return SimpleNamespace(experiment=experiment, pareto=pareto, best=4, nearest="")


def test_an_exploration_is_told_by_the_best_of_its_pareto_set():
    text = exploration.headline(explored())
    assert text.startswith("best of 3 Pareto-optimal designs: ")
    assert "250 mJ" in text
    assert "6.00 s" in text


def test_why_a_design_is_best_names_the_models_whose_mean_is_taken():
    assert "geometric means" not in exploration._why_best(explored())
    assert exploration._why_best(explored(models=2)).endswith("Metrics are geometric means over 2 models.")
    assert "least product" in exploration._why_best(explored())


def test_a_size_is_named_with_what_has_it():
    assert short_names(["weights.size_bytes", "columns"])["weights.size_bytes"].startswith("weights")


def test_laws_are_fitted_to_trainings_alone():
    rows = [("a", 1e6, 2.5, True), ("a", 2e6, 2.25, False), ("b", 3e6, 2.0, True), ("a", 4e6, float("nan"), True)]
    models = [Model("r", label, "1", size, loss, 0.1, 0.2, trained) for label, size, loss, trained in rows]
    sizes, losses = points(models, "a")
    assert (sizes.tolist(), losses.tolist()) == ([1e6], [2.5])


def test_a_page_says_where_a_result_comes_from():
    manifest = {"command": ["bitjoule", "run", "x.yaml"], "git_commit": "c0ffee+", "python": "3.12.1",
                "versions": {"numpy": "2.1", "bitjoule": "0.1"}, "seeds": {"operands": 7},
                "input": {"x.yaml": "ab" * 32},
                "data": {"operations.csv": "cd" * 32}, "outputs": {"a.csv": "", "b.csv": "", "c.csv": ""}}  # fmt: skip
    result = SimpleNamespace(manifest=manifest, changed_outputs=lambda: ["b.csv"])
    assert page._provenance(result) == {
        "command": "bitjoule run x.yaml", "commit": "c0ffee+", "python": "3.12.1", "versions": manifest["versions"],
        "seeds": {"operands": "7"}, "inputs": {"x.yaml": "ab" * 32}, "files": 3, "changed": ["b.csv"],
    }  # fmt: skip
