"""Batches on disk: what is read again, and what is not."""

import json

import numpy as np
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.exploration.evaluation import evaluate
from bitjoule.experiments.exploration.evaluator import Evaluator, in_this_process
from bitjoule.experiments.exploration.journal import HEADER, Journal
from bitjoule.experiments.exploration.run import key_of
from tests.experiments.exploration.cases import resolved


@pytest.fixture(scope="module")
def work():
    return resolved()


def counting(log):
    """Return what evaluates chunks and notes their designs."""

    def evaluates(base, space, chunks):
        log.extend(number for chunk in chunks for number in chunk)
        return in_this_process(base, space, chunks)

    return evaluates


def test_what_is_on_disk_is_not_evaluated_again_and_has_the_same_bytes(work, tmp_path):
    batches = [[3, 1, 2], [2, 7], [0]]
    first, again, log = [], [], []
    for folder, values, seen in ((tmp_path / "j", first, []), (tmp_path / "j", again, log)):
        evaluator = Evaluator(work.base, work.space, counting(seen), folder, {"a": "b"})
        for batch in batches:
            values.append(evaluator(batch))
    assert log == []
    for one, two in zip(first, again, strict=True):
        assert one.numbers.tolist() == two.numbers.tolist()
        assert one.problems == two.problems
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one.amounts, two.amounts, strict=True))
        assert {name: table.tobytes() for name, table in one.bands.items()} == {
            name: table.tobytes() for name, table in two.bands.items()
        }


def test_a_design_is_evaluated_once(work):
    log = []
    evaluator = Evaluator(work.base, work.space, counting(log))
    evaluator([1, 2, 1])
    evaluator([2, 3])
    assert evaluator([3, 1]) is None
    assert log == [1, 2, 3]
    assert evaluator.evaluations.numbers.tolist() == [1, 2, 3]
    assert evaluator.rows == {1: 0, 2: 1, 3: 2}


def test_unfinished_files_and_batches_of_another_exploration_are_removed(work, tmp_path):
    folder = tmp_path / "j"
    values = evaluate(work.base, work.space, [0])
    journal = Journal(folder, {"space": "x"})
    journal.write(0, values)
    (folder / "batch-000001.tmp").write_bytes(b"half")
    assert Journal(folder, {"space": "x"}).read(0, [0]) is not None
    assert Journal(folder, {"space": "x"}).read(0, [1]) is None
    assert Journal(folder, {"space": "x"}).read(1, [0]) is None
    assert not (folder / "batch-000001.tmp").exists()
    assert Journal(folder, {"space": "y"}).read(0, [0]) is None
    assert json.loads((folder / HEADER).read_text()) == {"space": "y"}


def test_the_key_depends_on_what_changes_values_and_not_on_the_plots(work):
    same = resolved(plots=[{"kind": "knobs"}], description="other words")
    assert key_of(work) == key_of(same)
    for changes in ({"workload__batch": 2}, {"explore__seed": 1}, {"explore__knobs": {"workload.batch": [1, 2]}}):
        assert key_of(resolved(**changes)) != key_of(work)


def test_a_disk_that_is_full_is_reported_and_leaves_no_half_file(work, tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j", {})
    values = evaluate(work.base, work.space, [0])

    def full(handle, **_):
        handle.write(b"some")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match="No space left on device"):
        journal.write(0, values)
    assert [path.name for path in (tmp_path / "j").iterdir()] == [HEADER]
