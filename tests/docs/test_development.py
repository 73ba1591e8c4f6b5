"""The additions that docs/development.md works out do what the page says, as they stand there."""

import csv
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree

import matplotlib.image
import pandas as pd
import pytest

from bitjoule.energy_models.inputs.plugins import GROUPS
from tests.bitjoule import packages

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
DATA_HEADING, PACKAGE_HEADING = "\n## Worked additions to the data files\n", "\n## Worked additions in a package"
DATA_PART, PACKAGE_PART = PAGE.split(DATA_HEADING)[1].split(PACKAGE_HEADING)
BLOCK = re.compile(r"^```\w+ (add|file|in)=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(part):
    """Return the arguments of each command that a part of the page shows."""
    shown = [text for how, _, text in BLOCK.findall(part) if how == "in"]
    assert len(shown) == 1
    return [shlex.split(line)[1:] for line in shown[0].splitlines()]


def run_all(part, run):
    """Run every command of a part; return what each printed, by its text."""
    printed = {}
    for arguments in commands(part):
        done = run(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        printed[" ".join(arguments)] = done.stdout
    return printed


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a copy of the code's data with the page's rows, and what its commands print there."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "bitjoule").mkdir()
    for entry in (ROOT / "bitjoule").iterdir():
        if entry.name != "energy_models":
            (folder / "bitjoule" / entry.name).symlink_to(entry.resolve())
    copytree(ROOT / "energy_models", folder / "bitjoule" / "energy_models")
    for how, name, text in BLOCK.findall(DATA_PART):
        path = folder / ("bitjoule" if "/" in name else "") / name
        if how == "add":
            path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
        elif how == "file":
            assert not path.exists()
            path.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}

    def run(*arguments):
        command = [sys.executable, "-m", "bitjoule", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return folder, run_all(DATA_PART, run)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a folder with the page's package installed, and what its commands print there."""
    folder = tmp_path_factory.mktemp("package")
    files = {name: text for how, name, text in BLOCK.findall(PACKAGE_PART) if how == "file"}
    project = tomllib.loads(files["pyproject.toml"])["project"]
    entries = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in project["entry-points"].items()
    )
    packages.install(folder, project["name"], entries, files)
    return folder, run_all(PACKAGE_PART, lambda *arguments: packages.bitjoule(folder, *arguments))


def sums(folder, experiment, **keys):
    """Return the count and the energy in pJ of some rows of the long table."""
    with (folder / "results" / experiment / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if all(row[key] in value for key, value in keys.items())]
    assert rows, keys
    return sum(float(row["count"]) for row in rows), sum(float(row["energy_pj"]) for row in rows)


LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down")
LAYERS, HIDDEN, FFN = 12, 768, 3072  # bitnet-125m: four square matrices and two of the FFN in a layer
WEIGHTS = LAYERS * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * FFN)
OUTPUTS = LAYERS * (5 * HIDDEN + FFN)


@pytest.mark.slow
def test_a_packing_is_an_entry_and_weights_take_its_bits(data):
    folder, printed = data
    assert "word_bits: 32\nvalues: 20\n" in printed["show storage ternary20"]
    read = {"scheme": ("bitnet-b1.58-20in32",), "component": LINEARS, "phase": ("decode",)}
    bits, _ = sums(folder, "added", **read, operand=("weights",), action=("off_chip_read",), format=("ternary20",))
    assert bits == pytest.approx(3 * WEIGHTS * 32 / 20)  # each of three new tokens reads every weight
    unpacked, energy_pj = sums(folder, "added", **read, operand=("unpacking",), action=("add",), format=("int8",))
    assert unpacked == pytest.approx(3 * WEIGHTS / 20 * 19)
    assert energy_pj == pytest.approx(0.03 * unpacked)  # operations.csv, 45 nm


@pytest.mark.slow
def test_a_number_format_is_rows_and_its_multiplications_are_priced_as_they_say(data):
    folder, _ = data
    weights = {"scheme": ("fp8",), "component": LINEARS, "operand": ("weights",)}
    count, energy_pj = sums(folder, "added", **weights, action=("mul",), format=("fp8_e4m3",))
    assert count == (7 + 3) * WEIGHTS
    assert energy_pj == pytest.approx(0.25 * count)
    bits, _ = sums(folder, "added", **weights, phase=("decode",), action=("off_chip_read",), format=("fp8_e4m3",))
    assert bits == pytest.approx(3 * WEIGHTS * 8)


@pytest.mark.slow
def test_a_price_is_a_row_and_its_node_a_technology(data):
    folder, printed = data
    assert "energy_pj: 0.02\nlow_pj: 0.015\nhigh_pj: 0.025\n" in printed["show price operations.csv:28nm:add:int8"]
    count, energy_pj = sums(folder, "priced", component=LINEARS, action=("add",), format=("int8",))
    assert count == 4 * (WEIGHTS - OUTPUTS)
    assert energy_pj == pytest.approx(0.02 * count)


TOY = 2 * (4 * 64 * 64 + 3 * 64 * 128)  # weights of the toy's linears


@pytest.mark.slow
def test_a_model_a_scheme_and_a_platform_of_a_package_are_listed_shown_and_run(package):
    folder, printed = package
    listed = next(line.split() for line in printed["list models"].splitlines() if line.startswith("toy-82k "))
    # the linears, the embedding that is the head too or a second one, and the norms: two a layer and the last
    parameters = int(re.search(r"^parameters: (\d+)$", printed["show model toy-82k"], re.MULTILINE)[1])
    assert parameters == TOY + 2 * 100 * 64 + (2 * 2 + 1) * 64
    assert listed[0] == "toy-82k"
    assert "\nOur report on small models" in printed["show model toy-82k"]
    assert "weights: binary\n" in printed["show scheme w1a16"]
    assert "read_pj_per_bit: 2" in printed["show platform quick"]
    read = {"component": LINEARS, "operand": ("weights",), "action": ("off_chip_read",)}
    for scheme, width in (("w1a16", 1), ("fp16", 16)):
        bits, energy_pj = sums(folder, "mine", **read, scheme=(scheme,), phase=("decode",))
        assert (bits, energy_pj) == (2 * TOY * width, 2 * 2 * TOY * width)
    bits, energy_pj = sums(folder, "mine", scheme=("fp16",), component=("kv_cache_write",), action=("off_chip_write",))
    assert (bits, energy_pj) == ((4 + 2) * 2 * 2 * 64 * 16, 3 * (4 + 2) * 2 * 2 * 64 * 16)


@pytest.mark.slow
def test_a_plot_of_a_package_is_drawn_with_the_cases_that_were_run(package):
    folder, _ = package
    assert matplotlib.image.imread(folder / "results" / "mine" / "totals.png").std() > 0.01
    drawn = (
        "import bitjoule\n"
        "from bitjoule.reports.energy.pictures import drawings\n"
        "from bitjoule.reports.figures.style import THEMES\n"
        "axes = drawings(bitjoule.run('mine.yaml'))['totals'](THEMES[0]).axes[0]\n"
        "print(axes.get_yscale(), *[bar.get_height() for bar in axes.patches])\n"
    )
    scale, *heights = packages.python(folder, "-c", drawn).stdout.split()
    energies_uj = [sums(folder, "mine", scheme=(scheme,))[1] / 1e6 for scheme in ("w1a16", "fp16")]
    assert scale == "log"
    assert [float(height) for height in heights] == pytest.approx(energies_uj)


@pytest.mark.slow
def test_a_kind_of_a_package_is_checked_and_run(package):
    folder, printed = package
    assert "bytes.yaml: ok, 2 ways to store values\n" in printed["check mine.yaml bytes.yaml"]
    table = pd.read_csv(folder / "results" / "bytes" / "summary.csv")
    # two bits a trit, and eight bits for five trits
    assert table.to_dict("list") == {"storage": ["ternary2", "ternary5"], "size_bytes": [250.0, 200.0]}
    wrong = packages.bitjoule(folder, "check", "bytes.yaml", "--set", "stored=[ternary6]")
    assert (wrong.returncode, "ternary6" in wrong.stderr) == (2, True)


def test_every_group_of_entry_points_and_every_folder_is_told():
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert set(GROUPS) <= set(rows)
    for home in ("energy_models", "gates", "rtl", "sim", "experiments", "reports"):
        assert f"{home}/" in rows
    for package in (ROOT / "energy_models").glob("*/__init__.py"):
        assert f"energy_models/{package.parent.name}/" in rows
    for row in rows:
        assert not row.endswith("/") or (ROOT / row).is_dir(), row


def test_lines_fit_a_page():
    assert max(map(len, PAGE.splitlines())) <= 120
