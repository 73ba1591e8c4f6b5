"""What is installed, what is missing, how to get it."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
from typing import NamedTuple

from bitjoule.sim.bench.simulators import SimulatorError, find_compiler

NEEDED_FOR = {
    "rtl": "bitjoule rtl",
    "gates": "bitjoule calibrate",
    "models": "text of Hugging Face models",
    "interop": "tests",
    "dev": "tests",
    "train": "training the small models",
}


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
        if name == "bitjoule":
            continue
        extra = re.search(r"extra == \W(\w+)", requirement)
        need = NEEDED_FOR[extra[1]] if extra else "energy experiments"
        remedy = f"pip install 'bitjoule[{extra[1]}]'" if extra else f"pip install {name}"
        found.append(Finding(name, _version(name), need, remedy))
    packages = "your system's package manager"
    found += [
        Finding("c++", _compiler(), "bitjoule rtl verify, simulate", packages),
        Finding("make", _program("make"), "bitjoule rtl verify", packages),
        Finding("perl", _perl(), "bitjoule rtl verify", packages),
        Finding("iverilog", _program("iverilog", "-V"), "bitjoule rtl verify --simulator icarus", packages),
    ]
    found.append(Finding("git", _program("git"), "the commit in manifest.json", "your system's package manager"))
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _compiler() -> str:
    """Return the version of the compiler that the native simulation would take: CXX counts."""
    try:
        return _program(find_compiler())
    except SimulatorError:
        return ""


def _perl() -> str:
    found = re.search(r"\((v[^)]*)\)", _program("perl", "-v"))
    return found[1] if found else ""


def _program(name: str, ask: str = "--version") -> str:
    if shutil.which(name) is None:
        return ""
    done = subprocess.run([name, ask], capture_output=True, text=True, timeout=10, check=False)
    return next((line.strip() for line in done.stdout.split("\n") if line.strip()), "")
