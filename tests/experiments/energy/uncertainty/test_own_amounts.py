"""The amounts of the user's own platforms, in tables and summaries."""

import pytest

from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.uncertainty.own_amounts import unit_of
from bitjoule.reports.energy.own_amounts import own_amounts_text
from bitjoule.reports.energy.summary import summary_markdown

TEXT = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [bitnet-b1.58]
technologies: [7nm]
platforms: [PLATFORMS]
"""
MINE = """\
like: ternary-edge
arrays: {adders: {lanes: 128}}
buffers: {weights: {size_bytes: 1048576, banks: 8}}
off_chip: {bandwidth_gb_per_s: 25.6}
nodes: {7nm: {clock_mhz: 700}, 45nm: {clock_mhz: 400}}
static: {host: {low: 0.1, nominal: 0.2, high: 0.3}}
sources:
  static.host: a data sheet | page 4
  buffers.weights.size_bytes: our floor plan
  off_chip: another sheet
"""


@pytest.fixture
def amounts(resolved, tmp_path):
    """Return a function that runs the platforms of a text and gives their amounts by platform and key."""

    def of(entries, *overrides):
        (tmp_path / "mine.yaml").write_text(MINE)
        return run(resolved(TEXT.replace("PLATFORMS", entries), *overrides)).own_amounts.set_index(["platform", "key"])

    return of


def test_each_amount_has_value_band_unit_and_source(amounts):
    table = amounts("ternary-edge, mine.yaml").loc["mine"]
    base = platforms()["ternary-edge"].sources
    expected = {
        "arrays.adders.lanes": (128, 128, 128, "", "none given"),
        "arrays.adders.columns": (16, 16, 16, "", base["arrays.adders.columns"]),
        "arrays.adders.weight_registers.write_pj_per_bit": (
            0.0013, 0.00065, 0.0039, "pJ/bit", base["arrays.adders.weight_registers.write_pj_per_bit"],
        ),
        "arrays.adders.weight_registers.load_bits_per_cycle": (
            512, 512, 512, "bit/cycle", base["arrays.adders.weight_registers.load_bits_per_cycle"],
        ),
        "arrays.float.accumulators.depth": (64, 64, 64, "", base["arrays.float"]),
        "vector.lanes": (16, 16, 16, "", "assumption"),
        "buffers.weights.size_bytes": (1048576, 1048576, 1048576, "bytes", "our floor plan"),
        "buffers.weights.banks": (8, 8, 8, "", "none given"),
        "buffers.activations.banks": (4, 4, 4, "", base["buffers"]),
        "off_chip.bandwidth_gb_per_s": (25.6, 25.6, 25.6, "GB/s", "another sheet"),  # not the base's narrower one
        "nodes.7nm.clock_mhz": (700, 700, 700, "MHz", "none given"),
        "static.host": (0.2, 0.1, 0.3, "W", "a data sheet | page 4"),
        "static.dram": (0.035, 0.033, 0.037, "W", base["static.dram"]),
    }  # fmt: skip
    for key, row in expected.items():
        assert tuple(table.loc[key, ["value", "low", "high", "unit", "source"]]) == row, key
    assert not any(key.startswith("nodes.45nm") for key in table.index)


def test_a_source_of_a_mapping_is_not_that_of_what_is_inherited_beside(amounts):
    inline = "{name: inline, like: ternary-edge, buffers: {activations: {banks: 8}}, sources: {SOURCES}}"
    base = platforms()["ternary-edge"].sources["buffers"]
    for sources, expected in (
        ("buffers.activations: a plan", {"banks": "a plan", "width_bits": base, "size_bytes": base}),
        ("buffers: a plan", {"banks": "a plan", "width_bits": base}),
        ("buffers.activations: a plan, buffers.activations.width_bits: b", {"banks": "a plan", "width_bits": "b"}),
        ("buffers.weights: a plan", {"banks": "none given", "width_bits": base}),
    ):
        table = amounts(inline.replace("SOURCES", sources)).loc["inline"]
        found = {key: table.loc[f"buffers.activations.{key}", "source"] for key in expected}
        assert found == expected, sources
        weights = "a plan" if sources.startswith("buffers.weights") else base
        assert table.loc["buffers.weights.width_bits", "source"] == weights  # nothing else below it is written


def test_what_a_built_in_platform_has_from_the_same_source_is_of_that(amounts):
    table = amounts("mine.yaml").loc["mine"]
    own = {
        "arrays.adders.lanes", "buffers.weights.size_bytes", "buffers.weights.banks", "off_chip.bandwidth_gb_per_s",
        "nodes.7nm.clock_mhz", "static.host",
    }  # fmt: skip
    assert set(table.index[table["base"] == ""]) == own
    assert set(table["base"]) == {"", "ternary-edge"}
    assert set(amounts("{name: same, like: fp16-edge, description: renamed}")["base"]) == {"fp16-edge"}


def test_built_in_platforms_have_none(amounts):
    assert amounts("ternary-edge").empty


def test_inline_platforms_and_overrides_have_theirs(amounts):
    inline = "{name: inline, like: mine.yaml, vector: {lanes: 32}}"
    table = amounts(inline, "platforms.0.buffers.weights.size_bytes=65536").loc["inline"]
    assert tuple(table.loc["vector.lanes", ["value", "source"]]) == (32, "none given")
    assert tuple(table.loc["buffers.weights.size_bytes", ["value", "source"]]) == (65536, "none given")
    assert table.loc["static.host", "source"] == "a data sheet | page 4"


def test_a_value_that_is_merged_over_keeps_no_source_of_the_old_one(amounts):
    whole = platforms()["ternary-edge"].model_dump(mode="json", exclude_none=True)
    entries = f"&base {{name: base, vector: &v {{lanes: 16}}, {str(_without(whole, 'vector'))[1:-1]}}}"
    entries += ", {<<: *base, name: wider, vector: {<<: *v, lanes: 64}}"
    table = amounts(entries.replace("True", "true").replace("False", "false").replace("None", "null"))
    assert table.loc[("base", "vector.lanes"), "source"] == "assumption"
    assert tuple(table.loc[("wider", "vector.lanes"), ["value", "source"]]) == (64, "none given")


def test_the_summary_has_a_table_of_them(resolved, tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    result = run(resolved(TEXT.replace("PLATFORMS", "mine.yaml")))
    text = summary_markdown(result.frames)
    assert own_amounts_text(result.frames, 100) in text
    lines = text.splitlines()
    section = lines[lines.index("## Amounts of mine") :]
    rows = {line.split("|")[1].strip(): line for line in section if line[:1] == "|"}
    shown = (rows["key"], rows["buffers.weights.size_bytes"])
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in shown]
    assert cells == [
        ["key", "value", "low", "high", "unit", "source"],
        ["buffers.weights.size_bytes", "1048576", "", "", "bytes", "our floor plan"],
    ]
    assert r"a data sheet \| page 4" in rows["static.host"]
    assert "vector.lanes" not in rows
    inherited = (result.frames.own_amounts["base"] == "ternary-edge").sum()
    assert f"states itself; its other {inherited} amounts are those of ternary-edge." in text
    assert [cell.strip() for cell in rows["static.host"].split("|")[2:6]] == ["0.2", "0.1", "0.3", "W"]


def test_a_platform_that_states_nothing_has_no_table(resolved):
    inline = "{name: same, like: ternary-edge, description: renamed}"
    frames = run(resolved(TEXT.replace("PLATFORMS", inline))).frames
    count = len(frames.own_amounts)
    assert own_amounts_text(frames, 100) == f"## Amounts of same\n\nIts {count} amounts are those of ternary-edge."


def test_what_runs_again_from_experiment_yaml_has_the_same_amounts(bitjoule, tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    (tmp_path / "x.yaml").write_text(TEXT.replace("PLATFORMS", "mine.yaml"))
    sections = []
    for file, out in (("x.yaml", "one"), ("one/x/experiment.yaml", "two")):
        assert bitjoule("run", tmp_path / file, "--no-plots", "--out", tmp_path / out)[0] == 0
        text = (tmp_path / out / "x" / "summary.md").read_text()
        sections.append(text[text.index("## Amounts of mine") :].partition("\n\n## ")[0])
    assert sections[0] == sections[1]


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("arrays.a.lanes", ""), ("arrays.a.macs[0].energy_pj", "pJ"), ("buffers.b.width_bits", "bit"),
        ("nodes.7nm.wire_pj_per_bit_mm", "pJ/bit/mm"), ("nodes.7nm.leakage_w", "W"), ("buffers.b.wire_mm", "mm"),
        ("arrays.a.pipeline_cycles", "cycles"), ("static.dram.busy", "W"), ("regulator.efficiency", ""),
        ("off_chip.capacity_bytes", "bytes"), ("off_chip.read_pj_per_bit", "pJ/bit"),
    ],
)  # fmt: skip
def test_the_unit_is_that_of_the_keys_end(key, unit):
    assert unit_of(key) == unit


def _without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}
