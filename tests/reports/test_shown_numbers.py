"""Numbers that are shown, in texts, labels and bars: read back and counted anew from the tables of the run."""

import re

import numpy as np
import pytest

from bitjoule import run_experiment
from bitjoule.energy_models.papers.scaling import laws
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.energy.summary import summary_markdown
from bitjoule.reports.figures.style import THEMES
from bitjoule.reports.hardware import hardware_markdown
from tests.reports.shown import (
    THREE_DIGITS,
    TWO_DIGITS,
    bars_of,
    points_of,
    quantity,
    table,
    ticks_are_their_values,
    unit_in,
)  # fmt: skip

PLOTS = {
    "memory": {"kind": "memory"},
    "joules": {"kind": "components", "share": False, "phase": "decode"},
    "shares": {"kind": "components", "share": True},
    "actions": {"kind": "components", "by": "action", "share": False},
    "ratio": {"kind": "ratio_vs_size"},
    "energy": {"kind": "energy_vs_size", "per_token": False},
    "per token": {"kind": "energy_vs_size", "per_token": True, "phase": "prefill"},
    "latency": {"kind": "sweep", "over": "prompt_tokens", "quantity": "latency_s"},
    "held": {"kind": "sweep", "over": "batch", "quantity": "memory_bytes"},
    "roofline": {"kind": "roofline"},
}


def system(schemes):
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": ["bitnet-b1.58-700m", "bitnet-b1.58-1.3b", "bitnet-b1.58-3b"],
            "schemes": schemes,
            "technologies": ["7nm"],
            "platforms": [{"name": "hbm", "by_scheme": {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}}],
            "workload": {"prompt_tokens": [300, 40], "new_tokens": 20, "batch": [3, 1]},
            "baseline": {"scheme": schemes[0]},
            "plots": list(PLOTS.values()),
        }
    )


def of_laws(schemes):
    return run_experiment(
        {
            "name": "x",
            "models": ["bitnet-125m", "bitnet-1.3b", "bitnet-6.7b", "bitnet-30b"],
            "schemes": schemes,
            "technologies": ["7nm"],
            "workload": {"prompt_tokens": 512, "new_tokens": 4},
            "baseline": {"scheme": schemes[0]},
            "plots": [{"kind": "loss_vs_energy"}],
        }
    )


@pytest.fixture(scope="module", params=[("fp16", "bitnet-b1.58"), ("bitnet-b1.58", "fp16")], ids=["less", "more"])
def found(request):
    """Return a run whose second scheme takes less than the first, and one where it takes more."""
    return system(list(request.param))


def figure_of(found, name):
    return draw(found.requested[list(PLOTS).index(name)], found, THEMES[0])


def first_workload(rows):
    return rows[(rows["prompt_tokens"] == 300) & (rows["batch"] == 3)]


def case(rows, phase, model, scheme):
    (row,) = rows[(rows["phase"] == phase) & (rows["model"] == model) & (rows["scheme"] == scheme)].to_dict("records")
    return row


@pytest.mark.parametrize(("first", "second"), [("fp16", "bitnet"), ("bitnet", "fp16")])
def test_joules_at_equal_loss_are_written_as_times_less_or_more_than_the_baseline(first, second):
    """Wang et al.'s laws are a * size ** b + c; between two models the energy is log-linear in the loss."""
    found = of_laws([first, second])
    rows = found.summary[found.summary["phase"] == "request"].sort_values("parameters")
    laws_of = {"fp16": laws()["fp16"], "bitnet": laws()["binary"]}

    def curve(scheme):
        own, law = rows[rows["scheme"] == scheme], laws_of[scheme]
        return law.a * (own["parameters"].to_numpy() / 1e9) ** law.b + law.c, own["energy_per_token_j"].to_numpy()

    def joules(scheme, level):
        loss, energy_j = curve(scheme)
        return float(np.exp(np.interp(-level, -loss, np.log(energy_j))))

    (axes,) = draw(found.requested[0], found, THEMES[0]).axes
    joined = [line for line in axes.lines if len(line.get_xdata()) == 4 and line.get_linestyle() != "None"]
    for line, scheme in zip(joined, (first, second), strict=True):
        loss, energy_j = curve(scheme)
        np.testing.assert_allclose(line.get_xydata(), np.stack([energy_j, loss], axis=1))
    texts = [re.fullmatch(r"([\d.]+)× (less|more) at loss ([\d.]+)", text.get_text()) for text in axes.texts]
    assert texts
    assert {text.get_color() for text in axes.texts} == {joined[1].get_color()} != {joined[0].get_color()}
    level_lines = {line.get_ydata()[0]: line.get_xdata() for line in axes.lines if len(set(line.get_ydata())) == 1}
    for text in texts:
        level = float(text[3])
        less = joules(first, level) / joules(second, level)
        assert text[2] == ("less" if less > 1 else "more")
        assert float(text[1]) == pytest.approx(max(less, 1 / less), rel=TWO_DIGITS)
        assert list(level_lines[level]) == pytest.approx([joules(first, level), joules(second, level)])


def test_a_bar_of_memory_says_its_bytes_and_how_many_times_less_or_more_than_the_first_scheme(found):
    first, second = found.schemes
    rows = first_workload(found.memory).set_index(["model", "scheme"])
    (axes,) = figure_of(found, "memory").axes
    names = [label.get_text().split("  ") for label in axes.get_yticklabels()]
    assert [text.get_text() for text in axes.texts]
    for (model, scheme), text in zip(names, axes.texts, strict=True):
        held, *beside = text.get_text().split(", ")
        own = rows.loc[(model, scheme), "memory_bytes"]
        assert quantity(held, "B") == pytest.approx(own, rel=THREE_DIGITS)
        assert bool(beside) == (scheme == second)
        if beside:
            amount, word = re.fullmatch(r"([\d.]+)× (less|more)", beside[0]).groups()
            less = rows.loc[(model, first), "memory_bytes"] / own
            assert word == ("less" if less > 1 else "more")
            assert float(amount) == pytest.approx(max(less, 1 / less), rel=TWO_DIGITS)
    shown = {
        "weights": "weights_bytes",
        "embedding and LM head": "tables_bytes",
        "KV cache": "kv_cache_bytes",
        "activations": "activations_bytes",
    }
    factor = unit_in(axes.get_xlabel(), "B")
    assert [bars.get_label() for bars in axes.containers] == list(shown)
    for bars in axes.containers:
        widths = [bar.get_width() * factor for bar in bars]
        assert widths == pytest.approx([rows.loc[(m, s), shown[bars.get_label()]] for m, s in names])


@pytest.mark.parametrize(("what", "phase"), [("joules", "decode"), ("actions", None), ("shares", None)])
def test_bars_of_energy_say_their_joules_and_their_axis_its_unit(found, what, phase):
    rows = first_workload(found.summary)
    (axes,) = figure_of(found, what).axes
    names = [label.get_text().split("  ") for label in axes.get_yticklabels()]
    ends = [bar.get_x() + bar.get_width() for bar in bars_of(axes)[-1]]
    for (model, scheme), text, end in zip(names, axes.texts, ends, strict=True):
        joules = case(rows, phase or "request", model, scheme)["energy_j"]
        assert quantity(text.get_text(), "J") == pytest.approx(joules, rel=THREE_DIGITS)
        if what == "shares":
            assert "%" in axes.get_xlabel()
            assert end == pytest.approx(100)
        else:
            assert end * unit_in(axes.get_xlabel(), "J") == pytest.approx(joules)


@pytest.mark.parametrize(
    ("what", "phase", "over", "column", "unit"),
    [
        ("energy", "request", "parameters", "energy_j", "J"),
        ("per token", "prefill", "parameters", "energy_per_token_j", "J"),
        ("latency", "request", "prompt_tokens", "latency_s", "s"),
        ("held", "request", "batch", "memory_bytes", "B"),
    ],
)
def test_lines_are_the_summary_and_ticks_are_at_the_values_they_name(found, what, phase, over, column, unit):
    rows = found.summary[found.summary["phase"] == phase]
    rows = rows if over == "prompt_tokens" else rows[rows["prompt_tokens"] == 300]
    rows = rows if over == "batch" else rows[rows["batch"] == 3]
    figure = figure_of(found, what)
    (axes,) = figure.axes
    assert sorted(points_of(axes)) == sorted(map(tuple, rows[[over, column]].to_numpy(float)))
    figure.draw_without_rendering()
    ticks_are_their_values(axes.yaxis, unit)


def test_ratios_over_size_are_the_baselines_energy_over_this_one(found):
    first, second = found.schemes
    rows = first_workload(found.summary)
    (axes,) = figure_of(found, "ratio").axes
    wanted = {}
    for model in found.models.index:
        base, own = (case(rows, "request", model, scheme) for scheme in (first, second))
        wanted[own["parameters"]] = base["energy_j"] / own["energy_j"]
    assert dict(points_of(axes)) == pytest.approx(wanted)
    labels = [float(text.get_text().removesuffix("×")) for text in axes.texts if text.get_text()]
    assert labels
    assert all(any(label == pytest.approx(ratio, rel=THREE_DIGITS) for ratio in wanted.values()) for label in labels)
    assert axes.get_ylabel() == f"{first} energy / energy"


@pytest.mark.parametrize(("technology", "limit"), [("45nm", (1.1 + 0.4) / 0.03), ("7nm", (0.34 + 0.16) / 0.007)])
def test_the_limit_of_one_mac_is_the_baselines_price_over_the_schemes(technology, limit):
    """Horowitz's and Jouppi's prices as the BitNet papers use them: an FP16 MAC over an INT8 addition."""
    found = run_experiment(
        {
            "name": "x",
            "models": ["bitnet-b1.58-700m", "bitnet-b1.58-3b"],
            "schemes": ["fp16", "bitnet-b1.58"],
            "technologies": [technology],
            "workload": {"prompt_tokens": 512, "new_tokens": 0},
            "baseline": {"scheme": "fp16"},
            "plots": [PLOTS["ratio"]],
        }
    )
    (axes,) = draw(found.requested[0], found, THEMES[0]).axes
    level = [line.get_ydata() for line in axes.lines if line.get_linestyle() == ":" and len(line.get_ydata())]
    assert level == [pytest.approx([limit, limit])]
    assert axes.get_ylim()[1] > limit
    labels = [float(text.get_text().removesuffix("×")) for text in axes.texts]
    assert any(label == pytest.approx(limit, rel=THREE_DIGITS) for label in labels)


def test_the_tables_of_a_summary_are_its_frames(found):
    first, second = found.schemes
    text = summary_markdown(found)
    held = table(text.split("## Memory")[1], ["model", "parameters", "scheme"])
    assert len(held) == len(found.memory)
    energies = table(text, ["model", "parameters", "technology"])
    for row in energies:
        at = found.summary[found.summary["prompt_tokens"] == int(row["prompt (tokens)"])]
        at = at[at["batch"] == int(row["batch (sequences)"])]
        joules = {scheme: case(at, row["phase"], row["model"], scheme)["energy_j"] for scheme in found.schemes}
        for header, cell in row.items():
            if header.split(" (")[0] in joules:
                value = joules[header.split(" (")[0]]
                assert float(cell) * unit_in(header, "J") == pytest.approx(value, rel=THREE_DIGITS)
        assert float(row[f"{first} / {second}"]) == pytest.approx(joules[first] / joules[second], rel=THREE_DIGITS)
    for row in table(text, ["model", "phase"]):
        at = found.summary[found.summary["prompt_tokens"] == int(row["prompt_tokens"])]
        at = at[at["batch"] == int(row["batch"])]
        new = {"prefill": int(row["prompt_tokens"]), "decode": 20}[row["phase"]]
        for scheme in found.schemes:
            speed = int(row["batch"]) * new / case(at, row["phase"], row["model"], scheme)["latency_s"]
            assert float(row[f"{scheme} (tokens/s)"]) == pytest.approx(speed, rel=THREE_DIGITS)
    rows = found.memory.set_index(["model", "scheme", "prompt_tokens", "batch"])
    for row in held:
        key = row["model"], int(row["prompt_tokens"]), int(row["batch"])
        own, base = (rows.loc[(key[0], scheme, *key[1:])] for scheme in (row["scheme"], first))
        for header, column in (
            ("weights", "weights_bytes"), ("embedding and head", "tables_bytes"), ("KV cache", "kv_cache_bytes"),
            ("activations", "activations_bytes"), ("all", "memory_bytes"),
        ):  # fmt: skip
            (name,) = [cell for cell in row if cell.startswith(f"{header} (")]
            assert float(row[name]) * unit_in(name, "B") == pytest.approx(own[column], rel=THREE_DIGITS)
        for header, column in (("weights", "weights_bytes"), ("all", "memory_bytes")):
            times = float(row[f"{header}: {first} / this"])
            assert times == pytest.approx(base[column] / own[column], rel=THREE_DIGITS)


def test_the_bands_say_the_least_and_greatest_share_and_each_flips_saving(found):
    text = summary_markdown(found)
    low, high = re.search(r"Of a case's energy, (\d+) %(?: to (\d+) %)? has a price with a band", text).groups()
    shares = 100 * found.bands["banded_share"]
    assert int(low) == pytest.approx(shares.min(), abs=0.5)
    assert int(high or low) == pytest.approx(shares.max(), abs=0.5)
    assert f"All {len(found.bands)} comparisons with the baseline hold" in text


def test_roofs_say_their_peak_and_bandwidth(found):
    (axes,) = figure_of(found, "roofline").axes
    texts = [text.get_text() for text in axes.texts]
    peaks = {quantity(text.removesuffix("op/s"), "") for text in texts if text.endswith("op/s")}
    speeds = {quantity(text.removesuffix("/s"), "B") for text in texts if text.endswith("B/s")}
    assert sorted(peaks) == pytest.approx(sorted(set(found.plots.roofs["operations_per_s"])), rel=THREE_DIGITS)
    assert sorted(speeds) == pytest.approx(sorted(set(found.plots.roofs["bytes_per_s"])), rel=THREE_DIGITS)


def test_time_and_energy_of_a_hardware_run_are_per_token():
    """Matmuls of different numbers of tokens: a quotient with another's, or none, differs."""
    found = run_experiment(
        {
            "name": "x",
            "technology": "7nm",
            "platform": "ternary-edge",
            "rtl": {
                "engine": "numpy",
                "random_weights": 0.4,
                "matmuls": [{"m": 7, "k": 200, "n": 90}, {"m": 3, "k": 130, "n": 40}],
            },
        }
    )
    text = hardware_markdown(found, 20)
    clock_hz = found.simulated.machine.clock_mhz * 1e6
    shown = table(text, ["model", "phase", "tokens"])
    assert len(shown) == len(found.summary) == 2
    for row, own, ran in zip(shown, found.summary.to_dict("records"), found.simulated.rows, strict=True):
        tokens = ran.tokens
        assert (row["model"], int(row["tokens"])) == (own["model"], tokens)
        assert quantity(row["time per token"], "s") == pytest.approx(own["latency_s"] / tokens, rel=THREE_DIGITS)
        assert quantity(row["compute time"], "s") == pytest.approx(ran.cycles / clock_hz / tokens, rel=THREE_DIGITS)
        assert quantity(row["energy per token"], "J") == pytest.approx(own["energy_j"] / tokens, rel=THREE_DIGITS)
        low, high = (quantity(end, "J") for end in row["band"].split(" to "))
        assert low == pytest.approx(own["energy_low_j"] / tokens, rel=THREE_DIGITS)
        assert high == pytest.approx(own["energy_high_j"] / tokens, rel=THREE_DIGITS)
        assert low < high
    parts = table(text, ["part"])
    for i, own in enumerate(found.summary.to_dict("records")):
        header = list(parts[0])[1 + i]
        joules = sum(float(row[header]) for row in parts) * unit_in(header, "J")
        assert joules == pytest.approx(own["energy_j"] / found.simulated.rows[i].tokens, rel=THREE_DIGITS)
    cycles, time, mhz = re.search(r"(\d+) cycles, (.+?) at ([\d.]+) MHz", text).groups()
    assert int(cycles) == sum(row.cycles for row in found.simulated.rows)
    assert quantity(time, "s") == pytest.approx(int(cycles) / (float(mhz) * 1e6), rel=THREE_DIGITS)
    assert float(mhz) * 1e6 == pytest.approx(clock_hz, rel=1e-5)  # six digits
    for row, ran in zip(table(text, ["phase", "layer"]), found.simulated.rows, strict=True):
        assert row["tokens x K x N"] == f"{ran.tokens}x{ran.k}x{ran.n}"
        assert float(row["utilisation (%)"]) == pytest.approx(100 * ran.utilisation, abs=0.051)
        assert float(row["zero trits (%)"]) == pytest.approx(100 * ran.weight_zero_share, abs=0.051)
        assert float(row["zero activations (%)"]) == pytest.approx(100 * ran.activation_zero_share, abs=0.051)
    every = sum(ran.tokens * (ran.k - 1) * ran.n for ran in found.simulated.rows)
    share, of = re.search(r"there are ([\d.]+) % of these (\d+)", text).groups()
    assert int(of) == every
    assert 55 < float(share) < 65  # 40 % of the trits are zero


def test_small_energies_are_shown_in_the_unit_that_header_and_axis_name():
    found = run_experiment(
        {
            "name": "x",
            "models": ["bitnet-125m"],
            "schemes": ["fp16", "bitnet"],
            "technologies": ["7nm"],
            "workload": {"prompt_tokens": 4, "new_tokens": 0},
            "plots": [{"kind": "components", "share": False}],
        }
    )
    joules = found.summary["energy_j"].tolist()
    (row,) = table(summary_markdown(found), ["model", "parameters", "technology"])
    shown = [(unit_in(header, "J"), float(cell)) for header, cell in row.items() if header.endswith("J)")]
    assert [factor * value for factor, value in shown] == pytest.approx(joules, rel=THREE_DIGITS)
    assert all(factor < 1 for factor, _ in shown)
    (axes,) = draw(found.requested[0], found, THEMES[0]).axes
    ends = [(bar.get_x() + bar.get_width()) * unit_in(axes.get_xlabel(), "J") for bar in bars_of(axes)[-1]]
    assert ends == pytest.approx(joules)
