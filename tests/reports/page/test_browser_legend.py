"""The legend of a report's chart in Chromium: it tells series of one family of formats apart, as the chart does."""

import pytest

from bitjoule import cli
from tests.browser import CHROMIUM, MISSING, PATIENCE_MS, chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]
SCHEMES = "[fp16, int8, w4a16, w2a16, bitnet-b1.58, bitnet]"
SWEEP = f"""\
name: families
accounting: system
models: [bitnet-125m]
schemes: {SCHEMES}
technologies: [7nm]
platforms: [fp16-edge]
workload: {{prompt_tokens: [64, 256, 1024]}}
baseline: {{scheme: fp16}}
"""
# Colour, dashes and symbol of each entry; and colour and dashes of each line of the chart.
ENTRIES = """() => [...document.querySelectorAll(".legend button")].map((button) => {
  const of = (node, name) => getComputedStyle(node)[name];
  const line = button.querySelector("g[fill=none] path, path[fill=none], path[stroke]");
  const dot = button.querySelector("circle") ? "circle" : [...button.querySelectorAll("path")].at(-1).getAttribute("d");
  return [button.lastChild.textContent.trim(), line && [of(line, "stroke"), of(line, "strokeDasharray")], dot];
})"""
LINES = """() => [...document.querySelectorAll(".chart .drawing svg path")].map((node) => getComputedStyle(node))
  .filter((style) => style.fill === "none" && style.strokeWidth === "2px")
  .map((style) => [style.stroke, style.strokeDasharray])"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("legend")
    (folder / "families.yaml").write_text(SWEEP)
    assert cli.main(["run", str(folder / "families.yaml"), "--out", str(folder / "run"), "--quiet", "--no-plots"]) == 0
    [results] = [path.parent for path in (folder / "run").rglob("summary.csv")]
    assert cli.main(["report", str(results), "-o", str(folder / "report.html")]) == 0
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto((folder / "report.html").as_uri())
        page.get_by_role("combobox", name="Over", exact=True).select_option("prompt_tokens")
        yield page


def test_no_two_entries_look_the_same_and_each_has_the_dashes_of_its_line(page):
    entries = page.evaluate(ENTRIES)
    assert {name for name, _, _ in entries} == set(SCHEMES.strip("[]").split(", "))
    looks = [(*line, dot) for _, line, dot in entries]
    assert len(set(looks)) == len(looks)
    colours = [(line[0], dot) for _, line, dot in entries]
    assert len(set(colours)) == len(colours)  # where dots are drawn alone, too
    assert sorted(map(tuple, page.evaluate(LINES))) == sorted(tuple(line) for _, line, _ in entries)


def test_an_entry_has_no_line_where_the_chart_draws_none(page):
    page.get_by_role("combobox", name="Over", exact=True).select_option("scheme")
    assert {line and tuple(line) for _, line, _ in page.evaluate(ENTRIES)} <= {None}
