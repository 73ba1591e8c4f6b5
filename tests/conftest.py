"""What several tests need: small experiments and the command line in this process."""

import os

# Each process of pytest-xdist has its own processor: threads of BLAS and OpenMP beside it only wait in loops, which
# takes up to four times the processor time; and the last digits of sums depend on how many there are.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # NumPy and torch read it when they are imported

import contextlib
import gc
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tabulate import tabulate

from bitjoule import cli
from bitjoule.experiments.energy.resolve import Resolved, read_experiment
from tests.ends import checked
from tests.order import long_first
from tests.sampling import SEED
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]  # hooks, which pytest finds by name

SMALL = """\
name: small
models: [bitnet-125m, llama-3-8b]
schemes: [fp16, bitnet]
technologies: [45nm, 7nm]
workload: {prompt_tokens: [1, 512], new_tokens: [0, 3], batch: 2}
baseline: {scheme: fp16}
"""

EDGE = """\
name: edge
description: Two formats on edge devices <b>& more</b>
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: [16, 64], new_tokens: 8}
baseline: {scheme: fp16}
plots: [{kind: components}]
"""


# A busy machine is no fault: no example has to end in time.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Give all workers of this run one cache, empty at its start unless the user names one.

    What is built once is then built for all; what was built before the run, perhaps from other code, hides nothing.
    """
    os.environ.pop("COLUMNS", None)  # of the window of whoever runs the tests: tables are cut to it
    gc.set_threshold(50_000, 10, 10)  # what is imported and collected stays: walking it takes a twentieth of the time
    if "BITJOULE_CACHE" not in os.environ:
        cache = tempfile.mkdtemp(prefix="bitjoule-tests-")
        os.environ["BITJOULE_CACHE"] = cache  # workers of pytest-xdist, which start later, inherit it
        config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))
        config.add_cleanup(lambda: os.environ.pop("BITJOULE_CACHE"))


@pytest.hookimpl(trylast=True)  # of the tests that are selected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each process of pytest-xdist begin with long tests, so that at the end none waits for another."""
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes > 1:
        items[:] = long_first(
            items, lambda item: str(item.path), lambda item: item.get_closest_marker("slow") is not None, processes
        )


def pytest_report_header() -> str:
    """Say which seed draws the samples of tests that are too dear to run all."""
    return f"samples drawn by BITJOULE_SAMPLE_SEED={SEED}"


@pytest.fixture(scope="session", autouse=True)
def ends_in_order() -> Iterator[None]:
    """Check the low and high ends of every table that a test makes."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("tabulate", "bitjoule.reports.figures.markdown"):
            patch.setattr(f"{module}.tabulate", checked(tabulate))
        yield


@pytest.fixture
def small() -> str:
    """Return the text of an experiment with a sweep, a baseline and both phases."""
    return SMALL


@pytest.fixture(scope="session")
def run_edge(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that runs an experiment of whole requests and gives its output directory, which stays as it is.

    Arguments are further words of the command line.
    """
    folders: dict[tuple[str, ...], Path] = {}

    def run(*words: str) -> Path:
        if words not in folders:
            folder = tmp_path_factory.mktemp("edge")
            (folder / "edge.yaml").write_text(EDGE)
            command = ["run", str(folder / "edge.yaml"), "--jobs", "1", "--out", str(folder / "results"), *words]
            with contextlib.redirect_stdout(io.StringIO()):
                assert cli.main(command) == 0
            folders[words] = next((folder / "results").iterdir())
        return folders[words]

    return run


@pytest.fixture
def resolved(tmp_path: Path) -> Callable[..., Resolved]:
    """Return a function that reads experiment text as the command line does."""

    def read(text: str = SMALL, *overrides: str) -> Resolved:
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return read_experiment(path, overrides)

    return read


@pytest.fixture
def bitjoule(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command line and gives status, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what a file's tests build from what was built before, which would hide that it builds no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BITJOULE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
