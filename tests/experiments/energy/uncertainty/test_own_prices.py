"""The prices of the user's own technologies, in tables and summaries."""

import math

import pytest
import yaml

from bitjoule.energy_models.prices.derived import data_of
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.uncertainty.own_prices import unpaid_memories
from bitjoule.reports.energy.own_prices import own_prices_text
from bitjoule.reports.energy.summary import summary_markdown

TABLE = """\
operation,format,energy_pj,low,high,source,capacity_bytes,access_bits
add,int8,0.005,0.004,0.007,a slide,,
add,int32,0.02,,,a slide,,
add,fp16,0.1,,,a talk,,
mul,fp16,0.2,,,a talk,,
add,fp32,0.3,,,a | b,,
mul,fp32,0.9,,,never paid,,
sram,,6.4,,,one compiler,65536,64
sram,,25.6,,,other compiler,262144,64
dram,,64,,,a data sheet,,8
"""
SYSTEM = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [bitnet-b1.58]
technologies: [7nm, my7nm.csv]
platforms: [ternary-edge]
"""


def test_each_price_that_a_case_can_pay_is_there_with_its_source(resolved, tmp_path):
    (tmp_path / "my7nm.csv").write_text(TABLE)
    result = run(resolved(SYSTEM))
    table = result.own_prices.set_index("price")
    assert set(table["technology"]) == {"my7nm"}
    expected = {
        "add int8": (0.005, 0.004, 0.007, "operation", "a slide", "line 2"),
        "mul fp16": (0.2, 0.2, 0.2, "operation", "a talk", "line 5"),
        "add fp32": (0.3, 0.3, 0.3, "operation", "a | b", "line 6"),
        "sram, banks of 131072 bytes": (0.2, 0.2, 0.2, "bit", "one compiler; other compiler", "line 8; line 9"),
        "dram": (8, 8, 8, "bit", "a data sheet", "line 10"),
    }
    for price, (nominal, low, high, *texts) in expected.items():
        row = table.loc[price]
        assert [row["energy_pj"], row["energy_low_pj"], row["energy_high_pj"]] == pytest.approx([nominal, low, high])
        assert [row["unit"], row["source"], row["where"]] == texts
    assert "mul fp32" not in table.index
    paid = result.results.set_index("technology").loc["my7nm"]
    assert {f"technologies/my7nm.yaml:{key}" for key in ("add:int8", "sram:131072", "dram")} <= set(paid["price"])


def test_the_summary_has_a_column_of_sources(resolved, tmp_path):
    (tmp_path / "my7nm.csv").write_text(TABLE)
    result = run(resolved(SYSTEM))
    text = summary_markdown(result.frames)
    assert own_prices_text(result.frames, 100) in text
    lines = text.splitlines()
    section = lines[lines.index("## Prices of my7nm") :]
    rows = {line.split("|")[1].strip(): line for line in section if line[:1] == "|"}
    assert [cell.strip() for cell in rows["price"].strip("|").split("|")][-1] == "source"
    assert "| a slide, line 2 " in rows["add int8"]
    assert r"a \| b, line 6" in rows["add fp32"]


def test_what_no_row_gives_is_derived_and_a_netlists_macs_are_named_with_their_array(resolved, tmp_path):
    data = data_of(technologies()["7nm-measured"])
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(data))
    text = SYSTEM.replace("[7nm, my7nm.csv]", "[mine.yaml]").replace("[bitnet-b1.58]", "[bitnet-b1.58-5in8, fp16]")
    table = run(resolved(text)).own_prices.set_index("price")
    mac = technologies()["7nm-measured"].mac("ternary", "int8", None)
    row = table.loc[f"{mac.name} in 64 x 16"]
    assert row["energy_pj"] == pytest.approx(mac.price(64, 16, technologies()["7nm-measured"].zero_share).nominal_pj)
    assert (row["unit"], row["source"]) == ("MAC", "synthesised, switching simulated")
    assert table.loc[f"{mac.name}, weight loaded", "energy_pj"] == mac.load_pj.nominal


def test_a_price_between_two_rows_says_so(resolved, tmp_path):
    """INT4 lies on the line through INT8 and INT32, over the width: half the width, half the bits of INT8's price."""
    (tmp_path / "my7nm.csv").write_text(TABLE)
    text = "name: x\naccounting: mac\nmatmuls: [{m: 1, k: 1, n: 1}]\ntechnologies: [my7nm.csv]\n"
    scheme = "{name: s, weights: ternary, activations: int4, attention: fp16, rescale: fp16}"
    table = run(resolved(f"{text}schemes: [{scheme}]\n")).own_prices.set_index("price")
    exponent = math.log(0.02 / 0.005, 32 / 8)
    assert table.loc["add int4", "energy_pj"] == pytest.approx(0.005 * (4 / 8) ** exponent)
    assert table.loc["add int4", "source"] == "derived from prices of other formats"


def test_built_in_technologies_have_none(resolved):
    result = run(resolved(SYSTEM.replace(", my7nm.csv", ", 7nm-measured, 7nm-measured-arrays")))
    assert result.own_prices.empty
    assert own_prices_text(result.frames, 100) == ""


BY_PARTS = "{name: parts, like: ternary-edge-lpddr5}"
AMOUNT = "{name: amount, like: ternary-edge, off_chip: {memory: null, read_pj_per_bit: 4, write_pj_per_bit: 4}}"


@pytest.mark.parametrize(
    ("row", "platforms", "warnings"),
    [
        ("dram,", "ternary-edge, fp16-edge", []),
        (
            "dram,", f"ternary-edge, {BY_PARTS}",
            ["technology my7nm: its price of dram is not that of parts (lpddr5-6400); ternary-edge pays it"],
        ),
        (
            "dram,", f"ternary-edge, fp16-edge, {AMOUNT}",
            [
                "technology my7nm: its price of dram is not that of amount (an amount of its own); "
                "ternary-edge, fp16-edge pay it"
            ],
        ),
        ("dram,lpddr4", "ternary-edge", []),
        ("dram,hbm2", "ternary-edge", ["technology my7nm: its price of dram is not that of ternary-edge (lpddr4)"]),
    ],
)  # fmt: skip
def test_who_does_not_pay_an_own_price_of_the_memory_is_a_warning(resolved, tmp_path, row, platforms, warnings):
    (tmp_path / "my7nm.csv").write_text(TABLE.replace("dram,", row))
    text = SYSTEM.replace("[ternary-edge]", f"[{platforms}]").replace("[bitnet-b1.58]", "[fp16]")
    experiment = resolved(text)
    assert [*unpaid_memories(experiment.platforms, experiment.technologies)] == warnings


def test_what_has_no_price_of_the_memory_has_no_warning(resolved, tmp_path):
    (tmp_path / "my7nm.csv").write_text("".join(TABLE.splitlines(keepends=True)[:-1]))
    experiment = resolved(SYSTEM.replace("[ternary-edge]", f"[{BY_PARTS}]"))
    assert [*unpaid_memories(experiment.platforms, experiment.technologies)] == []


def test_a_run_warns_of_a_memory_that_is_priced_otherwise(bitjoule, tmp_path):
    (tmp_path / "my7nm.csv").write_text(TABLE)
    (tmp_path / "x.yaml").write_text(SYSTEM.replace("[ternary-edge]", f"[{BY_PARTS}]"))
    status, _, err = bitjoule("run", tmp_path / "x.yaml", "--no-plots", "--out", tmp_path / "out")
    assert status == 0
    assert "technology my7nm: its price of dram is not that of parts (lpddr5-6400)" in err
    summary = (tmp_path / "out" / "x" / "summary.md").read_text(encoding="utf-8")
    assert "technology my7nm: its price of dram is not that of parts (lpddr5-6400)" in summary


@pytest.mark.parametrize(
    ("named", "without", "clause"),
    [
        ("[7nm, my7nm.csv]", ("7nm",), "; those of the operations at 7nm have none, as all copy one source."),
        ("[45nm, 7nm]", ("45nm", "7nm"), "; those of the operations' tables have none, as all copy one source."),
        ("[45nm, my7nm.csv, 7nm]", ("45nm", "7nm"), "; those of the operations at 45nm and 7nm have none, as all"),
        ("[my7nm.csv]", (), " has a price with a band."),
    ],
)
def test_operations_without_bands_are_those_of_the_built_in_table(resolved, tmp_path, named, without, clause):
    (tmp_path / "my7nm.csv").write_text(TABLE)
    text = SYSTEM.replace("[7nm, my7nm.csv]", named).replace("[bitnet-b1.58]", "[fp16, bitnet-b1.58]")
    frames = run(resolved(f"{text}baseline: {{scheme: fp16}}\n")).frames
    assert frames.without_bands == without
    said = summary_markdown(frames).partition("## Sensitivity to price uncertainty\n\n")[2]
    assert clause in said.partition("\n\n")[0]
