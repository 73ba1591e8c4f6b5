"""What several tests need: small experiments and the command line in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitjoule import cli
from bitjoule.experiments.reader import Resolved, read_experiment

SMALL = """\
name: small
models: [bitnet-125m, llama-3-8b]
schemes: [fp16, bitnet]
technologies: [45nm, 7nm]
workload: {prompt_tokens: [1, 512], new_tokens: [0, 3], batch: 2}
baseline: {scheme: fp16}
"""


@pytest.fixture
def small() -> str:
    """Return the text of an experiment with a sweep, a baseline and both phases."""
    return SMALL


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
