"""What a summary says of causes: the widest of each case, what turns it, and what could not be varied."""

from types import SimpleNamespace

import pandas as pd

from bitjoule.reports.energy.sensitivity import SHOWN, sensitivity_text, widest
from tests.reports.shown import header_and_rows

PLACE = {"model": "m", "technology": "7nm", "platform": "p", "batch": 1, "prompt_tokens": 8, "new_tokens": 2}
NONE_VARIED = pd.DataFrame(columns=["assumption", "low", "high", "problem_low", "problem_high"])


def row(cause, energies=(1.0, 2.0, 3.0), turns=False, least=("a", "a", "a"), scheme="a", phase="decode", **place):
    """Return a row of the sensitivity; energies and winners at the low end, as run, and at the high end."""
    low, nominal, high = energies
    named = {"phase": phase, "scheme": scheme, "cause": cause, "low": f"{cause} down", "high": f"{cause} up"}
    joules = {"energy_low_j": low, "energy_j": nominal, "energy_high_j": high}
    ratios = {"ratio_low": 10 * low, "ratio": 10 * nominal, "ratio_high": 10 * high, "turns": turns}
    return PLACE | place | named | joules | ratios | dict(zip(("least_low", "least", "least_high"), least, strict=True))


def said(rows, varied=NONE_VARIED, baseline="base"):
    frames = SimpleNamespace(
        shown_platform="p",
        sensitivity=pd.DataFrame(rows), varied=varied, schemes={"b": None, "a": None},
        baseline=SimpleNamespace(name=baseline) if baseline else None,
    )  # fmt: skip
    return sensitivity_text(frames)


def shown(text):
    header, rows = header_and_rows(text, ["phase"])
    return [dict(zip(header, cells, strict=True)) for cells in rows]


def test_the_widest_cause_spans_most_in_either_direction_and_of_equals_the_first_leads():
    rows = [row("less", (2.0, 5.0, 4.0)), row("even", (4.0, 4.0, 4.0)), row("falls", (6.0, 5.0, 2.5)),
            row("first", (1.0, 2.0, 3.0)), row("second", (4.0, 3.0, 2.0))]  # fmt: skip
    found = widest(pd.DataFrame(rows), 4)["cause"].tolist()
    assert found == ["falls", "less", "first", "second"]


def test_rows_are_of_the_last_model_and_node_at_the_first_workload_decode_first_in_the_order_of_the_schemes():
    elsewhere = [row("x", technology="45nm"), row("x", model="other"), row("x", technology="45nm", scheme="b")]
    own = [row("p", phase="prefill"), row("d", scheme="a"), row("d", scheme="b"), row("p", phase="prefill", scheme="b")]
    later = [row("y", new_tokens=9), row("y", prompt_tokens=99), row("y", batch=4), row("y", platform="q")]
    text = said([*elsewhere, *own, *later])
    assert [(cells["phase"], cells["scheme"], cells["cause"]) for cells in shown(text)] == [
        ("decode", "b", "d"), ("decode", "a", "d"), ("prefill", "b", "p"), ("prefill", "a", "p"),
    ]  # fmt: skip
    assert text.startswith("## Sensitivity\n\nm at 7nm, one cause at a time")
    first = shown(text)[0]
    assert (first["low"], first["high"]) == ("d down", "d up")
    assert [float(first[name]) for name in ("J, low", "J", "J, high")] == [1.0, 2.0, 3.0]
    assert [float(first[name]) for name in ("base / this, low", "base / this", "base / this, high")] == [10, 20, 30]
    assert [name for name in shown(said(own, baseline=""))[0] if "ratio" in name] == [
        "ratio, low",
        "ratio",
        "ratio, high",
    ]


def test_of_many_causes_the_first_are_shown():
    rows = [row(f"c{i}", (0.0, 1.0, 100.0 - i)) for i in range(SHOWN + 3)]
    assert [cells["cause"] for cells in shown(said(rows))] == [f"c{i}" for i in range(SHOWN)]


def test_a_cause_turns_what_crosses_one_or_has_another_winner_at_either_end():
    rows = [
        row("crosses", (1, 2, 9), turns=True), row("wins low", (1, 2, 8), least=("b", "a", "a")),
        row("wins high", (1, 2, 7), least=("a", "a", "c")), row("neither", (1, 2, 6)),
        row("wins high", (1, 2, 7), least=("a", "a", "c"), scheme="b"),
        row("wins high", (1, 2, 7), least=("a", "a", "c"), new_tokens=9),
        row("crosses", (1, 2, 9), turns=True, phase="prefill"),
    ]  # fmt: skip
    text = said(rows)
    turns = {cells["cause"]: cells["turns"] for cells in shown(text) if cells["scheme"] == "a"}
    assert turns == {"crosses": "yes", "wins low": "yes", "wins high": "yes", "neither": ""}
    listed = [line for line in text.splitlines() if line.startswith("- ")]
    assert listed == [
        "- crosses: the gain crosses 1 in 2 of the comparisons",
        "- wins low: b instead of a needs the least energy in 1 of the cases",
        "- wins high: c instead of a needs the least energy in 2 of the cases",
    ]
    assert "turns the conclusion: no gain crosses 1" in said([row("neither")])


def test_what_could_not_be_varied_is_said_at_the_end_that_failed_also_where_nothing_was():
    varied = pd.DataFrame([("clock", 100, 900, "", "too fast"), ("size", 1, 2, "too small", "too large"),
                           ("fine", 1, 2, "", "")], columns=NONE_VARIED.columns)  # fmt: skip
    lines = ["- clock 900: too fast", "- size 1: too small", "- size 2: too large"]
    for text in (said([row("x")], varied), said([], varied)):
        assert text.endswith("\n".join(["Not varied, as a machine could not run:\n", *lines]))
    assert said([], varied[2:]) == said([]) == ""
