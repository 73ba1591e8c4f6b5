"""Every command that README and the pages show is one that bitjoule has; those of the ten-minute path run.

What takes minutes is parsed alone here, and runs in the tests of its own part of the code.
"""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from bitjoule import cli
from tests.docs.test_how_to import FILE, SHELL

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ANY_SHELL = re.compile(r"^```sh[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = {"new", "check", "report", "show", "list", "schema"}
PATH = ROOT / "docs" / "quickstart.md"
PLACEHOLDERS = {"...", "FORMAT"}  # of a value that must be one of a list
SLOW = {"sparsity", "baseline_arrays", "array_activation_bits"}  # arrays that are synthesised: a minute each


def commands(page):
    """Return the arguments of each `bitjoule` command in blocks and in the text, without redirections."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for block in ANY_SHELL.findall(text) for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += re.findall(r"`(bitjoule [a-z][^`]*)`", " ".join(prose.split()))
    for line in lines:
        words = shlex.split(line, comments=True)
        cut = [i for i, word in enumerate(words) if word in (">", "|", "&&") or word.startswith("2>")]
        words = words[: cut[0]] if cut else words
        if words and words[0] == "bitjoule":
            yield words[1:]


CASES = [(page, words) for page in PAGES for words in dict.fromkeys(map(tuple, commands(page)))]
CASES = [(page, words) for page, words in CASES if not PLACEHOLDERS & set(words)]


def test_there_are_commands_of_every_kind():
    shown = {words[0] for _, words in CASES if words}
    assert {"run", "check", "new", "list", "show", "report", "explorer", "compare", "explore", "query", "rtl"} <= shown
    assert len(CASES) > 150


@pytest.mark.parametrize("page", sorted({page for page, _ in CASES}), ids=lambda page: page.stem)
def test_commands_and_options_of_a_page_exist(page):
    parser, wrong = cli._parser(), {}
    for words in (words for shown, words in CASES if shown == page):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                parser.parse_args(words)
            except SystemExit as ended:
                if ended.code and "the following arguments are required" not in said.getvalue():
                    wrong[" ".join(words)] = said.getvalue()
    assert wrong == {}


@pytest.mark.slow
def test_the_ten_minute_path_runs_in_its_order(bitjoule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILE.findall(PATH.read_text()):
        Path(name).write_text(text)
    ran = []
    for block in SHELL.findall(PATH.read_text()):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if not words or words[0] != "bitjoule" or SLOW & set(words) or words[1] == "completion":
                continue
            words = words[1 : words.index(">")] if ">" in words else words[1:]
            if words[0] not in {*QUICK, "run"} or words[:2] == ["show", "accelerator"]:
                continue
            status, _, error = bitjoule(*words, *(("--no-plots", "--jobs", "1") if words[0] == "run" else ()))
            assert status == 0, (words, error)
            ran.append(words[0])
    assert ran.count("run") >= 4
    assert (tmp_path / "own.html").exists()
    assert not (tmp_path / "results" / "own" / "components.png").exists()
