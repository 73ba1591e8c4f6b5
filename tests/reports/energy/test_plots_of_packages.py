"""Plots that other packages contribute: a figure is drawn, anything else is the package's fault and says so."""

from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from bitjoule.energy_models.inputs.errors import PluginError
from bitjoule.energy_models.inputs.plugins import Plugin
from bitjoule.reports.energy import pictures
from bitjoule.reports.figures.style import THEMES

FIGURE = Figure()


def drawn(monkeypatch, gives):
    """Return what the plot ``totals`` of a package draws."""
    plugin = Plugin("bitjoule.plots", "totals", "chips.totals", "our-chips")
    monkeypatch.setattr(pictures, "plugins", lambda group: {"totals": plugin} if group == "bitjoule.plots" else {})
    monkeypatch.setattr(pictures, "plot_module", lambda found: SimpleNamespace(draw=gives) if found is plugin else None)
    return pictures.draw(SimpleNamespace(kind="totals", at=None, models=None), SimpleNamespace(), THEMES[0])


def test_a_figure_is_taken(monkeypatch):
    assert drawn(monkeypatch, lambda *_: FIGURE) is FIGURE


def test_it_gets_the_plot_the_frames_and_the_theme(monkeypatch):
    def draw(plot, frames, theme):
        assert (plot.kind, frames, theme) == ("totals", SimpleNamespace(), THEMES[0])
        return FIGURE

    assert drawn(monkeypatch, draw) is FIGURE


def test_what_is_no_figure_is_refused(monkeypatch):
    with pytest.raises(PluginError, match=r"our-chips.* draw gives str; expected a matplotlib Figure"):
        drawn(monkeypatch, lambda *_: "picture")


def test_an_error_while_drawing_is_named(monkeypatch):
    with pytest.raises(PluginError, match="drawing fails with ZeroDivisionError: division by zero; expected a figure"):
        drawn(monkeypatch, lambda *_: 1 / 0)
