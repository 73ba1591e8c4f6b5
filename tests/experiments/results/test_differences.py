"""What differs between two results."""

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.results.differences import compare
from bitjoule.experiments.results.folders import open_result

NODE = ("--set", "name=edge_45", "--set", "technologies=[45nm]", "--no-plots")
LONGER = ("--set", "workload.new_tokens=16", "--no-plots")


def comparison(run_edge, *words, where=None):
    return compare(open_result(run_edge()), open_result(run_edge(*words)), where)


def asked(both):
    """Return the inputs that differ; the code may, where somebody works on it."""
    return both.inputs[both.inputs["what"] != "code"]


def test_a_result_does_not_differ_from_itself(run_edge):
    same = comparison(run_edge)
    assert same.cases == (12, 0, 0)
    assert [len(table) for table in (same.inputs, same.prices, same.totals, same.contributions)] == [0, 0, 0, 0]


def test_contributions_add_up_to_the_difference_of_the_case(run_edge):
    both = comparison(run_edge, *NODE)
    table, case = both.contributions, both.case
    sums = []
    for result in (both.first, both.second):
        frame = pd.read_csv(result.path / "summary.csv", dtype=str)
        for key in ("scheme", "phase", "prompt_tokens"):
            frame = frame[frame[key] == case[key]]
        sums.append(float(frame["energy_j"].iloc[0]))
    assert both.levels_j == pytest.approx(sums)
    assert table["difference_j"].sum() == pytest.approx(sums[1] - sums[0])
    pd.testing.assert_series_equal(
        table["by_count_j"] + table["by_price_j"], table["difference_j"], check_names=False, rtol=1e-9, atol=1e-18
    )
    assert table["difference_j"].abs().is_monotonic_decreasing


def test_the_case_is_the_one_that_changed_most(run_edge):
    both = comparison(run_edge, *NODE)
    energies = both.totals[(both.totals["quantity"] == "energy_j") & (both.totals["phase"] != "request")]
    most = energies.loc[energies["ratio"].map(lambda ratio: max(ratio, 1 / ratio)).idxmax()]
    assert [both.case[key] for key in ("scheme", "phase", "prompt_tokens")] == [
        most["scheme"], most["phase"], most["prompt_tokens"],
    ]  # fmt: skip


def test_another_node_is_a_difference_of_prices_alone_where_the_counts_are_the_same(run_edge):
    both = comparison(run_edge, *NODE)
    assert both.renamed == {"technology": ("7nm", "45nm")}
    assert both.cases == (12, 0, 0)
    adds = both.contributions.query("action == 'add' and first_count == second_count")
    assert len(adds)
    assert (adds["by_count_j"] == 0).all()
    assert adds["by_price_j"].tolist() == pytest.approx(adds["difference_j"].tolist())
    changes = set(both.prices["change"])
    assert changes == {"only in first", "only in second"}  # rows of other nodes are other rows
    assert asked(both)["key"].tolist() == ["technologies"]


def test_more_tokens_are_a_difference_of_counts(run_edge):
    both = comparison(run_edge, *LONGER, where={"scheme": "bitnet-b1.58", "phase": "decode"})
    assert both.renamed == {"new_tokens": ("8", "16")}
    table = both.contributions
    assert (table["by_price_j"].abs() <= 1e-9 * table["difference_j"].abs()).all()
    weights = table.query("operand == 'weights' and action == 'off_chip_read'")
    assert (weights["second_count"] == 2 * weights["first_count"]).all()  # twice the steps
    assert asked(both).to_dict("records") == [
        {"what": "experiment", "key": "workload.new_tokens", "first": "8", "second": "16"}
    ]
    assert set(both.totals["quantity"]) >= {"energy_j", "latency_s"}
    assert "tokens_per_s" in set(both.totals["quantity"])


def test_a_price_that_changed_is_named_with_both_values(run_edge, tmp_path):
    table = pd.read_csv(run_edge() / "results.csv")
    dram = table["price"] == "memories.csv:lpddr4"
    table.loc[dram, "energy_pj"] *= 1.5
    first, second = open_result(run_edge()), open_result(run_edge())
    second.files["results"] = tmp_path / "results.csv"
    table.to_csv(second.files["results"], index=False)
    both = compare(first, second)
    assert both.prices[["price", "change"]].to_numpy().tolist() == [["memories.csv:lpddr4", "price"]]
    assert both.prices["ratio"].iloc[0] == pytest.approx(1.5)
    assert (both.contributions["by_count_j"] == 0).all()
    assert set(both.contributions["action"]) <= {"off_chip_read", "off_chip_write"}


def test_cases_of_one_result_alone_are_counted(run_edge):
    both = comparison(run_edge, "--set", "schemes=[bitnet-b1.58]", "--set", "platforms=[ternary-edge]",
                      "--set", "baseline=null", "--no-plots")  # fmt: skip
    assert both.cases == (6, 6, 0)
    assert "platform" in both.renamed
    assert both.alone == {"scheme": (["fp16"], [])}


PRICES = """\
operation,format,energy_pj,source
add,int8,0.007,a
add,fp16,0.16,a
add,fp32,0.38,a
mul,fp16,0.34,a
sram,,0.1,a
dram,,8,a
"""


@pytest.fixture
def own_prices(run_edge, tmp_path):
    """Return a function that runs the small experiment at 7 nm and at prices of a file, and opens its result."""

    def ran(name, dram_pj, *words):
        file = tmp_path / name / f"{name}_7nm.csv"
        file.parent.mkdir()
        file.write_text(PRICES.replace("dram,,8", f"dram,,{dram_pj}"))
        return open_result(run_edge("--set", f"technologies=[7nm, {file}]", "--no-plots", *words))

    return ran


def test_a_renamed_file_of_prices_is_compared_with_what_it_was(own_prices):
    first, second = own_prices("old", 8), own_prices("new", 12)
    both = compare(first, second)
    assert both.cases == (24, 0, 0)
    assert both.renamed == {"technology": ("old_7nm", "new_7nm")}
    (price,) = both.prices.to_dict("records")
    assert (price["price"], price["first_pj"], price["second_pj"]) == ("technologies/old_7nm.yaml:dram", 8, 12)
    assert price["change"] == "price"
    assert both.case["technology"] == "old_7nm"
    by_count, by_price = (both.contributions[name].sum() for name in ("by_count_j", "by_price_j"))
    assert by_count == pytest.approx(0, abs=1e-9 * by_price)
    assert by_price == pytest.approx(both.levels_j[1] - both.levels_j[0])
    assert set(both.contributions["first_pj"]) == {8.0}
    assert set(both.totals["technology"]) == {"old_7nm"}


def test_a_condition_names_what_was_renamed_as_the_first_result_does(own_prices):
    first, second = own_prices("old", 8), own_prices("new", 12)
    both = compare(first, second, {"technology": "old_7nm", "phase": "decode"})
    assert both.cases == (4, 0, 0)
    assert both.renamed["technology"] == ("old_7nm", "new_7nm")
    assert both.prices["ratio"].tolist() == [1.5]
    others = compare(first, second, {"technology": "7nm"})
    assert [len(others.totals), len(others.prices), "technology" in others.renamed] == [0, 0, False]


def test_two_renamed_files_of_prices_stand_for_nothing(own_prices, run_edge, tmp_path):
    first, _, _ = own_prices("old", 8), own_prices("new", 12), own_prices("more", 9)
    file, other = (tmp_path / name / f"{name}_7nm.csv" for name in ("more", "new"))
    several = open_result(run_edge("--set", f"technologies=[7nm, {file}, {other}]", "--no-plots"))
    both = compare(first, several)
    assert (both.cases, both.renamed) == ((12, 12, 24), {})
    assert both.alone == {"technology": (["old_7nm"], ["more_7nm", "new_7nm"])}
    assert {change.split()[0] for change in both.prices["change"]} == {"only"}


SHAPE = "{name: NAME, layers: 2, hidden: 256, heads: 4, ffn: 512, ffn_gated: false, activation: gelu, vocabulary: 1000}"


def test_a_renamed_model_is_compared_with_what_it_was(run_edge):
    """Its name is all that differs."""
    ran = [
        open_result(run_edge("--set", f"models=[bitnet-125m, {SHAPE.replace('NAME', name)}]", "--no-plots"))
        for name in ("mine", "mine-2")
    ]
    both = compare(*ran)
    assert (both.cases, both.renamed, both.alone) == ((24, 0, 0), {"model": ("mine", "mine-2")}, {})
    assert [len(table) for table in (both.totals, both.prices, both.contributions)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"schem": "fp16"},
            r"--where:1: schem: unknown key \(did you mean 'scheme'\?\); expected one of model, scheme",
        ),
        ({"phase": "deocde"}, r"--where:1: phase: got 'deocde' \(did you mean 'decode'\?\); expected one of prefill,"),
    ],
)
def test_a_wrong_condition_is_reported(run_edge, where, message):
    with pytest.raises(InputError, match=message):
        comparison(run_edge, where=where)


def test_results_without_a_common_case_are_refused(run_edge):
    """Keys of which some values are common are not named."""
    with pytest.raises(InputError) as error:
        comparison(
            run_edge, "--set", "workload.prompt_tokens=[1, 2]", "--set", "schemes=[fp16, bitnet]",
            "--set", "platforms=[{name: edge, by_scheme: {fp16: fp16-edge, bitnet: ternary-edge}}]", "--no-plots",
        )  # fmt: skip
    said = str(error.value)
    assert "has no case in common with " in said
    assert said.endswith("expected results with common cases; they share no value of prompt_tokens")
