"""What README and docs show works as shown."""

import datetime
import re
from pathlib import Path

import pytest
import yaml
from gguf import GGMLQuantizationType

from bitjoule import __version__
from bitjoule.experiments.files import shipped_experiments
from tests.energy_models.model_files.test_reading import llama

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = [
    (page, example)
    for page in PAGES
    for example in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    if not example.startswith("#")
]
IDS = [f"{page.name}-{i}" for i, (page, _) in enumerate(EXAMPLES)]
NAMED = list(zip(EXAMPLES, IDS, strict=True))
REST = {
    "name": "name: x\n",
    "models": "models: [llama-7b]\n",
    "schemes": "schemes: [fp16]\n",
    "technologies": "technologies: [7nm]\n",
}


def written(folder, example):
    """Write an example as a whole experiment, with the files that it names, and return where."""
    config = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"
    (folder / "path" / "to" / "folder").mkdir(parents=True)
    (folder / "path" / "to" / "config.json").write_bytes(config.read_bytes())
    (folder / "path" / "to" / "folder" / "config.json").write_bytes(config.read_bytes())
    if "model.gguf" in example:
        llama(folder / "path" / "to" / "model.gguf", GGMLQuantizationType.TQ2_0)
    other_kind = re.search("^(gates|compare|explore):", example, re.MULTILINE)
    missing = (
        [] if other_kind else [text for key, text in REST.items() if not re.search(rf"^{key}:", example, re.MULTILINE)]
    )
    (folder / "x.yaml").write_text("".join(missing) + example)
    return folder / "x.yaml"


@pytest.mark.parametrize(("page", "example"), EXAMPLES, ids=IDS)
def test_every_example_is_a_valid_experiment(tmp_path, bitjoule, page, example):
    status, _, err = bitjoule("check", written(tmp_path, example))
    assert status == 0, f"{page.name}: {err}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "example"),
    [pytest.param(*case, id=name, marks=pytest.mark.dear if "\ngates:" in case[1] else ()) for case, name in NAMED],
)
def test_every_example_runs(tmp_path, bitjoule, page, example):
    words = ("--no-plots", "--quiet", "--jobs", "1", "--out", tmp_path / "out")
    status, _, err = bitjoule("run", written(tmp_path, example), *words)
    assert status == 0, f"{page.name}: {err}"
    (folder,) = (tmp_path / "out").iterdir()
    assert (folder / "summary.csv").stat().st_size > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    links += re.findall(r"^\[[^\]\n]+\]: (\S+)", text, re.MULTILINE)
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_shown_error_is_the_one_that_is_printed(tmp_path, bitjoule):
    page = (ROOT / "docs" / "quickstart.md").read_text()
    shown = re.search(r"^curve.yaml:4: (.*?)\n```", page, re.MULTILINE | re.DOTALL)
    example = re.search(r"```yaml file=curve.yaml\n(.*?)```", page, re.DOTALL)
    assert shown
    assert example
    (tmp_path / "curve.yaml").write_text(example[1].replace("[fp16, bitnet]", "[fp16, bitnet-b158]"))
    message = " ".join(shown[1].split())
    assert bitjoule("check", tmp_path / "curve.yaml")[2] == f"{tmp_path}/curve.yaml:4: {message}\n"


def test_what_the_makefile_runs_ships_and_needs_no_hardware():
    (story,) = re.findall(r"^STORY = (.*)$", (ROOT / "Makefile").read_text().replace("\\\n", ""), re.MULTILINE)
    named = story.split()
    assert len(named) > 5
    assert len(set(named)) == len(named)
    assert set(named) <= {*shipped_experiments("energy"), *shipped_experiments("prices")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_is_longer_than_120_characters(page):
    """A row of a table cannot be broken."""
    lines = enumerate(page.read_text().splitlines(), 1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_readme_is_read_in_five_minutes():
    """At most 900 words, as `wc -w` counts: code and tables are among them, link definitions and HTML are not."""
    text = re.sub(r"^\[[\w.-]+\]: \S+(?:\s+\"[^\"]*\")?\n?", "", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    words = re.sub(r"<!--.*?-->|<[^>]+>", "", text, flags=re.DOTALL).split()
    assert 500 < len(words) <= 900
    assert text.count("<img ") == 3


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__


def test_the_changelog_the_citation_and_the_page_of_releases_name_this_version_and_its_date(bitjoule):
    released = re.findall(
        r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert released[0] == ("Unreleased", "")
    version, date = released[1]
    assert version == __version__
    assert datetime.date.fromisoformat(date) <= datetime.datetime.now(datetime.UTC).date()
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["date-released"]) == date
    page = re.findall(r"^\| ([\d.]+) \| (\S+) \|", (ROOT / "docs" / "changes.md").read_text(), re.MULTILINE)
    assert page == [release for release in released if release[1]]
    assert bitjoule("--version") == (0, f"bitjoule {__version__}\n", "")
