"""What a result was made from: enough to make it again and to see that it is whole."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bitjoule.energy_models.inputs.documents import fingerprint
from bitjoule.energy_models.inputs.plugins import contributing_packages
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.experiments.output.folder import MANIFEST

LIBRARIES = ("numpy", "pandas", "matplotlib", "pyyaml", "pydantic")


def write_manifest(
    folder: Path,
    inputs: Mapping[str, str],
    command: Sequence[str],
    seeds: Mapping[str, int],
    versions: Mapping[str, str] | None = None,
) -> None:
    """Write the manifest of any run.

    Parameters
    ----------
    folder
        The result, complete but for the manifest.
    inputs
        SHA-256 of each input file, by name as written.
    command
        The command line.
    seeds
        Of what was drawn at random.
    versions
        Of tools that not every run uses.
    """
    used = sorted(path for path in DATA.rglob("*") if path.suffix in {".csv", ".yaml", ".bib"})
    manifest = {
        "command": list(command),
        "python": platform.python_version(),
        "versions": _versions() | dict(versions or {}),
        "git_commit": _git_commit(),
        "seeds": dict(seeds),
        "input": dict(inputs),
        "data": {path.relative_to(DATA).as_posix(): fingerprint(path) for path in used},
        "outputs": {path.name: fingerprint(path) for path in sorted(folder.iterdir())},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _versions() -> dict[str, str]:
    """Return the versions of bitjoule, of the libraries that it uses, and of packages that contribute to it."""
    found = {"bitjoule": str(sys.modules["bitjoule"].__version__)}  # known also without the package's metadata
    return found | {name: importlib.metadata.version(name) for name in LIBRARIES} | contributing_packages()


def _git_commit() -> str | None:
    """Return the commit of the checkout that runs, with ``+`` if it has changes; none for an installed copy."""
    here = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    tracked = git("ls-files", Path(__file__).name)  # a site-packages inside someone else's checkout is not ours
    return f"{commit}{'+' if git('status', '--porcelain') else ''}" if commit and tracked else None
