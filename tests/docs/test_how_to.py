"""Commands of the pages for one job each run as they stand, in an empty directory."""

import re
import shlex
from pathlib import Path
from shutil import copyfile

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
CHANGES = ROOT / "docs" / "changes.md"
CONFIG = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"
FILE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMPILED = ("rtl verify",)  # half a minute of compiling
RATHER = {"run": ("--no-plots", "--jobs", "1", "--quiet")}


def commands(page):
    lines = [line for block in SHELL.findall(page.read_text()) for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def run_page(bitjoule, page, wanted):
    for name, text in FILE.findall(page.read_text()):
        Path(name).write_text(text)
    copyfile(CONFIG, "config.json")
    printed = []
    for program, *words in commands(page):
        assert program == "bitjoule"
        if words[0] == "new" and Path(f"my_{words[1]}.yaml").exists():
            Path(f"my_{words[1]}.yaml").unlink()
        if wanted(words):
            status, out, error = bitjoule(*words, *RATHER.get(words[0], ()))
            assert status == 0, (words, error)
            printed.append(" ".join(out.split()))
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_job_run_in_the_order_of_the_page(bitjoule, tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    assert len(run_page(bitjoule, page, lambda words: not " ".join(words).startswith(COMPILED))) > 1


@pytest.mark.dear
def test_the_accelerator_of_the_page_is_verified(bitjoule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (page,) = (page for page in PAGES if page.stem == "accelerator")
    assert len(run_page(bitjoule, page, lambda words: words[0] == "new" or " ".join(words).startswith(COMPILED))) == 3


@pytest.mark.slow
def test_what_changed_is_what_the_comparison_prints(bitjoule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, _, compared, _ = run_page(bitjoule, CHANGES, lambda _: True)
    (shown,) = re.findall(r"```text printed\n(.*?)```", CHANGES.read_text(), re.DOTALL)
    assert " ".join(shown.split()) in compared
    assert (tmp_path / "why" / "waterfall.png").exists()


def test_every_job_has_commands_and_says_where_to_read_on():
    assert {page.stem for page in PAGES} == {
        "model", "platform", "technology", "accelerator", "checkpoint", "measured-machine",
    }  # fmt: skip
    for page in PAGES:
        assert commands(page)
        assert "](../" in page.read_text()


def test_the_python_page_runs_as_it_stands(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
    exec(code, {})  # noqa: S102 (our page)
    assert "energy_j" in capsys.readouterr().out
