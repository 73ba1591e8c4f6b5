"""Packages contribute schemes, models, platforms, technologies, libraries and plots: nothing of ours is changed."""

import json

import pandas as pd
import pytest

from bitjoule.gates.liberty.libraries import default_liberty
from tests.bitjoule import packages
from tests.experiments.technology_files import write_technology
from tests.sampling import one_of_each, sampled

ENTRIES = """\
[bitjoule.schemes]
ours = chips.data:schemes
[bitjoule.models]
ours = chips:MODELS
[bitjoule.platforms]
ours = chips.platforms
[bitjoule.technologies]
ours = chips.data:technologies
[bitjoule.libraries]
cells = chips.data:cells
[bitjoule.plots]
totals = chips.totals
"""
MODELS = """\
family: toy
source: this test
where: here
models:
  toy-1m: {layers: 2, hidden: 64, heads: 4, ffn: 128, ffn_gated: true, activation: silu, vocabulary: 100}
"""
SCHEMES = """\
schemes:
  w1a16: {description: ours, weights: binary, activations: fp16, attention: fp16, rescale: fp16, source: us,
          where: here}
"""
TOTALS = '''\
"""A plot in one module."""
from typing import Literal

from matplotlib.figure import Figure

from bitjoule.experiments.energy.plots import PhasePlot
from bitjoule.reports.figures.style import new_figure


class Plot(PhasePlot):
    """Energy of each case, and how many rows the long table has."""

    kind: Literal["totals"]
    wide: bool = False

    def needs(self):
        return frozenset({"actions"})


def draw(plot, frames, theme):
    figure = new_figure(8 if plot.wide else 4, 3)
    axes = figure.subplots()
    axes.bar(range(len(frames.summary)), frames.summary["energy_j"], color=theme.series[0])
    axes.set_title(f"{len(frames.plots.actions)} rows")
    return figure
'''
MINE = """\
name: mine
accounting: system
models: [toy-1m]
schemes: [w1a16, fp16]
technologies: [7nm, made]
platforms: [quick]
workload: {prompt_tokens: 8, new_tokens: 2}
plots: [{kind: totals, wide: true}, {kind: components}]
"""


@pytest.fixture
def chips(tmp_path):
    """Return a folder with a package that contributes one of each."""
    folder = tmp_path / "chips"
    files = {
        "__init__.py": f"from pathlib import Path\nMODELS = Path({str(folder)!r}) / 'models.yaml'\n",
        "data.py": f"def schemes():\n    return {str(folder / 'schemes.yaml')!r}\n\n"
        f"def technologies():\n    return {str(folder / 'technologies')!r}\n\n"
        f"def cells():\n    return [{str(default_liberty())!r}]\n",
        "models.yaml": MODELS,
        "schemes.yaml": SCHEMES,
        "platforms/__init__.py": "",
        "platforms/quick.yaml": "like: ternary-edge\n",
        "totals.py": TOTALS,
    }
    packages.install(tmp_path, "our-chips", ENTRIES, {f"chips/{name}": text for name, text in files.items()})
    (folder / "technologies").mkdir()
    write_technology(folder / "technologies" / "made.yaml")
    (tmp_path / "mine.yaml").write_text(MINE)
    return tmp_path


def test_the_names_of_another_package_are_listed_shown_and_run(chips):
    names = {"models": "toy-1m", "schemes": "w1a16", "platforms": "quick", "technologies": "made"}
    for (kind, name), listed in zip(
        names.items(), packages.several(chips, [["list", kind] for kind in names]), strict=True
    ):
        assert any(line.split()[:1] == [name] for line in listed.stdout.splitlines()), (kind, listed.stderr)
    ran = packages.bitjoule(chips, "run", "mine.yaml", "--out", "out")
    assert (ran.returncode, ran.stderr) == (0, "")
    folder = chips / "out" / "mine"
    summary = pd.read_csv(folder / "summary.csv")
    assert set(zip(summary["model"], summary["scheme"], summary["technology"], summary["platform"], strict=True)) == {
        ("toy-1m", scheme, technology, "quick") for scheme in ("w1a16", "fp16") for technology in ("7nm", "made")
    }
    assert {path.name for path in folder.glob("*.png")} == {
        "totals.png", "totals_dark.png", "components.png", "components_dark.png",
    }  # fmt: skip
    title = f"{len(pd.read_csv(folder / 'results.csv'))} rows"
    drawn = (
        "import bitjoule\n"
        "from bitjoule.reports.energy.pictures import drawings\n"
        "from bitjoule.reports.figures.style import THEMES\n"
        "figure = drawings(bitjoule.run('mine.yaml'))['totals'](THEMES[0])\n"
        "print(figure.axes[0].get_title(), figure.get_figwidth())\n"
    )
    assert packages.python(chips, "-c", drawn).stdout == f"{title} 8.0\n"
    assert json.loads((folder / "manifest.json").read_text())["versions"]["our-chips"] == "1.0"


def test_a_plot_of_another_package_is_checked_by_its_own_schema_and_is_in_the_json_schema(chips):
    change = "plots=[{kind: totals, wider: true}]"
    wrong, schema = packages.several(chips, [["check", "mine.yaml", "--set", change], ["schema"]])
    says = "plots[0].wider: unknown key (did you mean 'wide'?); expected one of"
    assert (wrong.returncode, wrong.stderr.count(says)) == (2, 1), wrong.stderr
    definitions = json.loads(schema.stdout)["$defs"]
    assert any(found.get("properties", {}).get("kind", {}).get("const") == "totals" for found in definitions.values())


def test_a_library_of_another_package_is_named_by_experiments_on_netlists(chips):
    gates = "name: g\ngates: {libraries: [cells], arrays: [tiny_8x4], stimuli: [worst]}\n"
    (chips / "gates.yaml").write_text(gates)
    (chips / "wrong.yaml").write_text(gates.replace("cells", "cell"))
    right, wrong = packages.several(chips, [["check", "gates.yaml"], ["check", "wrong.yaml"]])
    assert right.stdout == "gates.yaml: ok, 1 simulation of netlists\n"
    assert "gates.libraries[0]: 'cell' not found" in wrong.stderr
    code = "from bitjoule.gates.liberty.libraries import find_library\nprint(find_library(['cells']).paths[0])"
    assert packages.python(chips, "-c", code).stdout == f"{default_liberty()}\n"


FILES = "a YAML file, a folder of YAML files, a package that holds them, or a function that returns such a path"


@pytest.mark.parametrize(
    ("where", "text", "says"),
    sampled([
        ("data.py", "def schemes():\n    return 3\n",
         f"ours' of bitjoule.schemes: chips.data:schemes is of type int; expected {FILES}"),
        ("data.py", "def schemes():\n    return 'nowhere.yaml'\n",
         f"ours' of bitjoule.schemes: file not found: nowhere.yaml; expected {FILES}"),
        ("data.py", "def schemes():\n    raise KeyError('HOME')\n",
         f"ours' of bitjoule.schemes: chips.data:schemes() fails (KeyError: 'HOME'); expected {FILES}"),
        ("data.py", "", f"ours' of bitjoule.schemes: importing chips.data:schemes fails (AttributeError: module "
         f"'chips.data' has no attribute 'schemes'); expected {FILES}"),
        ("schemes.yaml", SCHEMES.replace("w1a16", "fp16"),
         "ours' of bitjoule.schemes: schemes.yaml: duplicate scheme 'fp16'; expected a unique name"),
        ("schemes.yaml", SCHEMES.replace("rescale:", "recsale:"),
         "ours' of bitjoule.schemes: unknown key (did you mean 'rescale'?) (CHIPS/schemes.yaml:2: "
         "schemes.w1a16.recsale); expected one of description, weights"),
        ("totals.py", TOTALS.replace('Literal["totals"]', 'Literal["sums"]'),
         "totals' of bitjoule.plots: the kind of chips.totals.Plot is not 'totals'; expected a module with Plot"),
        ("totals.py", TOTALS.replace("def draw", "def drawn"),
         "totals' of bitjoule.plots: chips.totals has no such Plot and draw; expected a module with Plot"),
    ], 2, "faults of packages"),
)  # fmt: skip
def test_what_is_wrong_in_another_package_is_said_in_one_line_that_names_it(chips, where, text, says):
    (chips / "chips" / where).write_text(text)
    ran = packages.bitjoule(chips, "check", "mine.yaml")
    expected = f"bitjoule: our-chips: entry point '{says.replace('CHIPS', str(chips / 'chips'))}"
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(expected), ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("returned", "says"),
    one_of_each(
        [
            [
                ("1 / 0", "drawing fails with ZeroDivisionError: division by zero; expected a figure"),
                ("axes", "draw gives Axes; expected a matplotlib Figure"),
            ]
        ],
        "plots that fail",
    ),
)
def test_a_plot_that_fails_is_named_and_leaves_no_folder(chips, returned, says):
    (chips / "chips" / "totals.py").write_text(TOTALS.replace("    return figure\n", f"    return {returned}\n"))
    ran = packages.bitjoule(chips, "run", "mine.yaml", "--out", "out", "--jobs", "1")
    assert (ran.returncode, ran.stderr) == (1, f"bitjoule: our-chips: entry point 'totals' of bitjoule.plots: {says}\n")
    assert not list((chips / "out").iterdir())


def test_without_the_metadata_of_bitjoule_itself_its_own_kinds_run(tmp_path):
    code = (
        "import importlib.metadata as m\n"
        "real = m.version\n"
        "def version(name):\n"
        "    if name == 'bitjoule':\n"
        "        raise m.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "m.version, m.entry_points = version, lambda **_: m.EntryPoints(())\n"
        "from bitjoule.cli import main\n"
        "assert main(['run', 'b158_mac_energy', 'measured_vs_table', '--no-plots', '--jobs', '1']) == 0\n"
    )
    ran = packages.python(tmp_path, "-c", code)
    assert ran.returncode == 0, ran.stderr
    manifest = json.loads((tmp_path / "results" / "b158_mac_energy" / "manifest.json").read_text())
    assert manifest["versions"]["bitjoule"] == "0.1.0"
