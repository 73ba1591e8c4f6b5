"""The effect of each price, against the long table moved row by row."""

import pytest

from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.sensitivity import sensitivity_text

TEXT = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: 30, new_tokens: 4}
baseline: {scheme: fp16}
sensitivity: true
"""
KEYS = ["scheme", "phase", "cause"]


def moved(result, cause, end):
    """Return each scheme's and phase's energy in J with the rows of one cause at one end, the request's too."""
    long = result.results
    own = long["price"].map(lambda key: shared_row(key, "7nm")) == cause
    energy = long["energy_pj"].where(~own, long[f"energy_{end}pj"])
    sums = energy.groupby([long["scheme"].astype(str), long["phase"].astype(str)]).sum() / 1e12
    return {**sums, **{(scheme, "request"): sums[scheme].sum() for scheme in ("fp16", "bitnet-b1.58")}}


def test_each_cause_moves_the_energy_of_its_rows_on_both_sides_and_nothing_else(resolved):
    result = run(resolved(TEXT))
    table = result.sensitivity
    assert {"memories.csv:lpddr4", "memories.csv:sram:7nm", "static:host", "leakage:7nm"} <= set(table["cause"])
    for row in table.to_dict("records"):
        case, base = (row["scheme"], row["phase"]), ("fp16", row["phase"])
        for end in ("low_", "", "high_"):
            energy = moved(result, row["cause"], end)
            assert row[f"energy_{end}j"] == pytest.approx(energy[case], rel=1e-12)
            name = f"ratio_{end}".removesuffix("_")
            assert row[name] == pytest.approx(energy[base] / energy[case], rel=1e-12)
        low, high = sorted((row["ratio_low"], row["ratio_high"]))
        assert row["turns"] == (low < 1 < high)


def test_a_price_of_both_sides_moves_the_ratio_less_than_it_would_move_one_side(resolved):
    table = run(resolved(TEXT)).sensitivity.set_index(KEYS)
    row = table.loc[("bitnet-b1.58", "decode", "memories.csv:lpddr4")]
    alone = row["ratio"] * row["energy_j"] / row["energy_high_j"]
    assert row["ratio_high"] > 1.5 * alone  # decode is memory on both machines


def test_the_regulators_are_a_cause_of_their_own(resolved, tmp_path):
    """Their loss is 1 / efficiency - 1 of all but the host's energy."""
    (tmp_path / "lossy.yaml").write_text(
        "like: ternary-edge\nregulator: {efficiency: {low: 0.8, nominal: 0.9, high: 1.0}}\n"
    )
    text = TEXT.replace("bitnet-b1.58: ternary-edge", f"bitnet-b1.58: {tmp_path}/lossy.yaml")
    result = run(resolved(text))
    row = result.sensitivity.set_index(KEYS).loc[("bitnet-b1.58", "decode", "regulator")]
    long = result.results
    long = long[(long["scheme"] == "bitnet-b1.58") & (long["phase"] == "decode") & (long["component"] != "regulator")]
    host = long.loc[long["operand"] == "host", "energy_pj"].sum() / 1e12
    rest = long.loc[long["operand"] != "host", "energy_pj"].sum() / 1e12
    for name, efficiency in (("energy_low_j", 1.0), ("energy_j", 0.9), ("energy_high_j", 0.8)):
        assert row[name] == pytest.approx(host + rest / efficiency, rel=1e-9), name


def test_the_summary_shows_the_causes_that_move_most_first(resolved):
    result = run(resolved(TEXT))
    text = sensitivity_text(result)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    header, _, *rows = lines
    assert header[:3] == ["phase", "scheme", "price"]
    table = result.sensitivity.set_index(["phase", "scheme", "cause"])
    for phase, scheme, cause, *numbers, turns in rows:
        row = table.loc[(phase, scheme, cause)]
        wanted = [row[f"energy_{end}j"] for end in ("low_", "", "high_")]
        wanted += [row[name] for name in ("ratio_low", "ratio", "ratio_high")]
        assert [float(number) for number in numbers] == pytest.approx(wanted, rel=6e-3)
        assert (turns == "yes") == row["turns"]
    spans = [float(row[5]) - float(row[3]) for row in rows if row[:2] == ["decode", "bitnet-b1.58"]]
    assert spans == sorted(spans, reverse=True)
    assert rows[0][2] == "memories.csv:lpddr4"


def test_papers_prices_have_no_bands_to_move(bitjoule, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\nmodels: [bitnet-125m]\nschemes: [fp16]\ntechnologies: [7nm]\nsensitivity: true\n")
    status, _, err = bitjoule("check", path)
    assert status == 2
    assert err == (
        f"{path}:5: sensitivity: sensitivity of an accounting whose prices have no bands; expected accounting: system\n"
    )


def test_without_the_key_no_table_is_written(bitjoule, tmp_path):
    for value, there in (("true", True), ("false", False)):
        path = tmp_path / "mine.yaml"
        path.write_text(TEXT.replace("sensitivity: true", f"sensitivity: {value}"))
        assert bitjoule("run", path, "--no-plots", "--out", tmp_path / value)[0] == 0
        assert (tmp_path / value / "x" / "sensitivity.csv").exists() == there
