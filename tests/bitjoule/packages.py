"""Packages of a user's own, as pip would have left them in a folder on the path."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SEVERAL = """
import contextlib, io, json, sys
from bitjoule.cli import main
found = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    found.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


class Ran(NamedTuple):
    """What a command line gave."""

    returncode: int
    stdout: str
    stderr: str


def install(folder: Path, name: str, entry_points: str, files: Mapping[str, str]) -> None:
    """Write a package's files, and the metadata that say which entry points it has."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder of packages on its path."""
    path = os.pathsep.join([str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )


def bitjoule(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line with a folder of packages on its path."""
    return python(folder, "-m", "bitjoule", *arguments)


def several(folder: Path, commands: Sequence[Sequence[str]]) -> list[Ran]:
    """Run command lines one after the other in one process: a start takes longer than most commands."""
    done = python(folder, "-c", SEVERAL, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return [Ran(*found) for found in json.loads(done.stdout)]
