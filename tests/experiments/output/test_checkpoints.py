"""Which parts of an earlier run are taken up: those of the same experiment, files, code, data and versions."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitjoule.experiments.output import checkpoints
from bitjoule.experiments.output.checkpoints import MARK, code_digest, kept_parts, run_digest

EXPERIMENT, INPUTS = {"name": "a", "models": ["x"]}, {"x/config.json": "0" * 64}
READ = ("energy_models/a.py", "experiments/energy/b.csv", "gates/c.yaml", "rtl/d.cpp", "sim/e/f.h")
OTHERS = ("reports/a.py", "kinds/b.py", "sim/README.md", "experiments/shipped/energy/c.yaml")


def test_a_hash_names_the_experiment_and_the_files_that_it_names():
    same = run_digest(dict(reversed(EXPERIMENT.items())), dict(INPUTS))
    others = [
        run_digest(EXPERIMENT | {"name": "b"}, INPUTS), run_digest(EXPERIMENT | {"models": ["y"]}, INPUTS),
        run_digest(EXPERIMENT, {}), run_digest(EXPERIMENT, {"x/config.json": "1" * 64}),
    ]  # fmt: skip
    assert run_digest(EXPERIMENT, INPUTS) == same
    assert len({same, *others}) == 5


@pytest.mark.parametrize("name", ["numpy", "pandas", "pyarrow"])
def test_a_hash_names_the_versions_of_the_libraries_and_of_python(monkeypatch, name):
    before = run_digest(EXPERIMENT, INPUTS)
    real = checkpoints.importlib.metadata.version
    monkeypatch.setattr(checkpoints.importlib.metadata, "version", lambda of: real(of) + "1" * (of == name))
    other = run_digest(EXPERIMENT, INPUTS)
    monkeypatch.undo()
    monkeypatch.setattr(checkpoints.platform, "python_version", lambda: "3.99.0")
    python = run_digest(EXPERIMENT, INPUTS)
    monkeypatch.undo()
    monkeypatch.setattr(checkpoints, "contributing_packages", lambda: {"theirs": "2.0"})
    assert len({before, other, python, run_digest(EXPERIMENT, INPUTS)}) == 4


def test_a_hash_names_every_file_that_decides_results_and_no_other(monkeypatch, tmp_path):
    def digest():
        return code_digest.__wrapped__()

    for name in (*READ, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    ours = SimpleNamespace(__file__=str(tmp_path / "__init__.py"), __version__="1")
    monkeypatch.setitem(sys.modules, "bitjoule", ours)
    first = digest()
    for name in (*READ, *OTHERS):
        (tmp_path / name).write_text("2")
        assert (digest() != first) == (name in READ), name
        (tmp_path / name).write_text("1")
    assert digest() == first
    (tmp_path / READ[0]).rename(tmp_path / "energy_models" / "z.py")
    moved = digest()
    ours.__version__ = "2"
    assert len({first, moved, digest()}) == 3


def begin(target: Path, digest: str, text: str) -> None:
    """Leave the parts of a run that ends early."""
    with pytest.raises(RuntimeError), kept_parts(target, digest) as folder:
        folder.mkdir()
        (folder / "part").write_text(text)
        raise RuntimeError


def test_parts_stay_for_the_same_hash_and_those_of_others_of_the_name_go(tmp_path):
    target, beside = tmp_path / "a", tmp_path / "ab"
    begin(target, "1", "first")
    begin(beside, "2", "beside")
    with kept_parts(target, "1") as folder:
        assert (folder / "part").read_text() == "first"
        with kept_parts(target, "1") as second:  # a second run of the same
            assert second is None
    with kept_parts(target, "3") as folder:
        assert not folder.exists()
    kept = [path.name for path in tmp_path.iterdir() if path.is_dir()]
    assert kept == [f".ab{MARK}2"]


def test_parts_that_a_process_is_at_work_on_are_left(tmp_path):
    with kept_parts(tmp_path / "a", "1") as first:
        first.mkdir()
        with kept_parts(tmp_path / "a", "2") as other:
            assert other.name == f".a{MARK}2"
        assert first.is_dir()
