"""What a result was made from: enough to make it again and to see that it is whole."""

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bitjoule.energy_models.documents import fingerprint
from bitjoule.energy_models.sources import DATA
from bitjoule.energy_models.validation import Strict
from bitjoule.energy_models.yaml_core import write_yaml
from bitjoule.experiments.folder import MANIFEST
from bitjoule.experiments.reader import Resolved

LIBRARIES = ("bitjoule", "numpy", "pandas", "matplotlib", "pyyaml", "pydantic")


def write_experiment(resolved: Resolved, path: Path) -> None:
    """Write an experiment with every default filled in; running the file gives the same tables.

    Parameters
    ----------
    resolved
        The experiment.
    path
        The file.
    """
    _write_yaml(resolved.experiment, path)


def _write_yaml(experiment: Strict, path: Path) -> None:
    data = experiment.model_dump(mode="json", exclude_none=True)
    path.write_text(write_yaml(data), encoding="utf-8")


def write_rest(
    folder: Path,
    experiment: Strict,
    inputs: Mapping[str, str],
    command: Sequence[str],
    seeds: Mapping[str, int],
    summary: str,
    draw: Callable[[Path], None],
) -> None:
    """Write what stands beside the tables of a run: summary.md, experiment.yaml, pictures and the manifest.

    Parameters
    ----------
    folder
        The result, with its tables.
    experiment
        With every default filled in.
    inputs, command, seeds
        As for `write_run_manifest`.
    summary
        Text of summary.md.
    draw
        Draws the pictures into a folder.
    """
    (folder / "summary.md").write_text(summary, encoding="utf-8")
    _write_yaml(experiment, folder / "experiment.yaml")
    draw(folder)
    write_run_manifest(folder, inputs, command, seeds)


def write_manifest(folder: Path, resolved: Resolved, command: Sequence[str]) -> None:
    """Write manifest.json: versions, commit, command, and the SHA-256 of every input, data file and output.

    Parameters
    ----------
    folder
        The result, complete but for the manifest.
    resolved
        What was run.
    command
        The command line.
    """
    write_run_manifest(folder, resolved.inputs, command, {})  # nothing in these accountings is drawn at random


def write_run_manifest(
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
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES} | dict(versions or {}),
        "git_commit": _git_commit(),
        "seeds": dict(seeds),
        "input": dict(inputs),
        "data": {path.relative_to(DATA).as_posix(): fingerprint(path) for path in used},
        "outputs": {path.name: fingerprint(path) for path in sorted(folder.iterdir())},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _git_commit() -> str | None:
    """Return the commit of the checkout that runs, with ``+`` if it has changes; none for an installed copy."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    tracked = git("ls-files", Path(__file__).name)  # a site-packages inside someone else's checkout is not ours
    return f"{commit}{'+' if git('status', '--porcelain') else ''}" if commit and tracked else None
