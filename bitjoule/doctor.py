"""What is installed, what is missing, how to get it."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
from typing import NamedTuple


class Finding(NamedTuple):
    """One thing looked for.

    Parameters
    ----------
    item, found
        What, and its version; empty if it is missing.
    needed_for, remedy
        Why, and how to get it.
    """

    item: str
    found: str
    needed_for: str
    remedy: str

    @property
    def required(self) -> bool:
        """Whether bitjoule's main job fails without it."""
        return self.needed_for == "energy experiments"


def examine() -> list[Finding]:
    """Look for everything that bitjoule uses."""
    found = [Finding("python", platform.python_version(), "energy experiments", "Python >= 3.11")]
    for requirement in importlib.metadata.requires("bitjoule") or ():
        name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]
        extra = "extra ==" in requirement
        need, remedy = (
            ("tests", "pip install 'bitjoule[dev]'") if extra else ("energy experiments", f"pip install {name}")
        )
        found.append(Finding(name, _version(name), need, remedy))
    found.append(Finding("git", _program("git"), "the commit in manifest.json", "your system's package manager"))
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _program(name: str) -> str:
    if shutil.which(name) is None:
        return ""
    done = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.split("\n")[0].strip()
