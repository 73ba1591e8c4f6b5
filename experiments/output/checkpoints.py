"""The parts of a run that ended early: kept beside its output directory, and taken up by the same run.

The folder's name ends in a hash of all that decides the parts: the experiment with the files that it names, the code
and data of bitjoule, the versions of the libraries that compute and write. Parts of another run of the same name are
removed. A run holds the folder's lock; a second run of the same experiment keeps its parts apart, and nothing of them
if it ends early.
"""

import hashlib
import importlib.metadata
import json
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bitjoule.energy_models.inputs.plugins import contributing_packages
from bitjoule.experiments.output.folder import lock_folder
from bitjoule.sim.locks import release

MARK = ".bitjoule-parts-"
LIBRARIES = ("numpy", "pandas", "pyarrow")
_PACKAGES = ("energy_models", "experiments", "gates", "rtl", "sim")
_CODE = {".py", ".csv", ".yaml", ".cpp", ".h"}
_DIGITS = 16


def run_digest(experiment: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return the hash of all that decides a run's parts.

    Parameters
    ----------
    experiment
        The experiment with all defaults.
    inputs
        SHA-256 of each file that it names.
    """
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES} | contributing_packages()
    decides = [experiment, dict(inputs), versions, platform.python_version(), code_digest()]
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]


@cache
def code_digest() -> str:
    """Return a hash of the modules and data that compute and write results."""
    ours = sys.modules["bitjoule"]
    root, digest = Path(str(ours.__file__)).parent, hashlib.sha256(str(ours.__version__).encode())
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in _CODE and "shipped" not in path.parts:
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def kept_parts(target: Path, digest: str) -> Iterator[Path | None]:
    """Yield the folder of a run's parts, which stays if the block ends with an exception.

    Parameters
    ----------
    target
        The output directory.
    digest
        From `run_digest`.

    Yields
    ------
    Path or None
        The folder, which need not exist; none if another process has it.
    """
    folder = target.with_name(f".{target.name}{MARK}{digest}")
    lock = lock_folder(folder)
    if lock is None:
        yield None
        return
    try:
        for other in sorted(target.parent.glob(f".{target.name}{MARK}*")):
            if other.is_dir() and other != folder:
                _remove(other)
        yield folder
    finally:
        release(lock)


def _remove(folder: Path) -> None:
    """Remove the parts of another run, unless a process is at work on them."""
    lock = lock_folder(folder)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        release(lock)
