"""A result tells what it was made from and can be made again."""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from bitjoule import __version__
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.output import manifest

CONFIGS = Path(__file__).parents[2] / "energy_models" / "configs"
TABLES = ("results.csv", "summary.csv", "summary.md")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_manifest_has_the_hash_of_every_output_and_input(tmp_path, small, bitjoule):
    (tmp_path / "e.yaml").write_text(small)
    assert bitjoule("run", tmp_path / "e.yaml", "--out", tmp_path)[0] == 0
    folder = tmp_path / "small"
    written = json.loads((folder / "manifest.json").read_text())
    outputs = {path.name: digest(path) for path in folder.iterdir() if path.name != "manifest.json"}
    assert written["outputs"] == outputs
    assert written["input"] == {"e.yaml": digest(tmp_path / "e.yaml")}
    assert written["command"][:2] == ["bitjoule", "run"]
    libraries = ("numpy", "pandas", "matplotlib", "pyyaml", "pydantic")
    assert written["versions"] == {"bitjoule": __version__} | {name: version(name) for name in libraries}
    assert written["python"] == platform.python_version()
    assert (written["seeds"], written["warnings"]) == ({}, [])
    assert {"operations.csv", "memories.csv", "schemes.yaml", "models/bitnet.yaml", "sources.bib"} <= set(
        written["data"]
    )
    files = {path.relative_to(DATA).as_posix(): path for path in DATA.rglob("*.*")}
    assert written["data"] == {name: digest(path) for name, path in files.items() if path.suffix != ".md"}


def test_the_manifest_names_the_commit_whose_code_ran(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    module = checkout / "experiments" / "output" / "manifest.py"
    module.parent.mkdir(parents=True)
    module.write_bytes(Path(manifest.__file__).read_bytes())
    (checkout / "README.md").write_text("before")

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", "-C", checkout, *who, *words], capture_output=True, text=True, check=True).stdout

    def named():
        (tmp_path / "result").mkdir(exist_ok=True)
        manifest.write_manifest(tmp_path / "result", {}, ["bitjoule"], {})
        return json.loads((tmp_path / "result" / "manifest.json").read_text())["git_commit"]

    monkeypatch.setattr(manifest, "__file__", str(module))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert named() is None  # an installed copy
    git("init", "-q")
    git("add", "README.md")
    git("commit", "-q", "-m", "another project")
    assert named() is None  # an installed copy below another project
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    commit = git("rev-parse", "HEAD").strip()
    assert named() == commit
    (checkout / "README.md").write_text("after")
    assert named() == f"{commit}+"


def test_running_the_written_experiment_again_gives_the_same_bytes(tmp_path, small, bitjoule):
    (tmp_path / "llama-7b").mkdir()
    (tmp_path / "llama-7b" / "config.json").write_bytes((CONFIGS / "llama-7b" / "config.json").read_bytes())
    (tmp_path / "e.yaml").write_text(small.replace("llama-3-8b", "llama-7b/config.json"))
    change = ["--set", "workload.batch={start: 1, stop: 8, factor: 2}"]
    assert bitjoule("run", tmp_path / "e.yaml", "--out", tmp_path / "a", "--no-plots", *change)[0] == 0
    inputs = json.loads((tmp_path / "a" / "small" / "manifest.json").read_text())["input"]
    read = ("e.yaml", "llama-7b/config.json")
    assert inputs == {name: digest(tmp_path / name) for name in read}
    written = tmp_path / "a" / "small" / "experiment.yaml"
    assert bitjoule("run", written, "--out", tmp_path / "b", "--no-plots")[0] == 0
    for name in (*TABLES, "experiment.yaml"):
        assert (tmp_path / "a" / "small" / name).read_bytes() == (tmp_path / "b" / "small" / name).read_bytes()


@pytest.mark.parametrize("name", shipped_experiments("energy"))
def test_every_shipped_experiment_written_out_reads_back_as_itself(tmp_path, name):
    first = read_experiment(shipped_experiments("energy")[name]).experiment
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(first.model_dump(mode="json", exclude_none=True)))
    assert read_experiment(tmp_path / "x.yaml").experiment == first
