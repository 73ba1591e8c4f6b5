"""The manifest of a result: everything that is needed to reproduce it and to check that it is complete."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.inputs.plugins import contributing_packages
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.experiments.output.folder import MANIFEST, files_of

LIBRARIES = ("numpy", "pandas", "matplotlib", "pyyaml", "pydantic")


def write_manifest(
    folder: Path,
    inputs: Mapping[str, str],
    command: Sequence[str],
    seeds: Mapping[str, int],
    versions: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Write the manifest of any run.

    Parameters
    ----------
    folder
        The result, complete except for the manifest.
    inputs
        SHA-256 of each input file, by name as written.
    command
        The command line.
    seeds
        Seeds of the random numbers.
    versions
        Versions of tools that not every run uses.
    warnings
        Of the run.
    """
    data_files = sorted(path for path in DATA.rglob("*") if path.suffix in {".csv", ".yaml", ".bib"})
    manifest = {
        "command": list(command),
        "python": platform.python_version(),
        "versions": _versions() | dict(versions or {}),
        "git_commit": git_commit(),
        "seeds": dict(seeds),
        "warnings": list(warnings),
        "input": dict(inputs),
        "data": {path.relative_to(DATA).as_posix(): fingerprint(path) for path in data_files},
        "outputs": {name: fingerprint(folder / name) for name in files_of(folder)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _versions() -> dict[str, str]:
    """Return the versions of bitjoule, of the libraries that it uses, and of packages that contribute to it."""
    ours = {"bitjoule": str(sys.modules["bitjoule"].__version__)}  # available even without the package's metadata
    return ours | {name: importlib.metadata.version(name) for name in LIBRARIES} | contributing_packages()


def git_commit() -> str | None:
    """Return the commit of this checkout, with ``+`` if it has changes; none for an installed copy."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    tracked = git("ls-files", Path(__file__).name)  # __file__ may lie in another project's checkout
    return f"{commit}{'+' if git('status', '--porcelain') else ''}" if commit and tracked else None
