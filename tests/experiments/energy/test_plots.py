"""Modules of plots that other packages contribute: a Plot of the kind that the entry point names, and draw."""

from types import SimpleNamespace
from typing import Literal

import pytest

from bitjoule.energy_models.inputs.errors import PluginError
from bitjoule.energy_models.inputs.plugins import Plugin
from bitjoule.experiments.energy import plots
from bitjoule.experiments.energy.plots import plot_module


def module_of(kind):
    return SimpleNamespace(
        Plot=type("Plot", (plots.AnyPlot,), {"__annotations__": {"kind": Literal[kind]}}), draw=lambda *_: None
    )


def loaded(monkeypatch, module):
    monkeypatch.setattr(Plugin, "load", lambda *_: module)
    return plot_module(Plugin("bitjoule.plots", "totals", "chips.totals", "our-chips"))


def test_a_plot_of_the_kind_that_is_named_is_taken(monkeypatch):
    module = module_of("totals")
    assert loaded(monkeypatch, module) is module


@pytest.mark.parametrize("kind", ["sums", "zones"])
def test_a_plot_of_another_kind_is_refused(monkeypatch, kind):
    with pytest.raises(PluginError, match=r"our-chips.* the kind of chips.totals.Plot is not 'totals'"):
        loaded(monkeypatch, module_of(kind))


@pytest.mark.parametrize("part", ["Plot", "draw"])
def test_a_module_without_plot_or_draw_is_refused(monkeypatch, part):
    module = module_of("totals")
    delattr(module, part)
    with pytest.raises(PluginError, match=r"chips.totals has no such Plot and draw"):
        loaded(monkeypatch, module)
