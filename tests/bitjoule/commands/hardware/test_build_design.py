"""``bitjoule explore --build``: a chosen design becomes verified Verilog, and what was predicted of it holds."""

import json
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from bitjoule.commands.hardware.build_design import number_of
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.output.manifest import fingerprint
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.experiments.exploration.cases import document
from tests.sampling import seldom

# 256 MACs: with as many lanes as the array from which the prices of netlists are, and fewer columns.
FEW = {"lanes": 64, "columns": 4, "max_k": 8192, "weight_bus_bits": 512, "tokens": 1}
KNOBS = {"accelerator.columns": [2, 4], "platform.buffers.weights.size_bytes": [65536, 131072]}
FILES = {
    "accelerator.json", "accelerator.v", "accelerator.yaml", "datasheet.md", "figures.csv", "manifest.json",
    "parts.csv", "platform.yaml", "verification.csv",
}  # fmt: skip
BUDGET = 0.15


@pytest.fixture
def few(tmp_path):
    """Return a function that writes an exploration of four small designs."""

    def write(**changes):
        defaults = {
            "technology": "45nm-measured", "accelerator": {"config": FEW, "array": "adders"}, "explore__knobs": KNOBS,
        }  # fmt: skip
        path = tmp_path / "few.yaml"
        path.write_text(yaml.safe_dump(document(**(defaults | changes))))
        return path

    return write


@pytest.mark.slow
@pytest.mark.parametrize("design", seldom(["best"], 4, "designs that are built"))
def test_the_best_design_is_built_and_its_area_clock_and_energy_are_as_predicted(bitjoule, few, tmp_path, design):
    path = few()
    status, out, err = bitjoule("explore", path, "--out", tmp_path, "--no-plots", "--build", design, "--cases", "5",
                                "--tables", "markdown")  # fmt: skip
    assert status == 0, err
    pareto = pd.read_csv(tmp_path / "small" / "pareto.csv")
    best = pareto[pareto["best"]].iloc[0]
    folder = tmp_path / f"small-design-{best['design']}"
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "datasheet.md").read_text() in out

    figures = pd.read_csv(folder / "figures.csv").set_index("figure")
    assert list(figures.index) == ["area", "clock", "energy of a MAC", "leakage"]
    for figure in ("area", "clock", "energy of a MAC"):
        assert abs(figures.loc[figure, "difference"]) <= BUDGET, figure
    told = figures.loc["area", "predicted"] / figures.loc["area", "synthesised"] - 1
    assert figures.loc["area", "difference"] == pytest.approx(told)
    verified = pd.read_csv(folder / "verification.csv").iloc[0]
    assert verified["cases"] == verified["passed"] > 5
    assert verified["matmuls"] >= verified["exact_cycles"] > 0

    # The same hardware as the other commands make of the same configuration.
    config = read_configuration(str(folder / "accelerator.yaml"))
    assert config.as_mapping() == {**config.as_mapping(), **FEW, "columns": best["accelerator.columns"]}
    assert bitjoule("rtl", "generate", folder / "accelerator.yaml", "-o", tmp_path / "again.v")[0] == 0
    for suffix in (".v", ".json"):
        assert (tmp_path / f"again{suffix}").read_bytes() == (folder / f"accelerator{suffix}").read_bytes()
    stimulus = next(word for word in (folder / "datasheet.md").read_text().split() if word.startswith("gaussian:"))
    status, printed, _ = bitjoule("rtl", "synthesize", folder / "accelerator.yaml", "--stimulus", stimulus.rstrip("."))
    assert status == 0
    rows = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in printed.splitlines() if line.strip()}
    energy_pj = float(rows["with glitches and wires"]) * 1e-3
    assert energy_pj == pytest.approx(figures.loc["energy of a MAC", "synthesised"], rel=1e-3)
    assert f"area           {figures.loc['area', 'synthesised']:.5g} um2" in printed

    # The platform file is the machine that was explored.
    request = {"prompt_tokens": 64, "new_tokens": 16}
    experiment = {"name": "same", "accounting": "system", "models": ["bitnet-125m"], "schemes": ["bitnet-b1.58"],
                  "technologies": ["45nm-measured"], "platforms": [str(folder / "platform.yaml")],
                  "workload": request}  # fmt: skip
    (tmp_path / "same.yaml").write_text(yaml.safe_dump(experiment))
    assert bitjoule("run", tmp_path / "same.yaml", "--out", tmp_path, "--no-plots")[0] == 0
    summary = pd.read_csv(tmp_path / "same" / "summary.csv")
    whole = summary[summary["phase"] == "request"].iloc[0]
    assert whole["energy_j"] == pytest.approx(best["energy_j"], rel=1e-12)

    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["outputs"] == {name: fingerprint(folder / name) for name in FILES - {"manifest.json"}}
    assert "--build" in manifest["command"]
    shutil.rmtree(folder)


@pytest.mark.parametrize("text", ["worst", "-1", "01", "1.5", ""])
def test_a_choice_that_is_neither_best_nor_a_number_is_refused(bitjoule, few, tmp_path, text):
    status, _, err = bitjoule("explore", few(), "--out", tmp_path / "out", f"--build={text}")
    assert status == 2
    assert "expected best, or the number of a design" in err
    assert not (tmp_path / "out").exists()


def test_a_number_beyond_the_space_is_refused_before_anything_is_evaluated(bitjoule, few, tmp_path):
    status, _, err = bitjoule("explore", few(), "--out", tmp_path / "out", "--build", "4")
    assert status == 2
    assert "--build:1: design 4: is not a design of the space; expected best, or a number from 0 to 3" in err
    assert not (tmp_path / "out").exists()


def test_a_library_that_cannot_be_used_is_refused_before_anything_is_evaluated(bitjoule, few, tmp_path):
    options = ["--out", tmp_path / "out", "--build", "best", "--liberty", "nowhere.lib"]
    status, _, err = bitjoule("explore", few(), *options)
    assert status == 2
    assert "nowhere.lib:1: file: not found" in err
    assert not (tmp_path / "out").exists()


def test_a_design_that_cannot_be_built_is_refused_with_its_key_and_what_can_be_built(bitjoule, few, tmp_path):
    path = few(explore__knobs={"platform.arrays.adders.columns": [4, 128]})
    status, _, err = bitjoule("explore", path, "--out", tmp_path / "out", "--build", "1")
    assert status == 2
    key = "design 1, platform.arrays.adders.columns"
    assert f"--build:1: {key}: got 128; expected a whole number from 1 to 64, to be built" in err
    assert not (tmp_path / "out").exists()


def test_of_the_best_design_that_is_found_out_after_the_exploration_which_stays(bitjoule, few, tmp_path):
    path = few(scheme="fp16", explore__knobs={"platform.arrays.float.columns": [4, 6]})
    status, _, err = bitjoule("explore", path, "--out", tmp_path / "out", "--no-plots", "--build", "best")
    assert status == 2
    assert "platform.arrays.float.lanes: got 4; expected a whole number from 8 to 256, to be built" in err
    assert (tmp_path / "out" / "small" / "pareto.csv").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small"]


def test_without_a_feasible_design_there_is_no_best_one(bitjoule, few, tmp_path):
    path = few(explore__constraints=["area_mm2 <= 0.001"])
    status, _, err = bitjoule("explore", path, "--out", tmp_path / "out", "--no-plots", "--build", "best")
    assert status == 2
    assert "--build:1: best: No design meets all constraints. Nearest to being met is area_mm2 <= 0.001" in err


def test_a_design_that_was_not_evaluated_or_has_no_result_is_refused():
    rows = [(3, "pareto", ""), (8, "no result", "no array computes fp16 x fp16"), (9, "undecided", ""),
            (5, "no result", "")]  # fmt: skip
    designs = pd.DataFrame(rows, columns=["design", "status", "problem"])
    result = SimpleNamespace(designs=designs, pareto=designs[:1], best=3)
    assert [number_of(result, text) for text in ("best", "3", "9")] == [3, 3, 9]
    with pytest.raises(InputError, match=r"design 7: was not evaluated; expected best, or a design .*Pareto set: 3"):
        number_of(result, "7")
    with pytest.raises(InputError, match="design 8: has no result: no array computes fp16 x fp16; expected best"):
        number_of(result, "8")
    with pytest.raises(InputError, match="design 5: has no result: a metric is not finite; expected best"):
        number_of(result, "5")
