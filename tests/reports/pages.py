"""What is on a picture's page, and that it can be read: at 640 pixels, and in grey."""

import csv
import itertools
from collections import defaultdict

from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer
from matplotlib.text import Text

from bitjoule.reports.figures.style import PNG_DPI, THEMES
from tests.reports.figures.test_contrast import lab, linear
from tests.sampling import one_of_each

SHOWN_PX, LETTERS_PX = 640, 8.5  # width of a picture beside text, and the least height of letters there
LIGHTNESS_APART = 12  # of 100, between neighbours in a stack whose hatches are the same


def on_either_page(cases, what, one_in=1):
    """Return cases with both pages, which differ in colours alone; those that are not drawn are marked ``dear``.

    Of each case, or of one in `one_in`, one page is drawn.
    """
    cases = [case if isinstance(case, tuple) else (case,) for case in cases]
    groups = [cases[i : i + one_in] for i in range(0, len(cases), one_in)]  # neighbours are alike
    return one_of_each([[(*case, theme) for case in group for theme in THEMES] for group in groups], f"pages of {what}")


def name_of_page(value):
    """Return the name of a page in a test's identifier; for other parameters none, so that pytest finds one."""
    return ("light", "dark")[THEMES.index(value)] if value in THEMES else None


def drawn_ticks(axis):
    """Return the tick labels that are drawn: those beyond the axis exist, too."""
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    inside = [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
    return [label for label in inside if label.get_visible() and label.get_text().strip()]


def assert_clean(figure):
    """Check that every text is on the page and large enough, none lies on another, and logarithmic axes can be read.

    One label does not tell what an axis spans.
    """
    assert_told_apart(figure)
    figure.set_dpi(PNG_DPI)
    figure.draw_without_rendering()
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    tick_labels = {id(label) for axis in axes for label in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True))}
    labels = [(axis, drawn_ticks(axis)) for axis in axes]
    for axis, own in labels:
        assert axis.get_scale() != "log" or len(own) != 1, f"one label: {own[0].get_text()}"
    drawn = [label for _, own in labels for label in own]
    drawn += [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in tick_labels]
    for text in drawn:
        letters_px = text.get_fontsize() / 72 * SHOWN_PX / figure.get_figwidth()
        assert letters_px >= LETTERS_PX - 0.01, f"{text.get_text()}: {letters_px:.1f} pixels"
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn]
    page = figure.bbox.padded(1)
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
    for (one, first), (two, second) in itertools.combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        up = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert across < 2 or up < 2, (one, two)


def assert_told_apart(figure):
    """Check that neighbours in a stack of bars differ without colour: in lightness or in their hatch."""
    for axes in figure.axes:
        stacks = defaultdict(list)
        for bar in (bar for bars in axes.containers if isinstance(bars, BarContainer) for bar in bars):
            if bar.get_width() != 0:
                stacks[bar.get_y()].append(bar)
        for bars in stacks.values():
            bars.sort(key=lambda bar: min(bar.get_x(), bar.get_x() + bar.get_width()))
            for one, other in itertools.pairwise(bars):
                lightness = [lab(linear(bar.get_facecolor()[:3]))[0] for bar in (one, other)]
                apart = abs(lightness[0] - lightness[1])
                assert one.get_hatch() != other.get_hatch() or apart >= LIGHTNESS_APART, (one, other, lightness)


def assert_inside(axes):
    """Check that no point or line of a panel is cut off: limits are those of all that is drawn, bands included."""
    (left, right), (low, high) = (sorted(axis.get_view_interval()) for axis in (axes.xaxis, axes.yaxis))
    drawn = [line.get_xydata() for line in axes.lines if line.get_transform() == axes.transData]
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            drawn += collection.get_segments()
    points = [point for part in drawn for point in part]
    assert points
    for x, y in points:
        assert left <= x <= right, (x, left, right)
        assert low <= y <= high, (y, low, high)


OPEN_AND_SHORTEN = """() => {
  for (const node of document.querySelectorAll("details")) node.open = true;
  for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(5).forEach((row) => row.remove());
}"""  # rows are alike, and the colours of each cell are computed


def rows_of(run_edge, name="summary"):
    with (run_edge() / f"{name}.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))
