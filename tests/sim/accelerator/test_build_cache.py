"""The cache of builds: one build of each content, whoever else builds, and nothing half-made."""

import multiprocessing
import os
import threading
import time
from pathlib import Path
from typing import TextIO

import pytest

from bitjoule.sim.accelerator.build_cache import cache_folder, cached, content_hash
from bitjoule.sim.bench.simulators import SimulatorError

fcntl = pytest.importorskip("fcntl")  # what other processes lock with here

pytestmark = pytest.mark.usefixtures("empty_cache")
PROCESSES = 3
HANGS_S = 600  # no machine is so busy


def test_what_a_killed_build_left_behind_is_removed_by_the_next() -> None:
    left = cache_folder() / ".left-over.abc"
    other = cache_folder() / ".left-over-too.abc"
    for folder in (left, other):
        (folder / "work").mkdir(parents=True)
    cached("left-over", lambda folder: (folder / "whole").touch())
    assert not left.exists()
    assert other.exists()
    other.joinpath("work").rmdir()
    other.rmdir()


def test_who_waited_for_a_lock_that_is_gone_waits_for_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    path = cache_folder() / "waited-for.lock"
    built, tried = threading.Event(), {}
    lock = fcntl.flock

    def flock(file: int, operation: int) -> None:
        try:
            lock(file, operation)
        finally:
            tried[os.fstat(file).st_ino].release()

    def wait_until_tried(file: TextIO) -> None:
        assert tried[os.fstat(file.fileno()).st_ino].acquire(timeout=HANGS_S)

    with path.open("w") as gone:
        lock(gone, fcntl.LOCK_EX)
        tried[os.fstat(gone.fileno()).st_ino] = threading.Semaphore(0)
        monkeypatch.setattr(fcntl, "flock", flock)
        waiting = threading.Thread(target=cached, args=("waited-for", lambda _: built.set()))
        waiting.start()
        wait_until_tried(gone)
        path.unlink()
        with path.open("w") as new:
            tried[os.fstat(new.fileno()).st_ino] = threading.Semaphore(0)
            lock(new, fcntl.LOCK_EX)
            lock(gone, fcntl.LOCK_UN)
            wait_until_tried(new)
            assert not built.is_set()
        waiting.join(HANGS_S)
    assert built.is_set()


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        SimulatorError, match=r"cannot write builds to .*/file/cache: .*; set BITJOULE_CACHE to a writable directory"
    ):
        cached("thing", lambda _: None)


def _build_once_all_have_come(log: Path) -> str:
    """Build, but not before every process asks for it: each writes a line when it does."""

    def written(word: str) -> int:
        return log.read_text(encoding="ascii").splitlines().count(word)

    def write(word: str) -> None:
        with log.open("a", encoding="ascii") as file:
            file.write(f"{word}\n")

    def build(folder: Path) -> None:
        write("built")
        while written("came") < PROCESSES:
            time.sleep(0.01)
        (folder / "thing").write_text("made", encoding="ascii")

    write("came")
    return (cached("slow-thing", build) / "thing").read_text(encoding="ascii")


def test_processes_that_build_at_once_build_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        # A process that has begun is blocked until all have: none takes two.
        assert pool.map(_build_once_all_have_come, [log] * PROCESSES, chunksize=1) == ["made"] * PROCESSES
    assert sorted(log.read_text(encoding="ascii").split()) == ["built", *["came"] * PROCESSES]
    assert sorted(path.name for path in cache_folder().glob("*slow-thing*")) == ["slow-thing"]


def test_a_failed_build_leaves_nothing() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise SimulatorError("no")

    with pytest.raises(SimulatorError):
        cached("failing", fail)
    assert list(cache_folder().glob("*failing*")) == []
    assert cached("failing", lambda folder: (folder / "whole").touch()).joinpath("whole").exists()


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITJOULE_CACHE", "~/there")
    assert cache_folder() == Path.home() / "there"
    monkeypatch.delenv("BITJOULE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/bitjoule")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "bitjoule"


def test_hash_knows_borders() -> None:
    assert content_hash("ab", "c") != content_hash("a", "bc")
    assert content_hash("ab", b"c") == content_hash(b"ab", "c")
