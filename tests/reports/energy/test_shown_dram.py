"""The parts of DRAM devices in summaries and pictures, read back."""

import pytest
from matplotlib.colors import to_hex

from bitjoule import run_experiment
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.energy.plots.components import DRAM_ORDER
from bitjoule.reports.energy.summary import summary_markdown
from bitjoule.reports.figures.style import DARK, LIGHT
from tests.reports.pages import assert_clean
from tests.reports.shown import THREE_DIGITS, table

SHOWN = {
    "read_j": "read", "write_j": "write", "activate_j": "opened rows", "io_j": "data pins",
    "phy_j": "controller and PHY", "waiting_j": "standby and refresh",
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": ["bitnet-b1.58-700m"],
            "schemes": ["bitnet-b1.58"],
            "technologies": ["7nm"],
            "platforms": ["ternary-edge", "ternary-edge-ddr4", "ternary-edge-lpddr4x"],
            "workload": {"prompt_tokens": 64, "new_tokens": 16},
            "plots": [{"kind": "components", "by": "action", "share": False, "phase": "decode"}],
        }
    )


def test_the_summary_shows_each_part_and_their_sum(found):
    text = summary_markdown(found.frames)
    assert "## Off-chip memory by part" in text
    rows = table(text.partition("## Off-chip memory by part")[2], ["platform", "scheme", "phase"])
    expected = found.dram[found.dram["phase"] != "request"].to_dict("records")
    assert len(rows) == len(expected) == 4
    unit = next(name for name in rows[0] if name.startswith("all ("))[5:-2]
    factor = {"": 1, "m": 1e3}[unit]
    for row, numbers in zip(rows, expected, strict=True):
        assert [row[key] for key in ("platform", "phase", "device")] == [
            numbers[key] for key in ("platform", "phase", "device")
        ]
        for key, name in SHOWN.items():
            assert float(row[f"{name} ({unit}J)"]) == pytest.approx(numbers[key] * factor, rel=THREE_DIGITS)
        whole = sum(numbers[key] for key in SHOWN)
        assert float(row[f"all ({unit}J)"]) == pytest.approx(whole * factor, rel=THREE_DIGITS)


def test_without_a_device_the_summary_has_no_such_table():
    result = run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": ["bitnet-b1.58-700m"],
            "schemes": ["bitnet-b1.58"],
            "technologies": ["7nm"],
            "platforms": ["ternary-edge"],
            "workload": {"prompt_tokens": 4},
        }
    )
    assert "by part" not in summary_markdown(result.frames)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_bars_by_action_have_a_stretch_for_each_part_and_standby_apart_from_static(found, theme):
    figure = draw(found.requested[0], found.frames, theme)
    assert_clean(figure)
    (axes,) = figure.axes
    widths = {}
    hues = set()
    for container in axes.containers:
        name = container.get_label()
        if name in (*DRAM_ORDER, "static", "off-chip memory"):
            widths[name] = [bar.get_width() for bar in container]
            hues.add(to_hex(container[0].get_facecolor()))
    assert len(hues) == len(widths) == len(DRAM_ORDER) + 2
    decode = found.dram[found.dram["phase"] == "decode"]
    scale = {"energy (mJ)": 1e3, "energy (J)": 1}[axes.get_xlabel()]
    names = dict(zip(("activate_j", "io_j", "phy_j", "waiting_j"), DRAM_ORDER, strict=True))
    for key, name in names.items():
        assert sorted(widths[name]) == pytest.approx(sorted([0.0, *decode[key] * scale]))
    assert sorted(widths["off-chip memory"])[:1] == pytest.approx([min(decode["read_j"] + decode["write_j"]) * scale])
    static = found.results[(found.results["component"] == "static") & (found.results["phase"] == "decode")]
    rest = static[~((static["operand"] == "dram") & (static["platform"] != "ternary-edge"))]
    joules = rest.groupby("platform", observed=True)["energy_pj"].sum() / 1e12
    assert sorted(widths["static"]) == pytest.approx(sorted(joules * scale))
