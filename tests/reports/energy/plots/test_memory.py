"""Bars of memory of made-up models and schemes: how long each part is, and what is written at its end."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.energy.plots import MemoryPlot
from bitjoule.reports.energy.plots.memory import draw_memory
from bitjoule.reports.figures.style import LIGHT
from tests.reports.shown import bars_of

PLOT = MemoryPlot(kind="memory")
PLACE = {"batch": 2, "prompt_tokens": 30, "new_tokens": 7}
PARTS = {"weights_bytes": "weights", "tables_bytes": "embedding and LM head", "kv_cache_bytes": "KV cache"}
BYTES = {  # weights, tables, cache
    ("tall", "fp16"): (6e6, 3e6, 1e6), ("tall", "bitnet"): (1e6, 1e6, 5e5), ("tall", "int8"): (2e7, 4e6, 1e6),
    ("big", "fp16"): (1e7, 4e6, 6e6), ("big", "bitnet"): (2e6, 2e6, 1e6), ("big", "int8"): (8e6, 6e6, 6e6),
}  # fmt: skip
SAID = {  # with the total, and the total of the first scheme over it
    ("tall", "fp16"): "10.0 MB", ("tall", "bitnet"): "2.50 MB, 4.0× less", ("tall", "int8"): "25.0 MB, 2.5× more",
    ("big", "fp16"): "20.0 MB", ("big", "bitnet"): "5.00 MB, 4.0× less", ("big", "int8"): "20.0 MB, 1.0× less",
}  # fmt: skip


def frames(larger=1):
    """Return what a run has of both models, the second of which is larger."""
    scale = {"tall": 1, "big": larger}
    rows = [(*case, *(size * scale[case[0]] for size in sizes)) for case, sizes in BYTES.items()]
    memory = pd.DataFrame(rows, columns=["model", "scheme", *PARTS]).assign(**PLACE)
    memory["memory_bytes"] = memory[list(PARTS)].sum(axis=1)
    return SimpleNamespace(
        name="x", bare=False, workload={"batch": [2, 3], "prompt_tokens": [30], "new_tokens": [7]},
        summary=pd.DataFrame([PLACE, PLACE | {"batch": 3}]), schemes=dict.fromkeys(("fp16", "bitnet", "int8")),
        memory=pd.concat([memory.assign(batch=3, memory_bytes=77.0), memory], ignore_index=True),
        models=pd.DataFrame({"unit": "token"}, index=["tall", "big"]),
    )  # fmt: skip


def shown(axes):
    """Return the parts of each bar in the unit of the axis, by its name, and what is at its end."""
    names = [tuple(label.get_text().split("  ")) for label in axes.get_yticklabels()]
    widths = np.array([[bar.get_width() for bar in stack] for stack in bars_of(axes)]).T
    ends = [text.get_text().strip() for text in axes.texts]
    return {name: (list(bars), end) for name, bars, end in zip(names, widths, ends, strict=True)}


def test_a_bar_has_its_parts_in_their_order_and_its_total_beside_the_first_scheme():
    figure = draw_memory(PLOT, frames(), LIGHT)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "memory (MB)"
    found = shown(axes)
    assert list(found) == list(BYTES)
    for case, (bars, end) in found.items():
        assert bars == pytest.approx([size / 1e6 for size in BYTES[case]])
        assert end == SAID[case]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(PARTS.values())
    assert figure.get_suptitle().endswith("batch 2 (first of 2 workloads)")


@pytest.mark.parametrize(("larger", "panels"), [(6, 1), (6.1, 2)])
def test_models_of_more_than_twelve_times_the_memory_have_an_axis_of_their_own(larger, panels):
    """The second takes twice as much before."""
    figure = draw_memory(PLOT, frames(larger), LIGHT)
    assert len(figure.axes) == panels
    if panels == 2:
        assert [{name[0] for name in shown(axes)} for axes in figure.axes] == [{"tall"}, {"big"}]
        assert [axes.get_xlabel() for axes in figure.axes] == ["memory (MB)"] * 2
