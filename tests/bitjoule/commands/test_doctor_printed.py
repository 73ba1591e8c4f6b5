"""What ``bitjoule doctor`` prints of each package and program, and how it asks programs for their versions."""

import re
import subprocess
from pathlib import Path

import pytest

from bitjoule.commands import doctor
from bitjoule.commands.doctor import Finding

ENERGY = "energy experiments"
FOUND = [
    Finding("c++", "", "bitjoule rtl verify", "your system's package manager"),
    Finding("perl", "", "bitjoule rtl verify", "your system's package manager"),
    Finding("amaranth", "", "bitjoule rtl", "pip install 'bitjoule[rtl]'"),
    Finding("python", "3.13.1", ENERGY, "Python >= 3.11"),
    Finding("a-long-name-of-one", "1.2.3", "bitjoule rtl", "pip install 'bitjoule[rtl]'"),
    Finding("make", "GNU Make 4.4.1", "bitjoule rtl verify", "your system's package manager"),
    Finding("numpy", "", ENERGY, "pip install numpy"),
]
ROWS = [
    ["python", "3.13.1", "energy experiments"],
    ["a-long-name-of-one", "1.2.3", "bitjoule rtl"],
    ["make", "GNU Make 4.4.1", "bitjoule rtl verify"],
]
NUMPY = "  energy experiments: numpy; pip install numpy"
OTHERS = [
    "  bitjoule rtl verify: c++, perl; your system's package manager",
    "  bitjoule rtl: amaranth; pip install 'bitjoule[rtl]'",
]


@pytest.mark.parametrize(
    ("findings", "verdict", "missing", "expected"),
    [
        (FOUND, "energy experiments cannot run without numpy", [NUMPY, *OTHERS], 1),
        (FOUND[:-1], "everything that energy experiments need is installed", OTHERS, 0),
        (FOUND[3:6], "everything that energy experiments need is installed", [], 0),
    ],
)
def test_the_verdict_is_first_then_what_is_there_then_what_is_not_by_what_installs_it(
    bitjoule, monkeypatch, findings, verdict, missing, expected
):
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    status, out, err = bitjoule("doctor")
    assert (status, err) == (expected, "")
    told, _, rest = out.partition("\n\n")
    assert told == verdict
    table, _, absent = rest.removesuffix("\n").partition("\n\n")
    rows = table.splitlines()
    assert [re.split(r"  +", row) for row in rows] == ROWS
    for place in (1, 2):  # columns begin below each other
        assert len({row.index(cells[place]) for row, cells in zip(rows, ROWS, strict=True)}) == 1
    assert absent.splitlines() == (["not installed:", *missing] if missing else [])


def program(folder: Path, name: str, *lines: str) -> None:
    """Write a program that prints its argument and some lines."""
    file = folder / name
    file.write_text("#!/bin/sh\nprintf '\\n'\n" + "".join(f'echo "{line}"\n' for line in lines))
    file.chmod(0o755)


def test_a_version_is_the_first_line_that_a_program_prints_of_itself(tmp_path, monkeypatch):
    """Perl's stands in the middle of a sentence; iverilog has no ``--version``."""
    monkeypatch.setattr("importlib.metadata.requires", lambda _: [])
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("make", "git", "iverilog"):
        program(tmp_path, name, f"  {name} of $1  ", "another line")
    program(tmp_path, "perl", "This is perl 5, version 40, subversion 1 (v5.40.1) built for $1", "Copyright (C) 1987")
    versions = {finding.item: finding.version for finding in doctor.examine()}
    assert {name: versions[name] for name in ("make", "perl", "iverilog", "git")} == {
        "make": "make of --version", "perl": "v5.40.1", "iverilog": "iverilog of -V", "git": "git of --version",
    }  # fmt: skip
    for name in ("make", "perl", "git"):
        (tmp_path / name).unlink()
    gone = {finding.item: finding.version for finding in doctor.examine()}
    assert [gone[name] for name in ("make", "perl", "iverilog", "git")] == ["", "", "iverilog of -V", ""]


def test_what_a_program_prints_is_asked_for_ten_seconds_at_most(monkeypatch):
    asked = []

    def run(command, **options):
        asked.append((command, options["timeout"]))
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.setattr(subprocess, "run", run)
    assert doctor._program("sh") == ""
    assert asked == [(["sh", "--version"], 10)]
