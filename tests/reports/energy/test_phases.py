"""The section of each phase in a summary."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.output.columns import BOUND_COLUMNS
from bitjoule.reports.energy.machines import time_table
from bitjoule.reports.energy.phases import BOUND_NAMES, _arrays, _components, group_of, phases_text

THREE_DIGITS = 6e-3
TEXT = """\
name: x
accounting: system
models: [bitnet-125m, bitnet-2.7b]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: 100, new_tokens: [20, 7], batch: 3}
"""
FACTORS = {"": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}


def tables(text):
    """Return the tables of each section: header and rows of cells."""
    found = []
    for section in text.split("## ")[1:]:
        blocks = [block for block in section.split("\n\n") if block.startswith("|")]
        found.append(
            [[[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()] for block in blocks]
        )
    return found


@pytest.fixture
def result(resolved):
    return run(resolved(TEXT))


def case(result, phase, scheme):
    rows = result.summary
    for key, value in {"model": "bitnet-2.7b", "new_tokens": 20, "phase": phase, "scheme": scheme}.items():
        rows = rows[rows[key] == value]
    (row,) = rows.to_dict("records")
    return row


def test_there_is_a_section_for_each_phase_and_it_names_its_case(result):
    first, second = phases_text(result).split("## ")[1:]
    place = "bitnet-2.7b at 7nm on edge, 100 prompt tokens, 20 new tokens, batch 3 (one of 4 cases of each scheme;"
    assert first.startswith(f"Prefill\n\n{place} components.csv has all).")
    assert second.startswith(f"Decode\n\n{place} components.csv has all).")


@pytest.mark.parametrize("others", [0, 1, 2])
def test_of_two_cases_one_is_said_to_be_of_two(result, others):
    place = {"model": "bitnet-2.7b", "new_tokens": 20}
    rows = result.summary
    own = np.all([rows[key] == value for key, value in place.items()], axis=0)
    further = rows[~own].groupby(["model", "new_tokens"], observed=True, sort=False).ngroup() < others
    kept = own.copy()
    kept[~own] = further.to_numpy()
    text = phases_text(replace(result, summary=rows[kept]))
    assert (f"(one of {1 + others} cases of each scheme;" in text) == (others > 0)
    assert ("cases of each scheme" in text) == (others > 0)


@pytest.mark.parametrize(("section", "phase"), [(0, "prefill"), (1, "decode")])
def test_the_first_table_has_speed_watts_bounds_and_the_arrays_shares_of_the_macs(result, section, phase):
    (header, _, *rows), *_ = tables(phases_text(result))[section]
    assert header == [
        "scheme", "tokens/s", "W", "bound by", "compute (%)", "buffer bandwidth (%)", "DRAM bandwidth (%)",
        "latency (%)", "MACs by array",
    ]  # fmt: skip
    for scheme, speed, watts, bound, *shares, arrays in rows:
        expected = case(result, phase, scheme)
        assert float(speed) == pytest.approx(expected["tokens_per_s"], rel=THREE_DIGITS)
        assert float(watts) == pytest.approx(expected["energy_j"] / expected["latency_s"], rel=THREE_DIGITS)
        own = result.components
        own = own[(own["scheme"] == scheme) & (own["phase"] == phase)]
        percent = 100 * own[list(BOUND_COLUMNS)].sum() / own["time_s"].sum()
        for text, wanted in zip(shares, percent, strict=True):
            if text == "< 0.01":
                assert 0 < wanted < 0.01
            else:
                assert float(text) == pytest.approx(wanted, rel=THREE_DIGITS)
        assert BOUND_NAMES[percent.idxmax()] == bound
        macs = own.groupby("array", observed=True)["macs"].sum() / own["macs"].sum()
        if scheme == "fp16":
            assert arrays == "fp16 100 %"
        else:
            adders, helper = arrays.split(" %, ")
            assert helper.endswith(" % (attention, LM head)")
            assert float(adders.removeprefix("adders ")) == pytest.approx(100 * macs["adders"], rel=THREE_DIGITS)
            share = helper.removeprefix("float ").split(" ")[0]
            assert float(share) == pytest.approx(100 * macs["float"], rel=THREE_DIGITS)


def test_decode_of_one_sequence_is_bound_by_the_memory_and_a_long_prompt_by_the_array(resolved):
    """2.6 G weights of two bytes over 12.8 GB/s, each used once; each used 512 times on 78 MACs at 243 MHz."""
    long = TEXT.replace("prompt_tokens: 100", "prompt_tokens: 512").replace(", batch: 3", "")
    prefill, decode = (section[0] for section in tables(phases_text(run(resolved(long)))))
    assert [row[3] for row in prefill[2:] if row[0] == "fp16"] == ["compute"]
    assert {row[3] for row in decode[2:]} == {"DRAM bandwidth"}


@pytest.mark.parametrize(("section", "phase"), [(0, "prefill"), (1, "decode")])
def test_the_second_table_adds_up_to_latency_and_energy(result, section, phase):
    _, (header, _, *rows) = tables(phases_text(result))[section]
    assert rows[-1][0] == "all"
    for column, name in enumerate(header[1:], 1):
        scheme, unit = name.removesuffix(")").split(" (")
        factor = FACTORS[unit[:-1]]
        values = [float(row[column]) * factor if row[column] else 0.0 for row in rows]
        expected = case(result, phase, scheme)["energy_j" if unit.endswith("J") else "latency_s"]
        assert values[-1] == pytest.approx(expected, rel=THREE_DIGITS)
        assert sum(values[:-1]) == pytest.approx(expected, rel=2 * THREE_DIGITS)
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["static power"][::2] == ["", ""]  # it takes no time of its own


def test_many_schemes_are_shown_in_tables_of_about_equal_width(resolved):
    text = TEXT.replace("[fp16, bitnet-b1.58]", "[fp16, w4a8, w4a16, bitnet, bitnet-b1.58, bitnet-b1.58-kv8]")
    text = text.replace("{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}", "int4-edge")
    _, *components = tables(phases_text(run(resolved(text))))[0]
    assert [len(table[0]) for table in components] == [1 + 2 * 3, 1 + 2 * 3]


def test_without_new_tokens_there_is_no_decode(resolved):
    text = phases_text(run(resolved(TEXT.replace("[20, 7]", "0"))))
    assert text.startswith("## Prefill")
    assert "## Decode" not in text


def test_bare_products_are_counted_by_the_second(resolved):
    text = "name: x\naccounting: system\nmatmuls: [{m: 8, k: 3200, n: 8640}]\nschemes: [int8]\n"
    result = run(resolved(text + "technologies: [45nm]\nplatforms: [tpu32]\n"))
    shown = phases_text(result)
    assert shown.startswith("## Matrix product\n\n8x3200x8640 at 45nm on tpu32. ")
    (header, _, row), _ = tables(shown)[0]
    assert header[1] == "products/s"
    assert float(row[1]) == pytest.approx(1 / result.summary["latency_s"].iloc[0], rel=THREE_DIGITS)


def test_the_table_of_speeds_says_what_bounds_every_case(result):
    lines = time_table(result, 200).splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    assert header[-4:] == ["fp16 (tokens/s)", "bitnet-b1.58 (tokens/s)", "fp16 bound by", "bitnet-b1.58 bound by"]
    assert len(rows) == 2 * 2 * 2
    short = {name: text.split()[0] for name, text in BOUND_NAMES.items()}
    bounds = result.bounds
    for model, phase, new, *_, fp16, ternary in rows:
        for scheme, text in (("fp16", fp16), ("bitnet-b1.58", ternary)):
            at = (bounds["model"] == model) & (bounds["phase"] == phase) & (bounds["new_tokens"] == int(new))
            (row,) = bounds[at & (bounds["scheme"] == scheme)][list(BOUND_COLUMNS)].to_dict("records")
            assert text == short[max(row, key=row.__getitem__)]


@pytest.mark.parametrize(
    ("component", "line"),
    [
        ("q_proj", "q, k, v, o projections"), ("o_proj", "q, k, v, o projections"), ("ffn_up", "FFN"),
        ("attention_scores", "attention and KV cache"), ("kv_cache_read", "attention and KV cache"),
        ("embedding", "embedding and LM head"), ("lm_head", "embedding and LM head"), ("norm", "element-wise"),
        ("softmax", "element-wise"), ("static", "static power"), ("regulator", "loss in regulators"),
        ("spilled_activations", "spilled activations"), ("memory_levels", "memory levels"), ("conv", "convolutions"),
        ("full_precision_conv", "first and last layers"), ("classifier", "first and last layers"), ("mine", "mine"),
    ],
)  # fmt: skip
def test_each_component_belongs_to_a_line_of_the_table(component, line):
    assert group_of(component) == line


def test_the_array_with_most_macs_leads_and_of_the_others_it_is_said_what_they_run():
    rows = [("lm_head", "float", 3.0), ("norm", "", 0.0), ("q_proj", "adders", 20.0), ("ffn_router", "float", 1.0),
            ("k_proj", "adders", 30.0), ("attention_values", "float", 1.0), ("mine", "third", 45.0)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["component", "array", "macs"])
    assert _arrays(table) == "adders 50.0 %, third 45.0 % (mine), float 5.00 % (LM head, router, attention)"


def test_of_many_schemes_each_table_has_the_lines_of_its_own():
    schemes = ["fp16", "w4a8", "w4a16", "bitnet", "bitnet-b1.58", "bitnet-b1.58-kv8"]
    rows = [(scheme, name, 1.0, 2.0) for scheme in schemes for name in ("q_proj", "norm")]
    rows.append((schemes[-1], "conv", 3.0, 0.5))
    table = pd.DataFrame(rows, columns=["scheme", "component", "time_s", "energy_j"])
    first, second = (text.splitlines() for text in _components(SimpleNamespace(schemes=dict.fromkeys(schemes)), table))
    names = [[line.strip("|").split("|")[0].strip() for line in lines[2:]] for lines in (first, second)]
    lines = ["q, k, v, o projections", "element-wise"]
    assert names == [[*lines, "all"], [*lines, "convolutions", "all"]]
    *_, conv, whole = ([cell.strip() for cell in line.strip("|").split("|")] for line in second)
    assert conv == ["convolutions", "", "", "", "", "3.00", "0.500"]
    assert whole == ["all", "2.00", "4.00", "2.00", "4.00", "5.00", "4.50"]
