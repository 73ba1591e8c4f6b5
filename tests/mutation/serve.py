"""Runs pytest in forks of a process that has the libraries in memory: a mutant's tests start at once.

A line of JSON on stdin is a folder and pytest's arguments. The lines of its tests follow on stdout, between
``PID number`` and ``EXIT status``.
"""

import importlib
import json
import os
import sys
import traceback

import pytest

LIBRARIES = (
    "amaranth.sim", "hypothesis.strategies", "matplotlib.backends.backend_agg", "matplotlib.figure", "numpy",
    "numpy.testing", "pandas", "pandas.testing", "pydantic", "yaml",
)  # fmt: skip


def _run(folder: str, arguments: list[str]) -> int:
    os.setsid()  # what the tests start ends with them
    print(f"\nPID {os.getpid()}", flush=True)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = folder
    sys.path.insert(0, folder)
    try:
        return int(pytest.main([*arguments, "-W", "ignore::pytest.PytestAssertRewriteWarning"]))
    finally:
        sys.stdout.flush()


def main() -> None:
    """Serve until stdin ends."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in iter(sys.stdin.readline, ""):
        folder, arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _run(folder, arguments)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(f"\nEXIT {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
