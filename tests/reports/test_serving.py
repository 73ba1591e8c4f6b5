"""What is shown of serving: each cell, the headline and the marks against tables in which no two values are equal."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from bitjoule.energy_models.serving.peaks import PEAKS
from bitjoule.reports.figures.style import LIGHT
from bitjoule.reports.serving import draw_gains, headline, serving_markdown
from tests.reports.shown import THREE_DIGITS, header_and_rows, quantity

SCHEMES, WAYS = ("fp16", "bitnet"), ("plain", "drafts", "pages")
# The quantities of a way, each times 1.17 to the power of its row: all values differ by more than three digits hide.
OF_A_WAY = {
    "chips": 2, "energy_per_generated_token_j": 0.011, "energy_per_generated_token_low_j": 0.0081,
    "energy_per_generated_token_high_j": 0.023, "ratio_to_baseline_token": 3.1, "gain_token": 1.3,
    "energy_per_prompt_token_j": 0.0047, "request_j": 0.71, "ratio_to_baseline_request": 2.3, "gain_request": 0.53,
    "first_token_s": 0.057, "per_token_s": 0.0029, "tokens_per_s": 89.0, "cache_allocated_bytes": 6.1e9,
    "cache_wasted_share": 0.11, "chip_bytes": 1.7e10,
}  # fmt: skip
OF_A_RATE = {
    "requests_per_s": 0.31, "highest_requests_per_s": 5.3, "utilisation": 0.13, "mean_batch": 2.9, "power_w": 41.0,
    "energy_per_token_j": 0.019, "first_token_p50_s": 0.37, "first_token_p95_s": 0.59, "first_token_p99_s": 0.83,
    "token_p50_s": 0.0067, "token_p95_s": 0.0073, "token_p99_s": 0.0097, "first_token_within_target": 0.43,
    "token_within_target": 0.29, "percentiles_error": 0.0013, "full_batch_chip_bytes": 1.9e10,
}  # fmt: skip
PLACE = {"model": "m", "technology": "7nm", "platform": "p", "batch": 3, "prompt_tokens": 500, "new_tokens": 70}


def rows(quantities, **more):
    """Return a table with a row for each way and scheme; whole numbers stay so."""
    keys = [(way, scheme) for way in WAYS for scheme in SCHEMES]
    return pd.DataFrame([
        {**PLACE, "way": way, "scheme": scheme, **more,
         **{key: value + i if isinstance(value, int) else value * 1.17**i for key, value in quantities.items()}}
        for i, (way, scheme) in enumerate(keys)
    ])  # fmt: skip


METHOD = "Markov chain"
SUMMARY, STEADY = rows(OF_A_WAY, continuous=False), rows(OF_A_RATE, percentiles_by=METHOD)


def shown_as(expected):
    """Return what a cell with three digits is compared with."""
    return pytest.approx(expected, rel=THREE_DIGITS)


@pytest.mark.parametrize("baseline", ["", "fp16"])
def test_each_cell_of_the_ways_is_its_quantity_in_the_unit_of_the_header(baseline):
    columns = {
        "chips": ("chips", 1), "J per generated token": ("energy_per_generated_token_j", 1),
        "fp16 / this": ("ratio_to_baseline_token", 1), "first way / this": ("gain_token", 1),
        "J per prompt token": ("energy_per_prompt_token_j", 1), "J per request": ("request_j", 1),
        "fp16 / this (request)": ("ratio_to_baseline_request", 1), "first way / this (request)": ("gain_request", 1),
        "first token (s)": ("first_token_s", 1), "per token (ms)": ("per_token_s", 1e3),
        "tokens/s": ("tokens_per_s", 1), "KV cache (GB)": ("cache_allocated_bytes", 1e-9),
        "of it empty (%)": ("cache_wasted_share", 100), "on a chip (GB)": ("chip_bytes", 1e-9),
    }  # fmt: skip
    if not baseline:
        columns = {header: column for header, column in columns.items() if not header.startswith("fp16")}
    text = serving_markdown("name", "what it is", baseline, SUMMARY, STEADY.iloc[:0], 200)
    assert text.startswith("# name\n\nwhat it is\n\n")
    header, cells = header_and_rows(text, ["model", "way", "scheme"])
    assert set(header) == {"model", "way", "scheme", "low to high prices", *columns}
    assert len(header) == len(set(header))
    for shown, row in zip(cells, SUMMARY.to_dict("records"), strict=True):
        texts = dict(zip(header, shown, strict=True))
        assert (texts["model"], texts["way"], texts["scheme"]) == ("m", row["way"], row["scheme"])
        low, high = (float(end) for end in texts["low to high prices"].split(" to "))
        assert low == shown_as(row["energy_per_generated_token_low_j"])
        assert high == shown_as(row["energy_per_generated_token_high_j"])
        for name, (column, factor) in columns.items():
            assert float(texts[name]) == shown_as(row[column] * factor), name
    assert "Continuous" not in text


def test_each_cell_of_the_steady_state_is_its_quantity_in_the_unit_of_the_header():
    expected = [
        ("requests/s", "requests_per_s", 1), ("at most", "highest_requests_per_s", 1),
        ("works (%)", "utilisation", 100), ("batch", "mean_batch", 1), ("W", "power_w", 1),
        ("J per generated token", "energy_per_token_j", 1), ("first token p50 (s)", "first_token_p50_s", 1),
        ("p95", "first_token_p95_s", 1), ("p99", "first_token_p99_s", 1),
        ("between tokens p50 (ms)", "token_p50_s", 1e3), ("p95", "token_p95_s", 1e3), ("p99", "token_p99_s", 1e3),
        ("first tokens in time (%)", "first_token_within_target", 100),
        ("tokens in time (%)", "token_within_target", 100), ("percentiles by", "percentiles_by", None),
        ("full batch, on a chip (GB)", "full_batch_chip_bytes", 1e-9),
    ]  # fmt: skip
    text = serving_markdown("name", "", "", SUMMARY, STEADY, 4)
    header, cells = header_and_rows(text.partition("## Continuous batching")[2], ["model", "way", "scheme"])
    assert header == ["model", "way", "scheme", *(name for name, _, _ in expected)]
    for shown, row in zip(cells, STEADY.head(4).to_dict("records"), strict=True):
        assert shown[:3] == ["m", row["way"], row["scheme"]]
        for text_of_cell, (name, column, factor) in zip(shown[3:], expected, strict=True):
            value = row[column]
            assert text_of_cell == value if factor is None else float(text_of_cell) == shown_as(value * factor), name
    error = re.search(r"Percentiles by a simulation have a standard error of up to ([\d.]+) %", text)
    assert float(error[1]) == shown_as(100 * STEADY["percentiles_error"].max())
    assert "standard error" not in serving_markdown("", "", "", SUMMARY, STEADY.assign(percentiles_error=np.nan), 4)
    assert "The first 4 of 6 rows; all are in steady.csv." in text
    assert "The first 4 of 6 rows; all are in summary.csv." in text


def test_each_cell_of_the_utilisation_is_its_share_and_unused_peaks_have_no_column():
    shares = {f"{name}_utilisation": 0.011 * (i + 1) for i, name in enumerate(PEAKS)}
    bounds = [["compute", "buffer", "off_chip", "latency", "link", "host_link"][i % 6] for i in range(6)]
    table = rows(shares).assign(phase="decode", chips=4, bound_by=bounds, unpacking_utilisation=0.0)
    text = serving_markdown("name", "", "", SUMMARY, STEADY.iloc[:0], 5, utilisation=table)
    header, cells = header_and_rows(text.partition("## Utilisation")[2], ["model", "way", "scheme", "phase"])
    seen = [name for name in PEAKS if name != "unpacking"]
    expected = ["model", "way", "scheme", "phase", "chips", "bound by"]
    assert header == [*expected, *(f"{name.replace('_', ' ')} (%)" for name in seen)]
    names = ("compute", "buffer bandwidth", "DRAM bandwidth", "latency", "links between chips", "links to a host")
    for shown, row, bound in zip(cells, table.head(5).to_dict("records"), names[:5], strict=True):
        assert shown[:6] == ["m", row["way"], row["scheme"], "decode", "4", bound]
        for cell, name in zip(shown[6:], seen, strict=True):
            assert float(cell) == shown_as(100 * row[f"{name}_utilisation"]), name
    assert "The first 5 of 6 rows; all are in utilisation.csv." in text
    assert "## Utilisation" not in serving_markdown("name", "", "", SUMMARY, STEADY, 5)


@pytest.mark.parametrize(("target", "other"), [("first_token", "token"), ("token", "first_token")])
def test_a_target_that_no_way_has_has_no_column(target, other):
    steady = STEADY.assign(**{f"{other}_within_target": float("nan")})
    header, cells = header_and_rows(
        serving_markdown("name", "", "", SUMMARY, steady, 9).partition("## Continuous")[2], ["model", "way", "scheme"]
    )
    assert header[-3] == f"{target.replace('_', ' ')}s in time (%)"
    assert sum("in time" in name for name in header) == 1
    assert float(cells[2][-3]) == shown_as(100 * steady[f"{target}_within_target"].iloc[2])


def test_the_headline_compares_the_best_way_of_the_last_model_with_the_first():
    """Of bitnet the third way takes least; of fp16 the first, which saves nothing."""
    other = SUMMARY.assign(model="other", energy_per_generated_token_j=1e-9)
    summary = SUMMARY.copy()
    best = (summary["way"] == "pages") & (summary["scheme"] == "bitnet")
    summary.loc[best, ["energy_per_generated_token_j", "gain_token"]] = 0.004, 4.31
    text = headline(pd.concat([other, summary], ignore_index=True))
    found = re.fullmatch(r"m at 7nm: per generated token fp16 (.+), bitnet (.+) \((.+) times less with pages\)", text)
    plain = summary[summary["way"] == "plain"].set_index("scheme")["energy_per_generated_token_j"]
    assert [quantity(found[i], "J") for i in (1, 2)] == shown_as([plain["fp16"], plain["bitnet"]])
    assert float(found[3]) == 4.31


def test_the_picture_has_a_mark_for_each_way_and_scheme_at_its_gain():
    formats = pd.DataFrame({"kind": ["float", "ternary"], "variant": [0, 0]}, index=list(SCHEMES))
    waiting = SUMMARY.assign(continuous=True, gain_request=99.0)
    other = SUMMARY.assign(prompt_tokens=1, gain_request=77.0)
    figure = draw_gains("mine", pd.concat([other, SUMMARY, waiting], ignore_index=True), formats, LIGHT)
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(WAYS)
    lines = {line.get_label(): line for line in axes.lines if line.get_label() in SCHEMES}
    for scheme in SCHEMES:
        own = SUMMARY[SUMMARY["scheme"] == scheme]
        assert list(lines[scheme].get_xdata()) == pytest.approx(list(own["gain_request"]))
        assert [round(float(y)) for y in lines[scheme].get_ydata()] == [WAYS.index(way) for way in own["way"]]
    left, right = axes.get_xlim()
    assert left < min(SUMMARY["gain_request"])
    assert right > max(SUMMARY["gain_request"])
    bottom, top = axes.get_ylim()
    assert bottom > top  # the first way is above
    assert axes.get_xlabel() == "energy of the requests: plain / this way"
    assert figure.get_suptitle() == "mine: m, 500 prompt tokens, 70 new tokens, batch 3"
    plt.close(figure)


@pytest.mark.parametrize("gains", [(0.95, 1.07), (0.1, 1.0), (0.5, 1.8)])
def test_the_axis_of_gains_has_a_tick_at_one(gains):
    formats = pd.DataFrame({"kind": ["float", "ternary"], "variant": [0, 0]}, index=list(SCHEMES))
    worth = [gains[i % 2] for i in range(len(SUMMARY))]
    figure = draw_gains("mine", SUMMARY.assign(gain_request=worth), formats, LIGHT)
    figure.canvas.draw()
    (axes,) = figure.axes
    ticks = [text.get_text() for text in axes.get_xticklabels() if text.get_text()]
    assert "1×" in ticks
    assert len(ticks) == len(set(ticks)) >= 2
    plt.close(figure)
