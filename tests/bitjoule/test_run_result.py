"""Results in Python: tables, plots, what a notebook shows, and the output directory."""

import copy
import json
import re

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

import bitjoule
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.results.folders import open_result
from bitjoule.reports.figures.style import DARK, LIGHT

EXPERIMENT = {
    "name": "small",
    "accounting": "system",
    "models": ["bitnet-1.3b"],
    "schemes": ["fp16", "bitnet"],
    "technologies": ["7nm"],
    "platforms": [{"name": "edge", "by_scheme": {"fp16": "fp16-edge", "bitnet": "ternary-edge"}}],
    "workload": {"prompt_tokens": 16, "new_tokens": 4},
    "baseline": {"scheme": "fp16"},
    "plots": [{"kind": "components"}, {"kind": "components", "by": "action"}],
}


@pytest.fixture(scope="module")
def result():
    return bitjoule.run(EXPERIMENT)


def files(folder):
    """Return the bytes of each file; what names the command or the versions apart."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def test_tables_are_those_of_the_kind(result):
    assert isinstance(result.kind_result, Result)
    assert result.summary is result.kind_result.summary
    assert {"results", "summary", "plot", "save"} <= set(dir(result))
    assert repr(result) == "<small: energy experiment, summary of 6 rows>"


def test_what_a_result_lacks_is_named_with_its_tables(result):
    with pytest.raises(AttributeError, match=r"^small has no 'sumary'; its tables are summary, results, .*bands"):
        _ = result.sumary
    assert not hasattr(copy.copy(result), "_private")


def test_the_first_plot_is_drawn_unless_another_is_named(result):
    assert result.plot_names == ("components", "components_2")
    (by_part, by_action) = (
        {text.get_text() for text in result.plot(name).legends[0].get_texts()} for name in (None, "components_2")
    )
    assert "ffn_up" in by_part
    assert "off-chip memory" in by_action
    assert by_part.isdisjoint({"off-chip memory"})


@pytest.mark.parametrize(("dark", "theme"), [(False, LIGHT), (True, DARK)])
def test_a_notebook_shows_a_plot_in_the_colours_of_its_theme(result, tmp_path, dark, theme):
    figure = result.plot(dark=dark)
    (tmp_path / "x.png").write_bytes(figure._repr_png_())
    picture = imread(tmp_path / "x.png")
    assert to_hex(picture[0, 0]) == theme.background
    assert picture.shape[1] == round(figure.get_figwidth() * figure.dpi)


def test_a_plot_that_is_not_asked_for_is_an_error(result):
    with pytest.raises(ValueError, match=r"^unknown plot 'pie' of small; expected one of components, components_2$"):
        result.plot("pie")
    with pytest.raises(ValueError, match=r"^small asks for no plot; expected the key `plots` in the experiment$"):
        bitjoule.run(EXPERIMENT, {"plots": []}).plot()


def test_a_notebook_shows_the_first_table_of_the_summary(result):
    html = result._repr_html_()
    assert html.count("<table>") == 1
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)]
    requests = result.summary[result.summary["phase"] == "request"]
    assert [row[rows[0].index("scheme")] for row in rows[1:]] == list(requests["scheme"])
    joules = [float(row[rows[0].index("J per request")]) for row in rows[1:]]
    assert joules == pytest.approx(list(requests["energy_j"]), rel=5e-3)


@pytest.mark.parametrize(("out", "plots"), [(None, True), ("first", False)])
def test_a_result_is_saved_as_a_run_writes_it(tmp_path, monkeypatch, out, plots):
    monkeypatch.chdir(tmp_path)
    experiment = {**EXPERIMENT, "plots": EXPERIMENT["plots"][1:]}
    result = bitjoule.run(experiment, out=out, plots=plots)
    bitjoule.run(experiment, out="run", plots=plots)
    assert result.save(plots=plots).resolve() == tmp_path / "results" / "small"
    written = files(tmp_path / "run" / "small")
    assert {"results.csv", "summary.md"} <= set(written)
    assert ("components_dark.svg" in written) is plots
    assert files(tmp_path / "results" / "small") == written
    assert files(result.save("again", plots=False)).items() <= written.items()


@pytest.mark.parametrize(("form", "names"), [("parquet", {"summary.parquet"}), ("xlsx", {"tables.xlsx"})])
def test_a_result_is_saved_in_the_format_that_is_asked_for(result, tmp_path, form, names):
    folder = result.save(tmp_path, plots=False, results=form)
    assert names <= {path.name for path in folder.iterdir()}
    assert not list(folder.glob("*.csv"))
    assert json.loads((folder / "manifest.json").read_text())["command"] == ["bitjoule.run"]
    pd.testing.assert_frame_equal(
        open_result(folder).frame("summary")[["scheme", "phase", "energy_j"]],
        result.summary[["scheme", "phase", "energy_j"]].reset_index(drop=True),
        check_dtype=False,
        check_categorical=False,
    )
