"""What ``bitjoule doctor`` prints of each package and program, and how it asks programs for their versions."""

import re
import subprocess
from pathlib import Path

import pytest

from bitjoule.commands import doctor
from bitjoule.commands.doctor import Finding

ENERGY = "energy experiments"
FOUND = [
    Finding("python", "3.13.1", ENERGY, "Python >= 3.11"),
    Finding("numpy", "", ENERGY, "pip install numpy"),
    Finding("a-long-name-of-one", "1.2.3", "bitjoule rtl", "pip install 'bitjoule[rtl]'"),
    Finding("make", "GNU Make 4.4.1", "bitjoule rtl verify", "your system's package manager"),
    Finding("perl", "", "bitjoule rtl verify", "your system's package manager"),
]
LINES = [
    ["python", "3.13.1", "energy experiments"],
    ["numpy", "-", "energy experiments", "MISSING: pip install numpy"],
    ["a-long-name-of-one", "1.2.3", "bitjoule rtl"],
    ["make", "GNU Make 4.4.1", "bitjoule rtl verify"],
    ["perl", "-", "bitjoule rtl verify", "MISSING: your system's package manager"],
]


@pytest.mark.parametrize(
    ("findings", "lines", "last", "expected"),
    [
        (FOUND, LINES, "missing: numpy", 1),
        (FOUND[::2] + FOUND[4:], LINES[::2] + LINES[4:], "everything that energy experiments need is installed", 0),
    ],
)
def test_each_has_a_line_with_its_version_what_needs_it_and_how_to_install_what_is_missing(
    bitjoule, monkeypatch, findings, lines, last, expected
):
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    status, out, err = bitjoule("doctor")
    assert (status, err) == (expected, "")
    *rows, empty, told = out.splitlines()
    assert (empty, told) == ("", last)
    assert [re.split(r"  +", row) for row in rows] == lines
    for place in range(1, 4):  # columns begin below each other
        assert len({row.index(cells[place]) for row, cells in zip(rows, lines, strict=True) if len(cells) > place}) == 1


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
