"""Each page of an equation: its worked number is computed anew, by the equation and by bitjoule, and both agree."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "equations").glob("*.md"))
INDEX = ROOT / "docs" / "equations.md"
PARTS = ("```text\n", "| symbol | meaning | unit |", "**Worked.**", "**Source.**", "**Code.**", "**Limits.**")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_worked_number_is_what_the_equation_and_bitjoule_give(capsys, page):
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```text printed\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    exec(code, {})  # noqa: S102 (our page)
    assert capsys.readouterr().out == shown
    pairs = [re.fullmatch(r".*: equation (.*), bitjoule (.*)", line) for line in shown.splitlines()]
    assert pairs
    assert all(pair and pair[1] == pair[2] for pair in pairs), shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_all_its_parts_in_order(page):
    text = page.read_text()
    places = [text.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert len(text.split()) < 500


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_that_a_page_names_exists(page):
    names = re.findall(r"`(bitjoule\.[\w.]+)`", page.read_text())
    assert names
    for name in names:
        module, rest = name, []
        while not _imported(module):
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
        found = importlib.import_module(module)
        for part in rest:
            found = getattr(found, part)


def _imported(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def test_the_index_has_every_page_once():
    listed = re.findall(r"\]\(equations/([\w-]+)\.md\)", INDEX.read_text())
    assert sorted(listed) == [page.stem for page in PAGES]
