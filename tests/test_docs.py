"""What README and docs show works as shown."""

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
REST = {
    "name": "name: x\n",
    "models": "models: [llama-7b]\n",
    "schemes": "schemes: [fp16]\n",
    "technologies": "technologies: [7nm]\n",
}


@pytest.mark.parametrize(("page", "example"), EXAMPLES, ids=[f"{p.name}-{i}" for i, (p, _) in enumerate(EXAMPLES)])
def test_every_example_is_a_valid_experiment(tmp_path, bitjoule, page, example):
    config = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "config.json").write_bytes(config.read_bytes())
    (tmp_path / "path" / "to" / "folder").mkdir()
    (tmp_path / "path" / "to" / "folder" / "config.json").write_bytes(config.read_bytes())
    if "model.gguf" in example:
        llama(tmp_path / "path" / "to" / "model.gguf", GGMLQuantizationType.TQ2_0)
    other_kind = re.search("^(gates|compare|explore):", example, re.MULTILINE)
    missing = (
        [] if other_kind else [text for key, text in REST.items() if not re.search(rf"^{key}:", example, re.MULTILINE)]
    )
    (tmp_path / "x.yaml").write_text("".join(missing) + example)
    status, _, err = bitjoule("check", tmp_path / "x.yaml")
    assert status == 0, f"{page.name}: {err}"


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
