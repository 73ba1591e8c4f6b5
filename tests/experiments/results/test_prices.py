"""The prices that a result paid."""

import csv
from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.results import prices as prices_of_a_run
from bitjoule.experiments.results.folders import open_result
from bitjoule.experiments.results.prices import OWN, cited, paid_prices, price_sums, technology_prices


def test_every_price_of_a_run_is_listed_once_with_what_it_paid(run_edge):
    prices = paid_prices(open_result(run_edge()))
    sums = defaultdict(lambda: [0, 0.0])
    with (run_edge() / "results.csv").open() as handle:
        for row in csv.DictReader(handle):
            sums[row["price"]][0] += int(row["count"])
            sums[row["price"]][1] += float(row["energy_pj"])
    assert sorted(prices["price"]) == sorted(sums)
    for row in prices.to_dict("records"):
        count, energy_pj = sums[row["price"]]
        assert row["count"] == count
        assert row["energy_j"] == pytest.approx(energy_pj / 1e12)
        assert row["paid_pj"] == pytest.approx(energy_pj / count)
    assert prices["energy_share"].sum() == pytest.approx(1)
    assert prices["energy_j"].is_monotonic_decreasing


def test_prices_have_the_sources_of_their_rows_and_are_those_of_today(run_edge):
    for row in paid_prices(open_result(run_edge())).to_dict("records"):
        data = price_row(row["price"])
        assert (row["source"], row["where"], row["unit"]) == (data.source, data.where, data.unit)
        assert row["paid_low_pj"] == pytest.approx(data.price.low_pj)
        assert row["paid_high_pj"] == pytest.approx(data.price.high_pj)
        assert row["remark"] == ""


def test_a_price_that_the_data_no_longer_give_is_remarked(run_edge, tmp_path):
    table = pd.read_csv(run_edge() / "results.csv")
    dram = table["price"] == "memories.csv:lpddr4"
    table.loc[dram, "energy_pj"] *= 2
    result = open_result(run_edge())
    result.files["results"] = tmp_path / "results.csv"
    table.to_csv(result.files["results"], index=False)
    remarks = paid_prices(result).set_index("price")["remark"]
    assert remarks["memories.csv:lpddr4"] == f"now {price_row('memories.csv:lpddr4').price.nominal_pj:.4g} pJ"
    assert (remarks.drop("memories.csv:lpddr4") == "").all()


@pytest.mark.parametrize("column", ["energy_low_pj", "energy_pj", "energy_high_pj"])
@pytest.mark.parametrize("changed", [False, True])
def test_a_price_of_which_one_end_has_changed_is_remarked_with_the_file_if_that_has_changed(
    run_edge, tmp_path, column, changed
):
    table = pd.read_csv(run_edge() / "results.csv")
    table.loc[table["price"] == "memories.csv:lpddr4", column] *= 1.5
    result = open_result(run_edge())
    data = {**result.manifest["data"], **({"memories.csv": "of another day"} if changed else {})}
    result = replace(result, manifest=result.manifest | {"data": data})
    result.files["results"] = tmp_path / "results.csv"
    table.to_csv(result.files["results"], index=False)
    remarks = paid_prices(result).set_index("price")["remark"]
    now = f"now {price_row('memories.csv:lpddr4').price.nominal_pj:.4g} pJ"
    assert remarks["memories.csv:lpddr4"] == now + "; the data file has changed since the run" * changed
    assert (remarks.drop("memories.csv:lpddr4") == "").all()  # also of prices of the same file


def test_references_are_those_of_published_sources_alone():
    cells = pd.DataFrame({"source": ["wu2019accelergy", OWN, "wang2023bitnet; wu2019accelergy"]})
    assert [line.partition("]")[0] for line in cited(cells)] == ["[wu2019accelergy", "[wang2023bitnet"]


def test_conditions_on_columns_that_the_actions_lack_choose_all(run_edge):
    result = open_result(run_edge())
    pd.testing.assert_frame_equal(price_sums(result, {"array": "adders"}), price_sums(result))


def test_prices_of_a_users_own_file_have_no_row_in_the_data(run_edge, tmp_path):
    table = pd.read_csv(run_edge() / "results.csv")
    table["price"] = table["price"].str.replace("memories.csv:lpddr4", "technologies/mine.yaml:dram:lpddr4")
    result = open_result(run_edge())
    result.files["results"] = tmp_path / "results.csv"
    table.to_csv(result.files["results"], index=False)
    prices = paid_prices(result).set_index("price")
    assert prices.loc["technologies/mine.yaml:dram:lpddr4", "source"] == OWN


def test_sums_of_chosen_cases_leave_out_the_others(run_edge):
    result = open_result(run_edge())
    both, ternary = price_sums(result), price_sums(result, {"scheme": "bitnet-b1.58"})
    energy = {key: frame["energy_pj"].sum() for key, frame in (("both", both), ("ternary", ternary))}
    summary = pd.read_csv(run_edge() / "summary.csv")
    expected = summary[(summary["phase"] == "request") & (summary["scheme"] == "bitnet-b1.58")]["energy_j"].sum()
    assert energy["ternary"] == pytest.approx(expected * 1e12)
    assert energy["both"] > energy["ternary"]


def test_a_result_without_actions_has_no_prices(bitjoule, tmp_path):
    assert bitjoule("run", "measured_vs_table", "--no-plots", "--jobs", 1, "--out", tmp_path)[0] == 0
    result = open_result(tmp_path / "measured_vs_table")
    assert paid_prices(result).empty
    listed = technology_prices(result)
    with (DATA / "operations.csv").open(newline="") as handle:
        rows = [row for row in csv.reader(line for line in handle if not line.startswith("#")) if len(row) > 6]
    expected = [(operation, number_format, float(nominal)) for operation, number_format, node, nominal, *_ in rows
                if node == "45"]  # fmt: skip
    at_45nm = listed[listed["technology"] == "45nm"]
    assert [tuple(row) for row in at_45nm[["operation", "format", "energy_pj"]].to_numpy().tolist()] == expected
    assert set(listed["technology"]) == {"45nm", "45nm-measured", "7nm", "7nm-measured"}
    assert (at_45nm["source"] != "").all()


def test_a_price_is_the_energy_over_the_count_and_of_nothing_counted_there_is_none(run_edge, monkeypatch):
    """Sums made up; those of most energy lead, whatever their price."""
    sums = pd.DataFrame({"count": [4.0, 0.0, 2.0], "energy_pj": [6.0, 0.0, 10.0], "energy_low_pj": [2.0, 0.0, 8.0],
                         "energy_high_pj": [8.0, 0.0, 16.0]}, index=["mine:a", "mine:b", "mine:c"])  # fmt: skip
    monkeypatch.setattr(prices_of_a_run, "price_sums", lambda _: sums)
    table = paid_prices(open_result(run_edge()))
    assert table["price"].tolist() == ["mine:c", "mine:a", "mine:b"]
    shown = table[["paid_pj", "paid_low_pj", "paid_high_pj"]]
    assert shown[:2].to_numpy().tolist() == [[5.0, 4.0, 8.0], [1.5, 0.5, 2.0]]
    assert shown[2:].isna().all(axis=None)
    assert table["energy_share"].tolist() == [0.625, 0.375, 0.0]
    assert set(table["source"]) == {OWN}


def test_prices_of_each_technology_that_is_named_anywhere_are_listed_once():
    named = {"technologies": ["7nm", "./mine.yaml"], "technology": "45nm"}
    named |= {"compare": [["7nm", "45nm-measured"], ["45nm", "7nm"]]}
    table = technology_prices(SimpleNamespace(experiment=named))
    known = technologies()
    listed = [name for name in ("7nm", "45nm", "45nm-measured") for _ in known[name].rows]
    assert table["technology"].tolist() == listed
    assert not table.duplicated(["technology", "operation", "format"]).any()
    for row in table.to_dict("records"):
        (own,) = [one for one in known[row["technology"]].rows.values()
                  if (one.operation, one.format) == (row["operation"], row["format"])]  # fmt: skip
        ends = (own.energy.low_pj, own.energy.nominal_pj, own.energy.high_pj)
        assert (row["energy_low_pj"], row["energy_pj"], row["energy_high_pj"]) == ends
        assert (row["source"], row["where"]) == (own.source, own.where)
