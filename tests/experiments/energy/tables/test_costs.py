"""Electricity, money and carbon dioxide: worked by hand, swept, and refused where they mean nothing."""

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.energy.electricity import Costs
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables.costs import cost_table
from bitjoule.experiments.output.columns import CASE_COLUMNS, COST_COLUMNS

TEXT = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: 8, new_tokens: [0, 2], batch: 4}
costs: {electricity_usd_per_kwh: [0.1, 0.25], grid_gco2_per_kwh: 400, power_usage_effectiveness: 1.5}
"""


def summary():
    """Return a prefill of 2 x 50 prompt tokens and a decode of 2 x 10 new ones, of 72 J and 360 J a token."""
    case = dict.fromkeys(CASE_COLUMNS, "x") | {"batch": 2, "prompt_tokens": 50, "new_tokens": 10}
    energies = {"energy_j": 7200.0, "energy_low_j": 3600.0, "energy_high_j": 14400.0}
    prefill = {**case, "phase": "prefill", **energies, "energy_per_token_j": 72.0}
    return pd.DataFrame([prefill, {**prefill, "phase": "decode", "energy_per_token_j": 360.0}])


def test_a_million_tokens_and_a_request_cost_what_is_worked_out_by_hand():
    costs = Costs(electricity_usd_per_kwh=0.1, grid_gco2_per_kwh=400, power_usage_effectiveness=1.5)
    table = cost_table(summary(), costs)
    assert tuple(table.columns) == COST_COLUMNS
    # 72e6 J are 20 kWh, in the building 30 kWh; half and twice of that at low and high prices of the energy
    prefill, decode = table.to_dict("records")
    for end, kwh in (("", 30.0), ("_low", 15.0), ("_high", 60.0)):
        assert prefill[f"kwh{end}_per_million_tokens"] == pytest.approx(kwh, rel=1e-14)
        assert prefill[f"usd{end}_per_million_tokens"] == pytest.approx(0.1 * kwh, rel=1e-14)
        assert prefill[f"gco2{end}_per_million_tokens"] == pytest.approx(400 * kwh, rel=1e-14)
        assert decode[f"kwh{end}_per_million_tokens"] == pytest.approx(5 * kwh, rel=1e-14)
    # each of the two sequences takes 3600 J of the phase: 1 Wh, in the building 1.5 Wh
    for phase in (prefill, decode):
        assert phase["kwh_per_request"] == pytest.approx(0.0015, rel=1e-14)
        assert phase["usd_high_per_request"] == pytest.approx(0.0003, rel=1e-14)
        assert phase["gco2_low_per_request"] == pytest.approx(0.3, rel=1e-14)


def test_lists_are_swept_in_every_combination_for_each_row_of_the_summary(resolved):
    result = run(resolved(TEXT))
    table = result.costs
    assert len(table) == 2 * len(result.summary)
    assert table["electricity_usd_per_kwh"].tolist() == [0.1, 0.25] * len(result.summary)
    assert list(table["phase"])[:4] == ["prefill", "prefill", "prefill", "prefill"]  # of no new tokens, then of two
    keys = [*CASE_COLUMNS, "electricity_usd_per_kwh"]
    found = table.set_index(keys)
    for row in result.summary.to_dict("records"):
        for price in (0.1, 0.25):
            ours = found.loc[(*(row[key] for key in CASE_COLUMNS), price)]
            kwh = row["energy_per_token_j"] * 1e6 / 3.6e6 * 1.5
            assert ours["usd_per_million_tokens"] == pytest.approx(kwh * price, rel=1e-12)
            assert ours["gco2_per_million_tokens"] == pytest.approx(kwh * 400, rel=1e-12)
            high = row["energy_high_j"] / 4 / 3.6e6 * 1.5
            assert ours["kwh_high_per_request"] == pytest.approx(high, rel=1e-12)
    request = table[(table["phase"] != "request") & (table["new_tokens"] == 2)]
    parts = request.groupby(["scheme", "electricity_usd_per_kwh"], observed=True)["usd_per_request"].sum()
    whole = table[table["phase"] == "request"].set_index(["scheme", "electricity_usd_per_kwh"])["usd_per_request"]
    np.testing.assert_allclose(parts, whole.loc[parts.index], rtol=1e-12)


def test_costs_change_no_other_table_and_are_written_on_request_only(bitjoule, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    (tmp_path / "plain.yaml").write_text(TEXT[: TEXT.index("costs")])
    for name in ("x", "plain"):
        assert bitjoule("run", tmp_path / f"{name}.yaml", "--no-plots", "--out", tmp_path / name)[0] == 0
    folder, plain = tmp_path / "x" / "x", tmp_path / "plain" / "x"
    assert {p.name for p in folder.iterdir()} - {p.name for p in plain.iterdir()} == {"costs.csv"}
    for name in ("summary.csv", "results.csv", "components.csv"):
        assert (folder / name).read_bytes() == (plain / name).read_bytes()
    assert bitjoule("run", folder / "experiment.yaml", "--no-plots", "--out", tmp_path / "again")[0] == 0
    assert (tmp_path / "again" / "x" / "costs.csv").read_bytes() == (folder / "costs.csv").read_bytes()
    overridden = ("--set", "costs={}", "--set", "costs.power_usage_effectiveness=1")
    assert bitjoule("run", tmp_path / "plain.yaml", "--no-plots", "--out", tmp_path / "set", *overridden)[0] == 0
    assert set(pd.read_csv(tmp_path / "set" / "x" / "costs.csv")["power_usage_effectiveness"]) == {1.0}


MANY = list(range(501))
WRONG = {
    "a price below nothing": ("0.25]", "-0.25]", "costs.electricity_usd_per_kwh[1]: got -0.25; expected greater"),
    "a building that gives energy": (
        "effectiveness: 1.5", "effectiveness: 0.9",
        "costs.power_usage_effectiveness: got 0.9; expected greater than or equal to 1",
    ),
    "a word": ("400", "green", "costs.grid_gco2_per_kwh: got 'green'; expected a valid number"),
    "no value": ("[0.1, 0.25]", "[]", "costs.electricity_usd_per_kwh: is empty; expected at least 1 item"),
    "one value twice": (
        "[0.1, 0.25]", "[0.1, 0.1]", "costs.electricity_usd_per_kwh: duplicate value 0.1; expected each value once"
    ),
    "a key misspelt": (
        "grid_gco2_per_kwh", "grid_co2_per_kwh",
        "costs.grid_co2_per_kwh: unknown key (did you mean 'grid_gco2_per_kwh'?); expected one of electricity",
    ),
    "a number": (
        TEXT[TEXT.index("{electricity") : -1], "5",
        "costs: got 5; expected a mapping with keys of electricity_usd_per_kwh, grid_gco2_per_kwh, power_usage_effect",
    ),
    "the papers' accounting": (
        "accounting: system\n", "",
        "costs: costs of an accounting that leaves out most energy; expected accounting: system",
    ),
    "bare matmuls": (
        "models: [bitnet-125m]", "matmuls: [{m: 1, k: 8, n: 8}]",
        "costs: costs of matmuls, which have no tokens; expected models",
    ),
    "too many": (
        "[0.1, 0.25], grid_gco2_per_kwh: 400", f"{MANY}, grid_gco2_per_kwh: {MANY}",
        f"costs: the sweep has {4 * 501 * 501} costs; expected at most 1000000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_costs_are_refused_with_their_line(bitjoule, tmp_path, name):
    old, new, message = WRONG[name]
    text = TEXT.replace(old, new, 1)
    if name == "the papers' accounting":
        text = text.replace("platforms: [ternary-edge]\n", "")
    if name == "bare matmuls":
        text = text.replace("workload: {prompt_tokens: 8, new_tokens: [0, 2], batch: 4}\n", "")
    path = tmp_path / "x.yaml"
    path.write_text(text)
    status, _, err = bitjoule("run", path, "--out", tmp_path / "out")
    line = 1 + next(i for i, written in enumerate(text.splitlines()) if written.startswith("costs"))
    assert status == 2
    assert err.startswith(f"{path}:{line}: {message}")
    assert not (tmp_path / "out").exists()
