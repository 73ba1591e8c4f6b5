"""What is shown of training: each cell and each length against tables in which no two values are equal."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from bitjoule.energy_models.training.step import PASSES
from bitjoule.reports.figures.bars import MAX_BARS
from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.style import LIGHT
from bitjoule.reports.training import NAMES, by_pass, draw_lifetime, draw_passes, headline, training_markdown
from tests.reports.shown import THREE_DIGITS, bars_of, header_and_rows, quantity

PLACE = {"experiment": "e", "model": "m", "technology": "7nm", "platform": "p"}
SCHEMES, WAYS = ("fp16", "bitnet"), ("kept", "again")
FIGURES = {
    "energy_per_token_j": 0.011, "energy_per_token_low_j": 0.0081, "energy_per_token_high_j": 0.023,
    "tokens_per_s": 890.0, "power_w": 41.0, "macs_per_token": 7.1e9, "memory_bytes": 1.7e10, "training_tokens": 3e9,
    "training_j": 3.3e7, "inference_per_token_j": 0.0023, "ratio_to_baseline_training": 1.31,
    "ratio_to_baseline_inference": 2.9, "tokens_as_training": 5.3e8, "payback_tokens": 6.1e6,
}  # fmt: skip


def summary():
    keys = [(way, scheme) for scheme in SCHEMES for way in WAYS]
    return pd.DataFrame([
        {**PLACE, "way": way, "scheme": scheme, **{key: value * 1.17**i for key, value in FIGURES.items()}}
        for i, (way, scheme) in enumerate(keys)
    ])  # fmt: skip


def passes():
    return pd.DataFrame([
        {**PLACE, "way": row["way"], "scheme": row["scheme"], "pass": name, "component": part,
         "energy_per_token_j": row["energy_per_token_j"] * (number + 1) / 28 / 2, "macs_per_token": 0.0, "pass_s": 1.0}
        for row in summary().to_dict("records") for number, name in enumerate(PASSES) for part in ("a", "b")
    ])  # fmt: skip


def memory():
    contents = ("weights", "latent_weights", "optimiser_states", "gradients", "activations")
    return pd.DataFrame([
        {**PLACE, "way": row["way"], "scheme": row["scheme"], "content": name,
         "bytes": row["memory_bytes"] * (i + 1) / 15}
        for row in summary().to_dict("records") for i, name in enumerate(contents)
    ])  # fmt: skip


@pytest.fixture(scope="module")
def text():
    return training_markdown("e", "about", "fp16", summary(), passes(), memory(), 100)


def section(text: str, name: str) -> str:
    return text.split(f"## {name}\n\n")[1].split("\n\n## ")[0]


def test_each_cell_of_training_is_its_row(text):
    header, rows = header_and_rows(section(text, "Training"), ["model"])
    for row, shown in zip(summary().to_dict("records"), rows, strict=True):
        cells = dict(zip(header, shown, strict=True))
        assert (cells["way"], cells["scheme"]) == (row["way"], row["scheme"])
        expected = {
            "J per token": row["energy_per_token_j"], "fp16 / this": row["ratio_to_baseline_training"],
            "tokens/s": row["tokens_per_s"], "W": row["power_w"], "GMAC per token": row["macs_per_token"] / 1e9,
            "memory (GB)": row["memory_bytes"] / 1e9,
        }  # fmt: skip
        for name, value in expected.items():
            assert float(cells[name]) == pytest.approx(value, rel=THREE_DIGITS), name
        kwh = next(float(value) for name, value in cells.items() if name.endswith("tokens (kWh)"))
        assert kwh == pytest.approx(row["training_j"] / 3.6e6, rel=THREE_DIGITS)


def test_the_baseline_pays_nothing_back_and_never_is_a_word(text):
    header, rows = header_and_rows(section(text, "Training against inference"), ["model"])
    column = header.index("tokens that pay back training")
    assert [row[column] == "" for row in rows] == [True, True, False, False]
    table = summary()
    table.loc[3, "payback_tokens"] = np.inf
    again = training_markdown("e", "", "fp16", table, passes(), memory(), 100)
    assert header_and_rows(section(again, "Training against inference"), ["model"])[1][3][column] == "never"


def test_shares_of_passes_are_one_to_seven_twenty_eighths(text):
    header, rows = header_and_rows(section(text, "Energy by pass"), ["model"])
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        for number, name in enumerate(PASSES):
            assert float(cells[f"{NAMES[name]} (%)"]) == pytest.approx(100 * (number + 1) / 28, rel=THREE_DIGITS)


def test_contents_of_memory_are_their_rows(text):
    _, rows = header_and_rows(section(text, "Memory"), ["model"])
    for shown, row in zip(rows, summary().to_dict("records"), strict=True):
        values = [float(cell) * 15e9 / row["memory_bytes"] for cell in shown[-5:]]
        assert values == pytest.approx([1, 2, 3, 4, 5], rel=THREE_DIGITS)


def test_every_table_that_is_cut_says_where_all_rows_are():
    said = training_markdown("e", "about", "fp16", summary(), passes(), memory(), 3)
    names = ("Training", "Training against inference", "Energy by pass", "Memory")
    files = ("summary.csv", "summary.csv", "passes.csv", "memory.csv")
    for name, file in zip(names, files, strict=True):
        shown, _, note = section(said, name).strip().rpartition("\n\n")
        assert (len(shown.splitlines()), note) == (2 + 3, f"The first 3 of 4 rows; all are in {file}."), name


def test_the_headline_is_of_the_last_model_in_the_first_way():
    first = summary().to_dict("records")
    line = headline(pd.concat([summary().assign(model="other", energy_per_token_j=9.0), summary()]))
    assert line.startswith("m at 7nm on p: per training token ")
    shown = dict(re.findall(r"(fp16|bitnet) ([\d.]+ m?J)", line))
    for scheme, row in (("fp16", first[0]), ("bitnet", first[2])):
        assert quantity(shown[scheme], "J") == pytest.approx(row["energy_per_token_j"], rel=THREE_DIGITS)


def test_bars_are_as_long_as_the_passes_and_lines_as_high_as_training_and_inference():
    figure = draw_passes("e", summary(), passes(), LIGHT)
    axes = figure.axes[0]
    expected = by_pass(summary(), passes()).to_numpy() * 1e3  # mJ
    widths = np.array([[bar.get_width() for bar in container] for container in axes.containers if len(container) == 4])
    np.testing.assert_allclose(widths[: len(PASSES)], expected.T, rtol=1e-12)
    formats = pd.DataFrame({"kind": ["float", "binary"], "variant": [0, 0]}, index=list(SCHEMES))
    lines = draw_lifetime("e", summary(), formats, LIGHT).axes[0].get_lines()
    for line, row in zip(lines, (summary().iloc[0], summary().iloc[2]), strict=True):
        tokens, joules = line.get_data()
        np.testing.assert_allclose(joules, row["training_j"] + np.asarray(tokens) * row["inference_per_token_j"])


def test_a_bar_of_training_has_its_case_its_joules_and_its_whiskers_and_each_pass_a_hue():
    found = summary().sample(frac=1, random_state=5).reset_index(drop=True)
    (axes,) = draw_passes("mine", found, passes(), LIGHT).axes
    assert axes.get_xlabel() == "energy of a training token (mJ)"
    assert axes.figure.get_suptitle() == "mine: what training takes, by pass"
    names = [label.get_text().split("  ") for label in axes.get_yticklabels()]
    assert names == [[row["model"], row["way"], row["scheme"]] for row in found.to_dict("records")]
    for text, joules in zip(axes.texts, found["energy_per_token_j"], strict=True):
        assert quantity(text.get_text(), "J") == pytest.approx(joules, rel=THREE_DIGITS)
    (whiskers,) = [drawn for drawn in axes.containers if isinstance(drawn, ErrorbarContainer)]
    ends = np.array([segment[:, 0] for segment in whiskers[2][0].get_segments()]) / 1e3
    np.testing.assert_allclose(ends, found[["energy_per_token_low_j", "energy_per_token_high_j"]], rtol=1e-12)
    hues = {stack.get_label(): to_hex(stack[0].get_facecolor()) for stack in bars_of(axes)}
    projections, attention, ffn, _ = LIGHT.families
    assert list(hues) == [NAMES[name] for name in PASSES]
    assert (hues["forward"], hues["optimiser"]) == (to_hex(ffn[1]), to_hex(projections[0]))
    assert (hues["kept activations"], hues["gradients of activations"]) == (
        to_hex(LIGHT.cache[1]),
        to_hex(attention[0]),
    )
    assert len(set(hues.values())) == len(PASSES)


def test_of_many_cases_the_first_have_bars():
    many = pd.concat([summary().assign(model=f"m{i}") for i in range(MAX_BARS)], ignore_index=True)
    of = pd.concat([passes().assign(model=f"m{i}") for i in range(MAX_BARS)], ignore_index=True)
    (axes,) = draw_passes("mine", many, of, LIGHT).axes
    names = [label.get_text().split("  ")[0] for label in axes.get_yticklabels()]
    assert names == many["model"].head(MAX_BARS).tolist()


def test_lines_of_a_lifetime_are_of_the_last_model_in_the_first_way_and_look_as_their_formats():
    """They reach from a hundredth of the first crossing to ten times the last."""
    own = summary()
    others = own.assign(model="other", training_j=1.0, tokens_as_training=1.0)
    elsewhere = own.assign(technology="45nm", training_j=2.0, tokens_as_training=2.0)
    formats = pd.DataFrame({"kind": ["float", "binary", "float"], "variant": [0, 1, 2]}, index=[*SCHEMES, "fp8"])
    figure = draw_lifetime("mine", pd.concat([others, own, elsewhere], ignore_index=True), formats, LIGHT)
    (axes,) = figure.axes
    assert figure.get_suptitle() == "mine: m, 3.00 G tokens of training, then inference"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("generated tokens", "training and inference (J)")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    rows = own[own["way"] == WAYS[0]].to_dict("records")
    lines = axes.get_lines()
    assert [line.get_label() for line in lines] == [row["scheme"] for row in rows] == list(SCHEMES)
    crossings = [row["tokens_as_training"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        tokens, joules = (np.asarray(values) for values in line.get_data())
        assert (tokens[0], tokens[-1]) == pytest.approx((min(crossings) / 100, max(crossings) * 10))
        np.testing.assert_allclose(joules, row["training_j"] + tokens * row["inference_per_token_j"])
        of_format = formats.loc[row["scheme"]]
        expected = look(of_format["kind"], of_format["variant"], LIGHT)
        assert (to_hex(line.get_color()), line.get_marker()) == (to_hex(expected.color), expected.marker)
