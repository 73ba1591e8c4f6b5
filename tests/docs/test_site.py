"""The documentation as a site: strict, every link leads somewhere, nothing comes from another host."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from bitjoule.execution import json_schema
from tests.browser import PATIENCE_MS, chromium

ROOT = Path(__file__).parents[2]


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Links(HTMLParser):
    """Reads a page: its identifiers, and where its elements lead."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        self.links += [(tag, given[key]) for key in ("href", "src", "srcset") if given.get(key)]


def navigated(entries):
    for entry in entries:
        if isinstance(entry, str):
            yield entry
            continue
        for value in entry.values():
            yield from [value] if isinstance(value, str) else navigated(value)


def test_every_page_is_in_the_navigation_once():
    text = re.sub(r"slugify: .*}}}", "}", (ROOT / "mkdocs.yml").read_text())
    pages = list(navigated(yaml.safe_load(text)["nav"]))
    made = {"index.md", "contributing.md", "changelog.md", "findings.md", "reference/yaml.md"}
    made |= {path.relative_to(ROOT / "docs").with_suffix(".md").as_posix() for path in (ROOT / "docs").rglob("*.ipynb")}
    assert len(pages) == len(set(pages))
    assert set(pages) == made | {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_the_reference_has_every_key_of_the_schema():
    text, schema = loaded("yaml_reference").yaml_reference(), json_schema()["$defs"]
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    assert next(iter(sections)) == "Experiment"
    mappings = {name: mapping for name, mapping in schema.items() if mapping.get("properties")}
    assert len(mappings) > 90
    for name, mapping in mappings.items():
        section = sections.get(name) or next(text for title, text in sections.items() if name.endswith(
            "__schema__" + title.partition("-")[2]) and title.partition("-")[0] in name)  # fmt: skip
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(mapping["properties"])
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= {title.lower() for title in sections}
    assert "| `accounting` | `arithmetic` or `mac` or `system` | `arithmetic` |" in sections["Experiment"]
    assert "| `prompt_tokens` |" in sections["RequestSizes"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the built site; building it takes ten seconds."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


@pytest.mark.dear
def test_every_link_of_the_site_leads_somewhere_and_nothing_comes_from_another_host(site):
    pages = {path: Links(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 70
    for path, page in pages.items():
        for tag, link in page.links:
            if re.match(r"(https?:)?//|mailto:|data:", link):
                assert tag == "a", link
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), (path.name, link)
            assert not anchor or target not in pages or anchor in pages[target].ids, (path.name, link)


@pytest.mark.dear
def test_each_heading_of_a_page_is_one_on_the_site(site):
    """A block of code that is taken for text makes headings of its comments, and hides those behind it."""
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.name != "api.md"]  # that has the code's, too
    assert len(pages) > 40
    for page in pages:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        made = (site / page.relative_to(ROOT / "docs")).with_suffix(".html").read_text()
        found = re.findall(r"<h[1-6] id=", made)
        assert len(found) == len(re.findall(r"^#+ ", text, re.MULTILINE)), (page.name, found)


@pytest.mark.dear
@pytest.mark.parametrize("start", ["index.html", "equations/bands.html"])
def test_the_search_finds_a_page_from_a_folder_without_a_request(site, start):
    with chromium() as browser:
        page, requests, said = browser.new_page(), [], []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((site / start).as_uri())
        page.locator("input.md-search__input").fill("Dinkelbach")
        found = page.locator("a.md-search-result__link").first
        found.wait_for()
        assert "equations/bands.html" in found.get_attribute("href")
    assert said == []
    assert {re.match(r"\w+:", url)[0] for url in requests} <= {"file:", "data:", "blob:"}, requests
