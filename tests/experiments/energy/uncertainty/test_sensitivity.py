"""The effect of each price, against the long table moved row by row; and of each assumption, run by hand."""

import pytest
import yaml

from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.sensitivity import sensitivity_text
from tests.energy_models.clocks import MET_MHZ

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
    table = result.sensitivity[result.sensitivity["kind"] == "price"]
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
        assert (row["low"], row["high"]) == ("low end", "high end")


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
    """At the first workload."""
    result = run(resolved(TEXT.replace("prompt_tokens: 30", "prompt_tokens: [30, 60]")))
    text = sensitivity_text(result)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    header, _, *rows = lines
    assert header[:3] == ["phase", "scheme", "cause"]
    table = result.sensitivity
    table = table[table["prompt_tokens"] == 30].set_index(["phase", "scheme", "cause"])
    for phase, scheme, cause, low, high, *numbers, turns in rows:
        row = table.loc[(phase, scheme, cause)]
        assert (low, high) == (row["low"], row["high"])
        wanted = [row[f"energy_{end}j"] for end in ("low_", "", "high_")]
        wanted += [row[name] for name in ("ratio_low", "ratio", "ratio_high")]
        assert [float(number) for number in numbers] == pytest.approx(wanted, rel=6e-3)
        assert (turns == "yes") == row["turns"]
    own = [[float(cell) for cell in row[5:8]] for row in rows if row[:2] == ["decode", "bitnet-b1.58"]]
    spans = [max(energies) - min(energies) for energies in own]
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


BY_HAND = {  # assumption: what the low and the high end are, as changes of the platforms' files or of the experiment
    "clock": ({"nodes": {"7nm": {"clock_mhz": MET_MHZ["7nm"] / 2}}},
              {"nodes": {"7nm": {"clock_mhz": MET_MHZ["7nm"] * 2}}}),
    "off-chip bandwidth": ({"off_chip": {"bandwidth_gb_per_s": 0.7 * 12.8}}, None),
    "static power": ({"static": {"phy": 0.005, "dram": 0.033, "host": 0.1}},
                     {"static": {"phy": 0.1, "dram": 0.037, "host": 1.0}}),
    "accumulate": ({"accumulate": "paper"}, {"accumulate": "accumulator"}),
    "attention": (None, {"attention": "separate"}),
    "skips_masked_pairs": (None, {"skips_masked_pairs": False}),
    "buffer sizes": ({"buffers": {name: {"size_bytes": 262144, "banks": 2} for name in ("weights", "activations")}},
                     {"buffers": {name: {"size_bytes": 1048576, "banks": 8} for name in ("weights", "activations")}}),
    "vector lanes": ({"vector": {"lanes": 8}}, {"vector": {"lanes": 32}}),
    "objective": (None, "objective: latency"),
    "weight packing": ("weight_storage: ternary5", None),
    "LM head": ("lm_head: int4", None),
    "KV cache": ("kv_cache: int8", None),
}  # fmt: skip
FORMATS = {
    "fp16": "weights: fp16, activations: fp16, attention: fp16",
    "bitnet-b1.58": "weights: ternary, activations: int8, attention: fp16, rescale: fp16",
}


def by_hand(resolved, folder, change):
    """Return the summary of the experiment with one change written into it or into its platforms' files."""
    text = TEXT.replace("sensitivity: true\n", "")
    if isinstance(change, dict):
        for machine in ("fp16-edge", "ternary-edge"):
            (folder / f"{machine}-changed.yaml").write_text(yaml.safe_dump({"like": machine, **change}))
            text = text.replace(f": {machine}", f": {folder}/{machine}-changed.yaml")
    elif change is not None and change.startswith("objective"):
        text += f"{change}\n"
    elif change is not None:
        written = [
            f"{{name: {name}, {formats}, {change}}}" if "ternary" not in change or "ternary" in formats else name
            for name, formats in FORMATS.items()
        ]
        text = text.replace("[fp16, bitnet-b1.58]", f"[{', '.join(written)}]")
    return run(resolved(text)).summary.set_index(["scheme", "phase"])


def test_each_assumption_is_the_experiment_run_with_that_change(resolved, tmp_path):
    table = run(resolved(TEXT)).sensitivity
    table = table[table["kind"] == "assumption"]
    nominal = by_hand(resolved, tmp_path, None)
    for cause, changes in BY_HAND.items():
        ends = [nominal if change is None else by_hand(resolved, tmp_path, change) for change in changes]
        rows = table[table["cause"] == cause]
        assert len(rows)
        for row in rows.to_dict("records"):
            case = (row["scheme"], row["phase"])
            for name, summary in zip(("low", "high"), ends, strict=True):
                assert row[f"energy_{name}_j"] == pytest.approx(summary.loc[case, "energy_j"], rel=1e-9), (cause, case)
                ratio = summary.loc[("fp16", row["phase"]), "energy_j"] / summary.loc[case, "energy_j"]
                assert row[f"ratio_{name}"] == pytest.approx(ratio, rel=1e-9)
            assert row["energy_j"] == pytest.approx(nominal.loc[case, "energy_j"], rel=1e-9)
        moved = {
            case
            for case in nominal.index
            if any(
                summary.loc[at, "energy_j"] != pytest.approx(nominal.loc[at, "energy_j"], rel=1e-9)
                for summary in ends
                for at in (case, ("fp16", case[1]))
            )
        }
        assert {(row["scheme"], row["phase"]) for row in rows.to_dict("records")} == moved, cause


def test_a_machine_that_waits_for_its_memory_pays_its_watts_for_longer(resolved):
    """One row times 4096 x 4096 in FP16 waits for 4096 x 4096 x 16 bits at 12.8 GB/s, while 1 W flows."""
    text = """\
name: x
accounting: system
matmuls: [{m: 1, k: 4096, n: 4096}]
schemes: [fp16]
technologies: [7nm]
platforms: [fp16-edge-1w]
sensitivity: true
"""
    row = run(resolved(text)).sensitivity.set_index("cause").loc["off-chip bandwidth"]
    seconds = 4096 * 4096 * 2 / 12.8e9
    assert row["low"] == "x0.7"
    assert row["energy_low_j"] - row["energy_j"] == pytest.approx(1.0 * seconds * (1 / 0.7 - 1), rel=1e-2)


WIDE = {"fp16": "board: 1", "bitnet-b1.58": "board: {low: 1, nominal: 1, high: 1000}"}


def test_what_turns_the_conclusion_is_named_with_who_wins_then(resolved, tmp_path):
    for scheme, machine in (("fp16", "fp16-edge"), ("bitnet-b1.58", "ternary-edge")):
        static = f"array: null, sram: null, phy: null, dram: null, host: null, {WIDE[scheme]}"
        (tmp_path / f"{scheme}.yaml").write_text(f"like: {machine}\nstatic: {{{static}}}\n")
    text = TEXT.replace(
        "fp16: fp16-edge, bitnet-b1.58: ternary-edge", "fp16: fp16.yaml, bitnet-b1.58: bitnet-b1.58.yaml"
    )
    result = run(resolved(text))
    rows = result.sensitivity.set_index(["scheme", "phase", "cause"])
    row = rows.loc[("bitnet-b1.58", "decode", "static power")]
    assert (row["least_low"], row["least"], row["least_high"]) == ("bitnet-b1.58", "bitnet-b1.58", "fp16")
    assert row["ratio"] > 1 > row["ratio_high"]
    assert row["turns"]
    assert not rows.loc[("bitnet-b1.58", "decode", "clock")]["turns"]
    lines = sensitivity_text(result).splitlines()
    start = lines.index("What turns the conclusion, over all models, workloads and phases:")
    said = [line for line in lines[start + 2 :] if line]
    expected = (
        "the gain crosses 1 in 3 of the comparisons; "
        "fp16 instead of bitnet-b1.58 needs the least energy in 3 of the cases"
    )
    assert said == [f"- static:board: {expected}", f"- static power: {expected}"]


def test_what_no_machine_can_run_is_named_with_the_reason(resolved, tmp_path):
    macs = "[{weights: [fp16], activations: [fp16], actions: [mul fp16, add fp16]}]"
    (tmp_path / "narrow.yaml").write_text(f"like: fp16-edge\narrays: {{fp16: {{macs: {macs}}}}}\n")
    text = TEXT.replace("[fp16, bitnet-b1.58]", "[fp16]").replace(
        "{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}", "narrow.yaml"
    )
    result = run(resolved(text))
    varied = result.varied.set_index("assumption")
    assert varied.loc["LM head", "problem_low"] == (
        "no array of platform narrow computes int4 x fp16, the LM head of the scheme (fp16)"
    )
    assert "LM head" not in set(result.sensitivity["cause"])
    assert f"- LM head int4: {varied.loc['LM head', 'problem_low']}" in sensitivity_text(result).splitlines()
