"""Pictures of measured machines: no text lies on another, each machine and each bound has a look of its own."""

import matplotlib as mpl
import pytest

from bitjoule.experiments.measured.schema import LowBit, Measured
from bitjoule.experiments.measured.tables import error_table, gain_table, point_table
from bitjoule.reports.figures.style import THEMES, settings
from bitjoule.reports.measured import draw_gains, draw_points, gains_markdown, points_markdown
from tests.reports.pages import assert_clean

GAINS = LowBit(model="llama-3.2-1b", machines=["rtx-4090", "h100"], formats=["fp16", "w4-k", "binary-1.125"])


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_no_text_lies_on_another(theme):
    points, gains = point_table(Measured(use="hold"))[0], gain_table(GAINS)[0]
    with mpl.rc_context(settings(theme)):
        figures = [draw_points(points, theme), draw_gains(gains, theme)]
        for figure in figures:
            assert_clean(figure)
    labels = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert sorted(labels) == sorted(points["machine"].unique())


def test_summaries_show_every_machine_and_say_what_has_no_prediction():
    points, why = point_table(Measured(use="fit"))
    text = points_markdown("x", "y", points, error_table(points), why, 3)
    assert all(f"### {machine}\n" in text for machine in points["machine"].unique())
    assert all(line in text for line in why)
    gains, missing = gain_table(GAINS)
    text = gains_markdown("x", "y", gains, ["a, b: why"])
    assert not missing
    assert all(machine in text for machine in GAINS.machines)
    assert "* a, b: why" in text
