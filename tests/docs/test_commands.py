"""Every command that README and the pages show runs as it stands, or stands in a list that says why it does not.

Commands of bitjoule run in an empty directory, page by page. Of other programs' commands it is checked that what they
name is there: the targets of make, scripts and their options, tests, extras.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from bitjoule import cli
from tests.docs.shown import (
    FILE,
    PAGES,
    ROOT,
    RULES,
    Shown,
    in_the_gallery,
    is_form,
    is_name,
    of_bitjoule,
    ran_whole,
    relative,
    rule,
    shown,
)
from tests.docs.user_files import lay_out

WRITTEN = ("-o", "--out", "--table")  # options whose value is a file that the command writes
READ = re.compile(r"[\w./-]+\.(yaml|csv|lib|json|gguf)")
PARSER = cli._parser()
LITTLE = {"run": ("--no-plots", "--jobs=1", "--quiet"), "explore": ("--no-plots", "--jobs=1")}  # of the pictures


def to_run(page):
    """Return the commands of a page that run here: no mere names, and none that another test runs."""
    return [
        command
        for command in of_bitjoule(page)
        if not (
            is_form(command)
            or is_name(command, PARSER)
            or (in_the_gallery(command) and not rule("state", command))
            or (command.block and ran_whole(command.page))
            or rule("elsewhere", command)
        )
    ]


QUICK = {page: [c for c in to_run(page) if not rule("dear", c)] for page in PAGES}
QUICK = {page: commands for page, commands in QUICK.items() if commands}
DEAR = {command.text: command for page in reversed(PAGES) for command in to_run(page) if rule("dear", command)}


def run(bitjoule, command):
    """Run a command; return what is wrong with it: its error, or the files that it was to write and did not."""
    name, *words = command.words[1:]
    little = [word for word in LITTLE.get(name, ()) if word.partition("=")[0] not in words]
    status, out, error = bitjoule(name, *words, *little)
    if status:
        return [f"{command.text}: exit status {status}: {error}"]
    if command.into and not command.into.startswith("~"):
        Path(command.into).write_text(out)
    named = (path for flag, path in pairwise(words) if flag in ("-o", "--out"))
    return [f"{command.text}: no {path}" for path in named if not Path(path).exists()]


def prepare(page, folder):
    """Write the files that a page shows or speaks of."""
    lay_out(relative(page), folder)
    for name, text in FILE.findall(page.read_text(encoding="utf-8")):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def test_there_are_commands_of_every_kind():
    commands = [command for page in PAGES for command in of_bitjoule(page)]
    names = {command.words[1] for command in commands if command.words[1:]}
    assert {"run", "check", "new", "list", "show", "report", "explorer", "compare", "explore", "query", "rtl"} <= names
    assert len(commands) > 250
    assert sum(map(len, QUICK.values())) > 60
    assert len(DEAR) > 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_options_of_a_page_exist(page):
    wrong = {}
    for command in of_bitjoule(page):
        said = io.StringIO()
        if is_form(command):
            continue
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                PARSER.parse_args(command.words[1:])
            except SystemExit as ended:
                if ended.code and "the following arguments are required" not in said.getvalue():
                    wrong[command.text] = said.getvalue()
    assert wrong == {}


def test_a_command_that_fails_is_told(bitjoule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (told,) = run(bitjoule, Shown("a page", ("bitjoule", "list", "nothing"), True))
    assert re.match(r"list nothing: exit status 2: .*nothing", told, re.DOTALL)


@pytest.mark.parametrize("name", LITTLE)
@pytest.mark.parametrize("own", [(), ("--jobs", "2"), ("--no-plots", "--jobs", "2")], ids=" ".join)
def test_a_command_keeps_its_own_options(name, own):
    ran = []
    run(lambda *words: ran.extend(words) or (0, "", ""), Shown("a page", ("bitjoule", name, "mine.yaml", *own), True))
    parsed = PARSER.parse_args(ran)
    assert (parsed.jobs, parsed.no_plots) == (2 if own else 1, True)


def test_a_file_that_a_command_names_and_does_not_write_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = Shown("a page", ("bitjoule", "report", "results", "-o", "report.html"), True)
    assert run(lambda *_: (0, "", ""), command) == ["report results -o report.html: no report.html"]


@pytest.mark.slow
@pytest.mark.parametrize("page", QUICK, ids=relative)
def test_the_commands_of_a_page_run_in_its_order(bitjoule, tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    prepare(page, tmp_path)
    for command in QUICK[page]:
        assert run(bitjoule, command) == []


def lacking(command, folder):
    """Return the files that a dear command reads and that neither its page nor the commands before it write."""
    prepare(ROOT / command.page, folder)
    before = set(rule("dear", command).get("after", ()))
    written = {c.into for c in of_bitjoule(ROOT / command.page) if c.text in before and c.into}
    read = [word for flag, word in pairwise(command.words[1:]) if flag not in WRITTEN]
    return [word for word in read if READ.fullmatch(word) and word not in written and not (folder / word).exists()]


@pytest.mark.parametrize("command", DEAR.values(), ids=lambda command: f"{command.page}: {command.text}")
def test_the_files_of_a_command_that_takes_long_are_there(tmp_path, command):
    assert lacking(command, tmp_path) == []


def test_a_file_that_a_dear_command_lacks_is_told(tmp_path):
    words = ("bitjoule", "rtl", "verify", "no_such.yaml", "--matmul", "1x2x3", "-o", "written.csv")
    assert lacking(Shown("docs/hardware.md", words, True), tmp_path) == ["no_such.yaml"]


@pytest.mark.dear
@pytest.mark.parametrize("command", DEAR.values(), ids=lambda command: f"{command.page}: {command.text}")
def test_a_command_that_takes_long_runs(bitjoule, tmp_path, monkeypatch, command):
    for package in rule("dear", command).get("packages", ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    page = ROOT / command.page
    prepare(page, tmp_path)
    for text in rule("dear", command).get("after", ()):
        assert run(bitjoule, next(each for each in of_bitjoule(page) if each.text == text)) == []
    assert run(bitjoule, command) == []


@pytest.mark.slow
def test_the_exploration_of_the_page_has_designs_to_build(bitjoule, tmp_path, monkeypatch):
    """Building them is dear; that there is a best one is not."""
    monkeypatch.chdir(tmp_path)
    prepare(ROOT / "docs" / "exploration.md", tmp_path)
    status, out, _ = bitjoule("explore", "my_design.yaml", "--json", *LITTLE["explore"])
    (summary,) = json.loads(out)[0]["summary"]
    assert (status, summary["no_result"]) == (0, 0)
    assert 0 < summary["feasible"] < summary["evaluated"], "constraints that none or all designs meet show nothing"


@pytest.mark.dear
def test_a_sweep_runs_on_the_cluster_of_a_laptop(bitjoule, tmp_path, monkeypatch):
    """As docs/cluster.md has it, on the port that it names."""
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "cluster.md"
    prepare(page, tmp_path)
    lines = [command for command in shown(page) if "127.0.0.1" in " ".join(command.words)]
    (sweep,) = (command for command in lines if command.words[0] == "bitjoule")
    started = []
    try:
        for command in lines:
            if command.words[0] == "dask":
                words = [sys.executable, "-m", "distributed.cli.dask_" + command.words[1], *command.words[2:]]
                started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        assert run(bitjoule, sweep) == []
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)
    assert len(started) == 2


def test_what_does_not_run_is_in_the_list_with_its_reason():
    """The list is printed: `pytest -s tests/docs/test_commands.py -k reason`."""
    found = {}
    for page in PAGES:
        for command in shown(page):
            kind = "elsewhere" if command.words[0] == "bitjoule" else "others"
            if (row := rule(kind, command)) is not None:
                found[command.text if kind == "elsewhere" else " ".join(command.words)] = row
    print(*(f"{text}: {row['reason']}" for text, row in found.items()), sep="\n")  # noqa: T201
    for kind in ("elsewhere", "others"):
        unused = [row["command"] for row in RULES[kind] if row not in found.values()]
        assert unused == [], f"of no command: {kind}"
    for kind in ("dear", "state"):
        commands = [command for page in PAGES for command in of_bitjoule(page)]
        assert [row["command"] for row in RULES[kind] if not any(rule(kind, c) is row for c in commands)] == []


def checked_by(words):
    """Return what a command of another program names and is not there; None for a program that no rule knows."""
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return [word for word in rest if "=" not in word and word not in targets]
    if program == "pytest":
        return [word for word in rest if word.startswith("tests/") and not (ROOT / word).exists()]
    if program.endswith("pip"):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        named = {extra for word in rest for extra in re.findall(r"\[([\w,]+)\]", word)}
        return sorted({extra for text in named for extra in text.split(",")} - set(extras))
    if program in ("python", "python3"):
        if rest[:2] == ["-m", "venv"]:
            return []
        if rest[0] == "-m":
            place = ROOT / (rest[1].removeprefix("bitjoule.").replace(".", "/") + ".py")
        else:
            place = ROOT / rest[0]
        source = place.read_text() if place.exists() else ""
        options = [word for word in rest[1:] if word.startswith("--") and word != "--help"]
        return [word for word in options if f'"{word}"' not in source] + [rest[0]] * (not source)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_commands_of_other_programs_name_is_there(page):
    for command in shown(page):
        if command.words[0] == "bitjoule" or rule("others", command) or is_form(command):
            continue
        assert checked_by(command.words) == [], command
