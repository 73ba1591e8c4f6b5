"""The progress of a simulation that runs in another process, which writes how far it is into a file."""

import time

from bitjoule.sim.bench.verification import _Watcher


def told_after(told, count):
    """Return what was told once it is so often; it is looked at five times a second."""
    for _ in range(600):
        if len(told) >= count:
            return list(told)
        time.sleep(0.05)
    raise AssertionError(told)


def test_the_cases_that_are_done_and_all_are_told(tmp_path):
    file, told = tmp_path / "progress", []
    with _Watcher(file, 7, lambda done, total: told.append((done, total))):
        assert told_after(told, 1)[0] == (0, 7)
        for text, done in (("3", 3), ("", 0)):  # the file is empty while it is written
            file.write_text(text)
            seen = len(told)
            assert told_after(told, seen + 2)[-1] == (done, 7)
    ended = len(told)
    file.write_text("5")
    time.sleep(0.5)
    assert len(told) == ended


def test_without_a_function_nothing_is_told(tmp_path):
    with _Watcher(tmp_path / "progress", 7, None):
        assert (tmp_path / "progress").read_text() == "0"
