"""``bitjoule doctor``: which packages and programs are installed, and how to install the missing ones."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bitjoule.sim.bench.simulators import SimulatorError, find_compiler

NEEDED_FOR = {
    "rtl": "bitjoule rtl",
    "gates": "bitjoule calibrate",
    "fpga": "bitjoule rtl place",
    "models": "text of Hugging Face models",
    "fit": "bitjoule fit",
    "engines": "benchmarks/engine_times.py",
    "explore": "bitjoule explore, query, --results",
    "cluster": "--scheduler",
    "interop": "tests",
    "completion": "bitjoule completion",
    "docs": "make docs",
    "dev": "tests",
    "train": "bitjoule train",
}


class Finding(NamedTuple):
    """A package or program that bitjoule uses.

    Parameters
    ----------
    item, version
        Its name, and its version; empty if it is missing.
    needed_for, remedy
        Commands that use it, and how to install it.
    """

    item: str
    version: str
    needed_for: str
    remedy: str

    @property
    def required(self) -> bool:
        """Whether energy experiments fail without it."""
        return self.needed_for == "energy experiments"


def examine() -> list[Finding]:
    """Return the packages and programs that bitjoule uses, installed or not."""
    findings = [Finding("python", platform.python_version(), "energy experiments", "Python >= 3.11")]
    for requirement in importlib.metadata.requires("bitjoule") or ():
        name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]
        if name == "bitjoule":
            continue
        extra = re.search(r"extra == \W(\w+)", requirement)
        needed_for = NEEDED_FOR[extra[1]] if extra else "energy experiments"
        remedy = f"pip install 'bitjoule[{extra[1]}]'" if extra else f"pip install {name}"
        findings.append(Finding(name, _version(name), needed_for, remedy))
    packages = "your system's package manager"
    findings += [
        Finding("c++", _compiler(), "bitjoule rtl verify, simulate", packages),
        Finding("make", _program("make"), "bitjoule rtl verify", packages),
        Finding("perl", _perl(), "bitjoule rtl verify", packages),
        Finding("iverilog", _program("iverilog", "-V"), "bitjoule rtl verify --simulator icarus", packages),
    ]
    findings.append(Finding("git", _program("git"), "the commit in manifest.json", packages))
    return findings


def report(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines that are printed: whether energy experiments run, what is there, and what is not, by its remedy.

    Parameters
    ----------
    findings
        From `examine`.
    """
    missing = [finding for finding in findings if not finding.version]
    required = [finding.item for finding in missing if finding.required]
    yield (
        f"energy experiments cannot run without {', '.join(required)}"
        if required
        else "everything that energy experiments need is installed"
    )
    rows = [(each.item, each.version, each.needed_for) for each in findings if each.version]
    item, version, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    yield ""
    yield from (f"{row[0]:{item}}  {row[1]:{version}}  {row[2]}" for row in rows)
    by_remedy: dict[tuple[str, str], list[str]] = {}
    for finding in sorted(missing, key=lambda each: not each.required):
        by_remedy.setdefault((finding.needed_for, finding.remedy), []).append(finding.item)
    if missing:
        yield "\nnot installed:"
    for (needed_for, remedy), items in by_remedy.items():
        yield f"  {needed_for}: {', '.join(items)}; {remedy}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _compiler() -> str:
    """Return the version of the compiler that the native simulation uses, which CXX may name."""
    try:
        return _program(find_compiler())
    except SimulatorError:
        return ""


def _perl() -> str:
    match = re.search(r"\((v[^)]*)\)", _program("perl", "-v"))
    return match[1] if match else ""


def _program(name: str, option: str = "--version") -> str:
    if shutil.which(name) is None:
        return ""
    process = subprocess.run([name, option], capture_output=True, text=True, timeout=10, check=False)
    return next((line.strip() for line in process.stdout.split("\n") if line.strip()), "")
