"""The text and the picture of a comparison."""

import matplotlib as mpl
import pytest

from bitjoule.experiments.results.differences import compare
from bitjoule.experiments.results.folders import open_result
from bitjoule.reports.comparison import comparison_markdown, draw_waterfall, headline
from bitjoule.reports.figures.digits import with_unit
from bitjoule.reports.figures.style import LIGHT, settings
from tests.reports.pages import assert_clean

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


def test_without_a_difference_that_is_what_is_said(run_edge):
    same = compare(open_result(run_edge()), open_result(run_edge()))
    assert headline(same) == "All quantities of 12 common cases are the same"
    assert "None: same experiment, data, versions and code." in comparison_markdown(same, 5)


def test_the_text_has_all_parts_largest_first(nodes):
    text = comparison_markdown(nodes, 3)
    assert "the technology is 7nm in the first and 45nm in the second" in text
    order = [text.index(f"## {title}") for title in ("What the diff", "Totals that", "Prices that", "Inputs that")]
    assert order == sorted(order)
    shown = [row for row in text[order[0] : order[1]].splitlines() if row.startswith("| ")][1:]
    names = [row.split("|")[1].strip() for row in shown]
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
