"""Locks: who waits does so without end, who does not is told at once."""

from pathlib import Path

import pytest

from bitjoule.sim.locks import acquire, release


def test_waiting_for_a_lock_has_no_end(tmp_path: Path) -> None:
    lock = acquire(tmp_path / "held")
    assert lock is not None
    assert lock.timeout < 0  # filelock's way to say so
    release(lock)


def test_a_lock_that_another_holds_is_none_to_who_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "held"
    first = acquire(path)
    assert first is not None
    assert acquire(path, wait=False) is None
    release(first)
    second = acquire(path, wait=False)
    assert second is not None
    release(second)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="this system has no /proc")
@pytest.mark.parametrize("wait", [True, False])
def test_where_no_file_can_be_made_a_lock_is_an_error_and_not_waited_for(wait: bool) -> None:
    with pytest.raises(OSError, match=r"/proc/x\.lock"):
        acquire(Path("/proc/x.lock"), wait)
