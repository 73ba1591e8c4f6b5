"""What a summary says first."""

import re
import statistics

import pytest

from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.lead import headline, token_table
from bitjoule.reports.energy.summary import summary_markdown
from tests.experiments.shipped import result_of
from tests.reports.shown import header_and_rows

THREE_DIGITS = 6e-3
TWO_DIGITS = 0.051
TEXT = """\
name: x
accounting: system
models: [bitnet-125m, bitnet-2.7b]
schemes: [fp16, bitnet-b1.58]
technologies: [45nm, 7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: 100, new_tokens: [20, 7], batch: 3}
baseline: {scheme: fp16}
"""
UNITS = {"J": 1.0, "mJ": 1e-3, "µJ": 1e-6, "nJ": 1e-9, "pJ": 1e-12, "fJ": 1e-15}


def rows(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]


def test_each_row_is_energy_time_and_gain_of_the_tokens_of_its_case(resolved):
    result = run(resolved(TEXT))
    header, _, *table = rows(token_table(result, 200))
    assert header == [
        "model", "technology", "new (tokens)", "scheme", "J per generated token", "fp16 / this", "low to high prices",
        "tokens/s", "W", "J per prompt token", "J per request",
    ]  # fmt: skip
    assert header_and_rows(token_table(result, 200), ["model"]) == (header, table)  # numbers stand right
    assert len(table) == 2 * 2 * 2 * 2
    cases = result.summary.set_index(["model", "technology", "new_tokens", "scheme", "phase"])
    for model, technology, new, scheme, *shown in table:
        decode, prefill = (cases.loc[(model, technology, int(new), scheme, phase)] for phase in ("decode", "prefill"))
        fp16 = cases.loc[(model, technology, int(new), "fp16", "decode")]
        low, high = shown.pop(2).split(" to ")
        tokens = 3 * int(new)
        wanted = [
            decode.energy_j / tokens, fp16.energy_j / decode.energy_j, tokens / decode.latency_s,
            decode.energy_j / decode.latency_s, prefill.energy_j / (3 * 100), prefill.energy_j + decode.energy_j,
            decode.energy_low_j / tokens, decode.energy_high_j / tokens,
        ]  # fmt: skip
        assert [float(text) for text in (*shown, low, high)] == pytest.approx(wanted, rel=THREE_DIGITS)


def test_a_table_that_is_cut_has_the_columns_of_the_whole_and_says_how_many_rows_there_are(resolved):
    result = run(resolved(TEXT))
    cut = token_table(result, 1)
    assert rows(cut)[0] == rows(token_table(result, 200))[0]
    assert len(rows(cut)) == 3
    assert cut.endswith("The first 1 of 16 rows; all are in summary.csv.")


def test_without_a_baseline_there_is_no_gain(resolved):
    header, _, *table = rows(token_table(run(resolved(TEXT.replace("baseline: {scheme: fp16}\n", ""))), 200))
    assert header[6:9] == ["tokens/s", "W", "J per prompt token"]
    assert {len(row) for row in table} == {len(header)}


def test_the_line_names_the_last_model_at_the_first_workload_and_what_a_token_takes(resolved):
    result = run(resolved(TEXT))
    line = headline(result)
    start, energies = line.removesuffix(" (in brackets: fp16 over it)").split(": per generated token ")
    assert start == "bitnet-2.7b, at 7nm, on edge, prompt of 100"
    summary = result.summary.set_index(["model", "technology", "new_tokens", "scheme", "phase"])["energy_j"]
    joules = {scheme: summary["bitnet-2.7b", "7nm", 20, scheme, "decode"] for scheme in ("fp16", "bitnet-b1.58")}
    found = re.fullmatch(r"fp16 (\S+) (\S+), bitnet-b1.58 (\S+) (\S+) \((\S+)\)", energies)
    assert found
    for (value, unit), scheme in zip((found.group(1, 2), found.group(3, 4)), joules, strict=True):
        assert float(value) * UNITS[unit] == pytest.approx(joules[scheme] / 60, rel=THREE_DIGITS)
    assert float(found[5]) == pytest.approx(joules["fp16"] / joules["bitnet-b1.58"], rel=THREE_DIGITS)


def test_of_each_axis_that_is_swept_the_first_value_leads(resolved):
    text = TEXT.replace("[bitnet-125m, bitnet-2.7b]", "[bitnet-125m]").replace("[45nm, 7nm]", "[7nm]")
    text = text.replace("prompt_tokens: 100", "prompt_tokens: [100, 40]").replace("batch: 3", "batch: [3, 2]")
    result = run(resolved(text))
    place, energies = headline(result).split(": per generated token ")
    assert place == "bitnet-125m, at 7nm, on edge, prompt of 100"
    first = {"scheme": "fp16", "phase": "decode", "batch": 3, "prompt_tokens": 100, "new_tokens": 20}
    rows = result.summary
    for key, value in first.items():
        rows = rows[rows[key] == value]
    value, unit = re.match(r"fp16 (\S+) ([^\s,]+),", energies).groups()
    assert float(value) * UNITS[unit] == pytest.approx(rows["energy_j"].item() / 60, rel=THREE_DIGITS)


OWN = "{name: mine, like: ternary-edge, nodes: {7nm: {clock_mhz: 500}}}"


@pytest.mark.parametrize(
    ("platforms", "first"),
    [
        (f"ternary-edge, {OWN}, fp16-edge", "mine"),
        (f"ternary-edge, {{name: pair, by_scheme: {{fp16: fp16-edge, bitnet-b1.58: {OWN}}}}}", "pair"),
        (f"ternary-edge, {OWN.replace('mine', 'a')}, {OWN.replace('mine', 'b').replace('500', '400')}", "a"),
        ("fp16-edge, ternary-edge", "fp16-edge"),
    ],
)
def test_of_platforms_the_first_of_the_users_own_leads(resolved, platforms, first):
    text = re.sub(r"platforms: .*", lambda _: f"platforms: [{platforms}]", TEXT)
    text = text.replace("[45nm, 7nm]", "[7nm]").replace("[20, 7]", "20") + "sensitivity: true\n"
    result = run(resolved(text))
    place, energies = headline(result).split(": per generated token ")
    assert place == f"bitnet-2.7b, at 7nm, on {first}, prompt of 100"
    case = {"model": "bitnet-2.7b", "platform": first, "scheme": "bitnet-b1.58", "phase": "decode"}
    rows, effects = result.summary, result.sensitivity
    for key, value in case.items():
        rows, effects = rows[rows[key] == value], effects[effects[key] == value]
    (joules,) = rows["energy_j"]
    value, unit = re.search(r"bitnet-b1.58 (\S+) ([^\s,]+)", energies).groups()
    assert float(value) * UNITS[unit] == pytest.approx(joules / 60, rel=THREE_DIGITS)
    assert set(result.components["platform"]) == {first}
    text = summary_markdown(result)
    assert f"bitnet-2.7b at 7nm on {first}, " in text.partition("## Decode")[2]
    header, *shown = header_and_rows(text.partition("## Sensitivity\n\n")[2], ["phase", "scheme", "cause"])
    assert header.index("J") == 6
    of_ours = [row for row in shown[0] if row[:2] == ["decode", "bitnet-b1.58"]]
    assert len(of_ours) > 3
    found = [float(row[6]) for row in of_ours]
    assert found == pytest.approx([joules] * len(found), rel=THREE_DIGITS)


def test_without_new_tokens_a_prompt_token_leads_and_no_table_of_generated_ones_stands(resolved):
    result = run(resolved(TEXT.replace("new_tokens: [20, 7]", "new_tokens: 0")))
    assert token_table(result, 200) == ""
    assert ": per prompt token fp16 " in headline(result)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        # BitNet, Table 1, and b1.58, Figure 3: (0.4 + 1.1) pJ and 0.03 pJ at 45 nm
        ("bitnet_table1", r"34 of 36 published values agree at the printed precision \(difference: [^()]+\); "
         r"bitnet-30b, at 7nm, prompt of 512: per prompt token .*"),
        # Figure 3 prints 71.4 at 7 nm: (0.16 + 0.34) pJ over 0.007 pJ
        ("b158_mac_energy", rf"1 of 1 published values agree at the printed precision "
         rf"\(difference: {100 * (0.5 / 0.007 / 71.4 - 1):.3f} %\); 1x1x1, at 45nm: per matmul fp16 1.50 pJ, "
         r"bitnet-b1.58 30.0 fJ \(50.0\) \(in brackets: fp16 over it\)"),
    ],
)  # fmt: skip
def test_what_was_printed_is_said_first(name, says):
    result = result_of(name)
    assert re.fullmatch(says, headline(result))
    assert summary_markdown(result).split("\n\n")[2] == f"{headline(result)}."


@pytest.mark.parametrize(
    "name", ["memory_footprint", "bitnet_table1", "b158_energy_vs_size", "b158_2b4t_energy", "bitnet_energy_vs_size"]
)
def test_the_line_says_how_far_printed_numbers_are_off(name):
    result = result_of(name)
    cells = result.comparison.to_dict("records")
    off = [100 * abs(cell["ours"] - float(cell["printed"])) / float(cell["printed"]) for cell in cells]
    number = r"(\d+(?:\.\d+)?)"
    found = re.match(
        rf"{number} of {number} published values agree at the printed precision "
        rf"\(difference: median {number} %, largest {number} %\); ",
        headline(result),
    )
    assert found
    assert [int(found[1]), int(found[2])] == [sum(cell["agrees"] for cell in cells), len(cells)]
    assert [float(found[3]), float(found[4])] == pytest.approx([statistics.median(off), max(off)], rel=TWO_DIGITS)
