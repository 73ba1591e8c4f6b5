"""The page of `bitjoule report`, as it is written."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.experiments.results.folders import open_result
from bitjoule.reports.page import explorer, frame, page
from bitjoule.reports.page.markdown_text import split_summary, to_html
from tests.reports.page.test_tables import read

LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "cite", "manifest", "ping"}
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr", "col", "area", "base", "embed", "source", "track"}


class Page(HTMLParser):
    """Reads a page: its text, its identifiers and the places that a browser would load from."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.loaded, self.links, self.scripts, self.words = [], [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.loaded += [value for key, value in given.items() if key in LOADING]
        if tag in ("link", "use", "image"):
            self.loaded += [value for key, value in given.items() if key in ("href", "xlink:href")]
        if tag == "a":
            self.links.append(given["href"])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.words).append(data)


@pytest.fixture(scope="module")
def written(run_edge, tmp_path_factory):
    from bitjoule import cli

    path = tmp_path_factory.mktemp("page") / "report.html"
    assert cli.main(["report", str(run_edge()), "-o", str(path)]) == 0
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(written):
    reader = Page()
    reader.feed(written)
    reader.close()
    return reader


def test_tags_are_closed_and_identifiers_are_unique(parsed):
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)


def test_a_browser_loads_nothing(written, parsed):
    assert [place for place in parsed.loaded if not place.startswith(("#", "data:"))] == []
    assert "default-src 'none'" in written
    styles = "".join(re.findall(r"<style>(.*?)</style>", written, re.DOTALL))
    assert "@import" not in styles
    assert "url(" not in styles
    assert len(written.encode()) <= page.MOST_BYTES


def test_the_page_says_what_the_summary_says_first(written, parsed, run_edge):
    lead = (run_edge() / "summary.md").read_text().split("\n\n")[2]
    assert lead.startswith("bitnet-125m, at 7nm, on edge")
    words = [" ".join(word.split()) for word in parsed.words]
    assert lead in words
    assert "Two formats on edge devices <b>& more</b>" in words  # text, not markup
    assert "<b>& more" not in written


@pytest.mark.parametrize("name", ["summary", "components", "bands", "memory"])
def test_tables_have_the_values_of_the_csv_files(written, run_edge, name):
    table = read(re.search(rf'<table class="data" id="r0-table-{name}".*?</table>', written, re.DOTALL)[0])
    with (run_edge() / f"{name}.csv").open(newline="") as handle:
        assert table.records() == list(csv.DictReader(handle))


def test_the_experiment_and_where_it_comes_from_are_there(parsed, run_edge):
    text = " ".join(" ".join(parsed.words).split())
    assert "".join(parsed.words).count((run_edge() / "experiment.yaml").read_text().strip()) == 1
    manifest = json.loads((run_edge() / "manifest.json").read_text())
    assert " ".join(manifest["command"]) in text
    assert manifest["versions"]["numpy"] in text
    assert f"all {len(manifest['outputs'])} files are as the run wrote them" in text
    assert "memories.csv:lpddr4" in text
    assert "clock below the critical path" in text  # an assumption of data/assumptions.yaml
    assert "[wu2019accelergy] " in text  # a reference


def test_files_that_changed_are_named(bitjoule, run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    (folder / "memory.csv").write_text((folder / "memory.csv").read_text().replace("fp16", "fp61"))
    assert bitjoule("report", folder, "-o", tmp_path / "x.html")[0] == 0
    text = " ".join((tmp_path / "x.html").read_text().split())
    assert "<strong>changed since the run, or missing:</strong> memory.csv" in text


def test_large_results_are_cut_to_the_size_of_a_page(bitjoule, run_edge, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 420_000)
    assert bitjoule("report", run_edge(), "-o", tmp_path / "x.html")[0] == 0
    text = (tmp_path / "x.html").read_text()
    assert len(text.encode()) <= 420_000
    assert "Not in this page for" in text
    monkeypatch.setattr(page, "MOST_BYTES", 300_000)
    status, _, error = bitjoule("report", run_edge(), "-o", tmp_path / "y.html")
    assert status == 2
    assert "1 results take 0." in error
    assert not (tmp_path / "y.html").exists()


def test_what_a_page_is_made_of_ships():
    names = {path.name for folder in (frame.TEMPLATES, frame.VENDOR) for path in Path(folder).iterdir()}
    assert {
        "base.html",
        "report.html",
        "explorer.html",
        "page.css",
        frame.LIBRARY,
        frame.LICENCES,
        *page.SCRIPTS,
        *explorer.SCRIPTS,
    } <= names
    licences = (frame.VENDOR / frame.LICENCES).read_text()
    for package in ("@observablehq/plot 0.6.17 (ISC)", "d3-shape 3.2.1 (ISC)"):
        assert package in licences


def test_a_summary_is_taken_apart():
    text = "# x\n\nWhat\nfor.\n\nThe outcome.\n\nCounted: all.\n\n## Warnings\n\n- w\n\n## A\n\n| a |\n|--|\n| 1 |\n"
    assert split_summary(text, "What for.") == ("The outcome.", ("Counted: all.",), "## A\n\n| a |\n|--|\n| 1 |")
    lead, remarks, body = split_summary("# x\n\n| a |\n|--|\n| 1 |\n\nExplained.\n", "")
    assert (lead, remarks, body) == ("", ("Explained.",), "| a |\n|--|\n| 1 |")


def test_markup_in_a_summary_is_text():
    table = "| a |\n|--|\n| 1 |"
    text = to_html(f"## <script>x</script>\n\n[a](javascript:x) ![b](https://example.org/b.png) <b>\n\n{table}", "n")
    assert "<script>" not in text
    assert 'href="javascript' not in text
    assert "<img" not in text
    assert "<h4>" in text
    assert 'aria-label="table 1 of n: &lt;script&gt;x&lt;/script&gt;"' in text


def test_tables_are_numbered_through_and_named_by_the_heading_above_them():
    table = "| a |\n|--|\n| 1 |"
    text = to_html(f"{table}\n\n## A\n\n{table}\n\n{table}\n\n### B\n\n###### C\n\n{table}", "n")
    names = ["summary", "A", "A", "C"]
    assert re.findall('aria-label="([^"]*)"', text) == [f"table {i} of n: {name}" for i, name in enumerate(names, 1)]
    assert re.findall("<(h[0-9])>(.)</(h[0-9])>", text) == [("h4", "A", "h4"), ("h5", "B", "h5"), ("h6", "C", "h6")]


def test_prices_that_rest_on_assumptions_and_those_with_bands_are_counted_with_their_energy():
    rows = [
        ("wang2024", "Table 1", 1.0, 1.0, 0.5),
        ("assumption", "", 1.0, 2.0, 0.25),
        ("horowitz2014", "assumed as a mean", 3.0, 3.0, 0.15),
        ("horowitz2014", "Fig. 2", 1.0, 9.0, 0.1),
    ]
    prices = pd.DataFrame(rows, columns=["source", "where", "paid_low_pj", "paid_high_pj", "energy_share"])
    assert page._assumed_share(prices) == (
        "2 of 4 prices rest on an assumption (40.0 % of the energy of all cases); 2 have a band (35.0 %)."
    )
    assert page._assumed_share(prices[:0]) == ""


def test_a_picture_has_the_name_of_its_file_and_a_title_in_words(written, run_edge):
    paths = [path for path in run_edge().rglob("*.svg") if "dark" not in path.stem]
    assert paths
    for path in paths:
        assert path.name in written
        assert f"{path.stem.replace('_', ' ')} of edge" in written


@pytest.mark.parametrize(
    ("most", "kept"), [(10_000, "abc"), (250, "ab"), (249, "ac"), (200, "ac"), (199, "a"), (99, "")]
)
def test_pictures_that_do_not_fit_are_named_and_smaller_ones_behind_them_drawn(monkeypatch, most, kept):
    sizes = {"a": 100, "b": 150, "c": 100}
    pictures = [Path(f"{name}_of_size_dark.svg") for name in sizes]
    drawn = []

    def themed_svg(path, prefix, text):
        drawn.append((path.name, prefix, text))
        return "x" * sizes[path.name[0]]

    monkeypatch.setattr(page, "themed_svg", themed_svg)
    found, spent, left_out = page._pictures(SimpleNamespace(pictures=pictures, name="mine"), "r3-", most)
    assert [(each["file"], each["title"]) for each in found] == [
        (f"{name}_of_size_dark.svg", f"{name} of size dark") for name in kept
    ]
    assert [len(each["html"]) for each in found] == [sizes[name] for name in kept]
    assert spent == sum(sizes[name] for name in kept)
    assert left_out == [f"{name}_of_size_dark.svg" for name in sizes if name not in kept]
    assert drawn == [
        (f"{name}_of_size_dark.svg", f"r3-p{i}-", f"{name} of size dark of mine") for i, name in enumerate(sizes)
    ]


def test_tables_stand_in_the_order_of_what_is_read_first():
    first, last = page.FIRST_TABLES, page.LAST_TABLES
    others = ("a_table", "middle", "zz")
    wanted = [*first, *others, *last]
    assert sorted([*reversed(last), *reversed(others), *reversed(first)], key=page._priority) == wanted


@pytest.mark.parametrize("share", [1, 10**7])
def test_tables_that_are_cut_or_left_out_say_how_many_rows_their_files_have(run_edge, monkeypatch, share):
    monkeypatch.setattr(page, "MOST_ROWS", 2)
    monkeypatch.setattr(page, "_pictures", lambda *_: ([], 0, []))
    result, none = open_result(run_edge()), pd.DataFrame()
    section = page._section(page.Contents(result, "energy", "", none, none, [], none, {}), 0, share)
    lines = {path.stem: len(path.read_text().splitlines()) - 1 for path in run_edge().glob("*.csv")}
    shown = {table["name"]: table["rows"] for table in section["tables"]}
    left_out = dict(re.fullmatch(r"(\w+) \((\d+) rows\)", text).groups() for text in section["tables_left_out"])
    assert shown == (lines if share > 1 else {})
    assert {name: int(count) for name, count in left_out.items()} == ({} if share > 1 else lines)
    assert max(lines.values()) > 2


@pytest.mark.parametrize(("commit", "told"), [("abc+", "abc+"), (None, "none recorded (installed copy)")])
def test_a_result_of_an_installed_copy_has_no_commit(commit, told):
    manifest = {"git_commit": commit, "versions": {"numpy": "2.0"}, "outputs": {"a": "1", "b": "2"}}
    result = SimpleNamespace(manifest=manifest, changed_outputs=lambda: ["b"])
    found = page._provenance(result)
    assert (found["commit"], found["files"], found["changed"]) == (told, 2, ["b"])


def test_prices_that_were_paid_are_told_from_those_of_the_technologies(bitjoule, run_edge, tmp_path):
    assert bitjoule("run", "measured_vs_table", "--no-plots", "--jobs", 1, "--out", tmp_path)[0] == 0
    told = {"paid": "Prices paid, with their sources", "rows": "Prices of operations, with their sources"}
    for folder, said in ((run_edge(), "paid"), (tmp_path / "measured_vs_table", "rows")):
        assert bitjoule("report", folder, "-o", tmp_path / "x.html")[0] == 0
        text = (tmp_path / "x.html").read_text()
        assert {name: heading in text for name, heading in told.items()} == {name: name == said for name in told}
