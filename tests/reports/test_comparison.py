"""The text and the picture of a comparison."""

import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bitjoule.experiments.results.differences import compare
from bitjoule.experiments.results.folders import open_result
from bitjoule.reports.comparison import NAMED, SHOWN_STEPS, comparison_markdown, draw_waterfall, headline
from bitjoule.reports.figures.digits import with_unit
from bitjoule.reports.figures.style import LIGHT, settings
from tests.reports.pages import assert_clean
from tests.reports.shown import THREE_DIGITS, header_and_rows, table, unit_in

KEYS = ["component", "operand", "action", "format"]
NODE = ("--set", "name=edge_45", "--set", "technologies=[45nm]", "--no-plots")


@pytest.fixture(scope="module")
def nodes(run_edge):
    return compare(open_result(run_edge()), open_result(run_edge(*NODE)))


def test_the_first_line_says_what_changed_most_and_why(nodes):
    first_j, second_j = nodes.levels_j
    step = nodes.contributions.iloc[0]
    text = headline(nodes)
    change = f"{100 * (second_j / first_j - 1):.3g}"
    assert f"{with_unit(first_j, 'J')} become {with_unit(second_j, 'J')} (+{change} %)" in text
    assert f"{', '.join(filter(None, step[KEYS]))}, " in text
    assert text.startswith("bitnet-125m, ")


@pytest.mark.parametrize(
    ("cases", "alone", "says"),
    [
        ((12, 0, 0), {}, ""),
        ((12, 3, 0), {}, "Not compared: 3 of the first have no counterpart."),
        ((1, 0, 1), {"platform": ([], ["b"])},
         "Not compared: 1 of the second has no counterpart: platform b in the second alone."),
        ((2, 1, 4), {"technology": (["a"], ["b", "c"]), "scheme": (["s"], [])},
         "Not compared: 1 of the first and 4 of the second have no counterpart: technology a in the first alone; "
         "technology b, c in the second alone; scheme s in the first alone."),
        ((2, 9, 0), {"model": ([f"m{i}" for i in range(9)], [])},
         "Not compared: 9 of the first have no counterpart: model m0, m1, m2, m3, m4, m5, ... in the first alone."),
    ],
)  # fmt: skip
def test_cases_that_were_not_compared_are_said_before_what_differs(cases, alone, says):
    comparison = made_up(COMPONENTS)
    comparison.cases, comparison.alone = cases, alone
    before, _, _ = comparison_markdown(comparison, 10).partition(headline(comparison))
    assert before == f"# old and new\n\nFirst: old; second: new.\n\n{says}{chr(10) * 2 if says else ''}"


@pytest.mark.parametrize(("cases", "those"), [(1, "the common case"), (2, "2 common cases")])
def test_cases_without_a_difference_are_counted(cases, those):
    same = SimpleNamespace(totals=pd.DataFrame(), cases=(cases, 0, 0))
    assert headline(same) == f"All quantities of {those} are the same"


@pytest.mark.parametrize(("joules", "text"), [(-3.0, "-15 %"), (3.0, "+15 %")])
def test_the_first_line_has_one_minus_sign(joules, text):
    """One of its own for the share and another for the joules would look like two things."""
    said = headline(made_up({"static": joules}))
    assert text in said
    assert f", {text[0]}1.50 J, by its price" in said
    assert "\N{MINUS SIGN}" not in said


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (8.0, 9.0, ["8.00", "9.00", "1.12"]),
        (1.0, 1.0004, ["1.0000", "1.0004", "1.0004"]),
        (12.344, 12.342, ["12.344", "12.342", "0.99984"]),
        (0.5, float("nan"), ["0.500", "", ""]),
    ],
)
def test_two_values_have_as_many_digits_as_tell_them_apart(first, second, shown):
    price = "platforms/a.yaml:static.host@500.5MHz"
    rows = pd.DataFrame([{"price": price, "first_pj": first, "second_pj": second, "ratio": second / first,
                          "change": "price"}])  # fmt: skip
    totals = pd.DataFrame([{"scheme": "a", "quantity": "energy_j", "first": first, "second": second,
                            "ratio": second / first}])  # fmt: skip
    comparison = made_up(COMPONENTS)
    comparison.prices, comparison.totals = rows, totals
    text = comparison_markdown(comparison, 10)
    ((name, *values, _),) = header_and_rows(text, ["price"])[1]
    assert name == f"{price}, for a cycle"
    assert values == shown
    ((*of_totals,),) = header_and_rows(text, ["first", "second", "second / first"])[1]
    assert of_totals == shown


def test_without_a_difference_that_is_what_is_said(run_edge):
    same = compare(open_result(run_edge()), open_result(run_edge()))
    assert headline(same) == "All quantities of 12 common cases are the same"
    assert "None: same experiment, data, versions and code." in comparison_markdown(same, 5)


def test_the_text_has_all_parts_largest_first(nodes):
    text = comparison_markdown(nodes, 3)
    assert "the technology 7nm of the first is compared with 45nm of the second" in text
    order = [text.index(f"## {title}") for title in ("What the diff", "Totals that", "Prices that", "Inputs that")]
    assert order == sorted(order)
    shown = [row for row in text[order[0] : order[1]].splitlines() if row.startswith("| ")][1:]
    names = [row.split("|")[1].strip() for row in shown]
    names = [re.sub(r" \(only in (first|second)\)$", "", name) for name in names]
    assert names == [", ".join(filter(None, row)) for row in nodes.contributions[KEYS].head(3).to_numpy().tolist()]
    assert f"The first 3 of {len(nodes.contributions)} rows; all are in contributions.csv." in text


def test_bars_of_the_waterfall_begin_where_the_one_before_ends(nodes):
    with mpl.rc_context(settings(LIGHT)):
        figure = draw_waterfall(nodes, LIGHT)
        bars = figure.axes[0].patches
        levels = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
        (_, first), (_, second), *steps = levels
        assert (first, second) == pytest.approx(nodes.levels_j)
        ends = [first, *(end for _, end in steps)]
        assert [begin for begin, _ in steps] == pytest.approx(ends[:-1])
        assert ends[-1] == pytest.approx(second)
        sizes = [abs(end - begin) for begin, end in steps]
        assert sizes[:10] == sorted(sizes[:10], reverse=True)
        assert_clean(figure)


def test_a_small_change_has_an_axis_that_says_it_does_not_begin_at_zero(run_edge):
    small = compare(open_result(run_edge()), open_result(run_edge("--set", "workload.new_tokens=9", "--no-plots")),
                    {"phase": "request"})  # fmt: skip
    assert small.contributions.empty  # requests are sums: actions are listed by phase
    decode = compare(open_result(run_edge()), open_result(run_edge("--set", "workload.new_tokens=9", "--no-plots")),
                     {"phase": "decode"})  # fmt: skip
    with mpl.rc_context(settings(LIGHT)):
        figure = draw_waterfall(decode, LIGHT)
        assert figure.axes[0].get_xlabel() == "energy (the axis does not begin at zero)"
        assert 0 < figure.axes[0].get_xlim()[0] < min(decode.levels_j)
        assert_clean(figure)


COMPONENTS = {"q_proj": 7.0, "norm": -0.5, "static": -3.0, "lm_head": 0.25}


def made_up(components, first_j=20.0):
    """Return two results of which one case differs by these joules: half of each by its count, for an action each."""
    rows = [
        {"component": name, "operand": "weights", "action": action, "format": form, "difference_j": joules / 2,
         "first_count": 2.0, "second_count": 3.0, "first_price_pj": 1.0, "second_price_pj": 1.0, "first_j": 1.0,
         "second_j": 1.0 + joules / 2, "by_count_j": joules / 8, "by_price_j": joules * 3 / 8}
        for name, joules in components.items() for action, form in (("mac", "fp16"), ("mac", "int8"))
    ]  # fmt: skip
    table = pd.DataFrame(rows).sort_values("difference_j", key=abs, ascending=False, kind="stable")
    named = [SimpleNamespace(name=name, path=Path(name)) for name in ("old", "new")]
    nothing = pd.DataFrame()
    totals = pd.DataFrame({"quantity": ["energy_j"], "first": [first_j], "second": [2.0], "ratio": [0.1]})
    return SimpleNamespace(
        first=named[0], second=named[1], inputs=nothing, prices=nothing, totals=totals, cases=(7, 2, 1),
        renamed={"technology": ("45nm", "7nm")}, case={"model": "m", "phase": "decode", "batch": "4", "platform": ""},
        levels_j=(first_j, first_j + sum(components.values())), contributions=table.reset_index(drop=True),
        alone={},
    )  # fmt: skip


@pytest.mark.parametrize("further", [0, 1, 2])
def test_each_step_of_the_waterfall_has_its_component_its_sign_and_its_joules(further):
    """What comes after the largest steps is one, with the sum of theirs: it may be less than each."""
    rest = {f"r{i}": 1e-3 * (-1) ** i for i in range(further)}
    many = COMPONENTS | {f"s{i}": 0.01 + 0.001 * i for i in range(SHOWN_STEPS - len(COMPONENTS))} | rest
    comparison = made_up(many)
    with mpl.rc_context(settings(LIGHT)):
        figure = draw_waterfall(comparison, LIGHT)
    axes = figure.axes[0]
    largest = sorted(many.items(), key=lambda step: -abs(step[1]))[:SHOWN_STEPS]
    steps = [*largest, *([(f"{further} other{'s' * (further > 1)}", sum(rest.values()))] if further else [])]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["first: old", *(name for name, _ in steps), "second: new"]
    first_j, second_j = comparison.levels_j
    texts = [text.get_text() for text in axes.texts]
    assert [texts[0], texts[-1]] == [with_unit(first_j, "J"), with_unit(second_j, "J")]
    for (_, joules), text, bar in zip(steps, texts[1:-1], axes.patches[2:], strict=True):
        assert bar.get_width() == pytest.approx(joules, rel=1e-9, abs=1e-12)
        if abs(joules) < 1e-12:
            continue
        assert text == f"{'+' if joules > 0 else '−'}{with_unit(abs(joules), 'J')}"
        hue = LIGHT.series[1 if joules > 0 else 0]
        assert to_hex(bar.get_facecolor()) == to_hex(hue)
        assert bool(bar.get_hatch()) == (joules > 0)
    assert figure.get_suptitle() == "m, decode: what changes the energy"


def test_the_text_says_how_many_cases_what_is_renamed_and_the_share_of_each_action():
    comparison = made_up(COMPONENTS)
    text = comparison_markdown(comparison, 100)
    counted = "Cases and phases in both: 7; "
    assert f"{counted}the technology 45nm of the first is compared with 7nm of the second." in text
    total = sum(COMPONENTS.values())
    assert headline(comparison).endswith(
        "(+18.8 %); the largest part is q_proj, weights, mac, fp16, +3.50 J, by its price"
    )
    shown_rows = table(text, ["component, operand, action"])
    assert len(shown_rows) == 2 * len(COMPONENTS)
    for shown in shown_rows:
        component, operand, action, form = shown["component, operand, action"].split(", ")
        assert (operand, action, form in ("fp16", "int8")) == ("weights", "mac", True)
        joules = COMPONENTS[component] / 2
        assert float(shown["share (%)"]) == pytest.approx(100 * joules / total, rel=THREE_DIGITS)
        changes = (("by its count", joules / 4), ("by its price", joules * 3 / 4), ("difference", joules))
        for name, part in (*changes, ("first", 1.0), ("second", 1.0 + joules)):
            (header,) = (header for header in shown if header.startswith(f"{name} ("))
            assert float(shown[header]) * unit_in(header, "J") == pytest.approx(part, rel=THREE_DIGITS), name
            if name not in ("first", "second"):
                assert shown[header][0] == ("+" if part > 0 else "-")


@pytest.mark.parametrize(("first", "second", "only"), [(0.0, 3.0, "only in second"), (2.0, 0.0, "only in first")])
def test_what_one_result_alone_does_has_no_cause_but_that(first, second, only):
    comparison = made_up({"norm": 4.0, "static": 1.0})
    rows = comparison.contributions
    rows.loc[rows["component"] == "norm", ["first_count", "second_count"]] = first, second
    header, rows = header_and_rows(comparison_markdown(comparison, 100), ["component, operand, action"])
    assert header[3:5] == ["by its count (J)", "by its price (J)"]
    assert [row[0].removesuffix(")").partition(" (")[2] for row in rows] == [only, only, "", ""]
    assert [row[3:5] for row in rows] == [["", ""]] * 2 + [["+0.125", "+0.375"]] * 2
    assert headline(comparison).endswith("norm, weights, mac, fp16, +2.00 J")


@pytest.mark.parametrize(("quantities", "more"), [(NAMED, ""), (NAMED + 1, ", ...")])
def test_quantities_that_differ_are_named_up_to_a_number(quantities, more):
    names = [f"x{i}" for i in range(quantities)]
    totals = pd.DataFrame({"quantity": [*names, names[0]]})
    comparison = SimpleNamespace(totals=totals, contributions=pd.DataFrame(), cases=(1, 0, 0))
    assert headline(comparison) == f"{quantities} quantities differ: {', '.join(names[:NAMED])}{more}"
