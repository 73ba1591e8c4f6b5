"""The page of `bitjoule report` in Chromium: it loads nothing, says nothing, and does what it says."""

import csv
import io
import json
import re
from itertools import product

import pytest

from bitjoule.reports.page.frame import fixed
from bitjoule.reports.page.tables import html_table
from tests.browser import CHROMIUM, MISSING
from tests.reports.pages import OPEN_AND_SHORTEN, rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason=MISSING),
]  # fmt: skip
READ = """(id) => TABLES.get(id).records"""
POINTS = "CHARTS[0].points().map((point) => [point.series, point.x, point.y])"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_it_loads_from_a_file_without_a_request_or_an_error(opened, path, width, scheme):
    page, requests, said = opened(width, scheme)
    page.wait_for_selector(".chart .drawing svg")
    assert requests == [path.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_picture_that_is_wider_than_the_page_says_so(opened, width):
    page, _, _ = opened(width, "light")
    said = page.evaluate("""[...document.querySelectorAll(".picture")].map((figure) => [
        figure.querySelector(".scroll").scrollWidth > figure.querySelector(".scroll").clientWidth,
        getComputedStyle(figure.querySelector("figcaption"), "::before").content.includes("Scroll sideways"),
    ])""")
    assert said
    assert said == [[width == 390] * 2 for _ in said]


def test_the_chart_draws_the_numbers_of_the_csv_file(opened, run_edge):
    page, _, _ = opened()
    page.get_by_role("combobox", name="Over", exact=True).select_option("prompt_tokens")
    drawn = {(series, x): y for series, x, y in page.evaluate(POINTS)}
    assert drawn == {
        (row["scheme"], int(row["prompt_tokens"])): float(row["energy_per_token_j"])
        for row in rows_of(run_edge) if row["phase"] == "decode"
    }  # fmt: skip


def test_controls_change_the_figure(opened, run_edge):
    page, _, said = opened()
    chart = page.locator(".chart .drawing")
    before = chart.inner_html()
    page.get_by_role("combobox", name="Value", exact=True).select_option("latency_s")
    assert chart.inner_html() != before
    assert "latency (s)" in chart.inner_text()
    latencies = {float(row["latency_s"]) for row in rows_of(run_edge) if row["phase"] == "decode"}
    assert {y for _, _, y in page.evaluate(POINTS)} <= latencies
    page.get_by_role("combobox", name="phase", exact=True).select_option("prefill")
    latencies = {float(row["latency_s"]) for row in rows_of(run_edge) if row["phase"] == "prefill"}
    assert {y for _, _, y in page.evaluate(POINTS)} <= latencies
    page.get_by_role("combobox", name="Over", exact=True).select_option("prompt_tokens")
    linear = chart.inner_html()
    log = page.get_by_role("button", name="Log value")
    pressed = log.get_attribute("aria-pressed")
    log.click()
    assert log.get_attribute("aria-pressed") != pressed
    assert chart.inner_html() != linear
    both = len(page.evaluate(POINTS))
    legend = page.locator(".legend").get_by_role("button", name="fp16")
    legend.click()
    assert legend.get_attribute("aria-pressed") == "false"
    assert {series for series, _, _ in page.evaluate(POINTS)} == {"bitnet-b1.58"}
    legend.click()
    assert len(page.evaluate(POINTS)) == both
    page.get_by_role("combobox", name="Table", exact=True).select_option("components")
    assert page.evaluate("CHARTS[0].state.table.name") == "components"
    assert said == []


def test_every_tick_of_a_logarithmic_axis_has_its_value(opened, run_edge, tmp_path):
    from bitjoule import cli

    sizes, path = [29, 59, 140, 526, 1020], tmp_path / "log.html"
    folder = run_edge("--no-plots", "--set", f"workload.prompt_tokens={sizes}")
    assert cli.main(["report", str(folder), "-o", str(path)]) == 0
    page, _, said = opened(path=path)
    assert page.evaluate("[CHARTS[0].state.x, CHARTS[0].state.xLog]") == ["prompt_tokens", True]
    labels = page.locator(".chart .drawing svg text").all_text_contents()
    assert {str(size) for size in sizes} <= set(labels)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    ring = page.locator(".chart .ring").evaluate("(node) => [+node.getAttribute('cx'), +node.getAttribute('cy')]")
    marks = page.locator(".chart .drawing svg path[transform]")
    drawn = marks.evaluate_all("(nodes) => nodes.map((node) => node.getAttribute('transform'))")
    at = [tuple(map(float, re.findall(r"-?[\d.]+", text))) for text in drawn if text.startswith("translate")]
    assert any(spot == pytest.approx(ring, abs=0.6) for spot in at)
    assert said == []


def page_of(folder, tables, lead=""):
    """Write a page with a chart of some tables, below a sentence."""
    config = {"units": {}, "kinds": {}, "families": []}
    scripts = "".join(f"<script>{script}</script>" for script in fixed(("tables.js", "chart.js"), "1")["scripts"])
    body = f'<script type="application/json" id="config">{json.dumps(config)}</script><div id="said"></div>'
    path = folder / "charts.html"
    path.write_text(f'<meta charset="utf-8">{body}<div class="chart" data-result="r0" data-lead="{lead}"></div>'
                    f'{"".join(tables)}{scripts}')  # fmt: skip
    return path


LONG = "a longest of all names " * 6


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    "names", [["my7nm", "7nm"], ["WWWWWWWW", "MMMMMMMM"], ["iiiiiiiiiiiiiiii", "l"], [LONG, "b"]],
)  # fmt: skip
def test_the_names_of_bars_have_room_and_are_shortened_where_they_have_too_little(opened, tmp_path, width, names):
    rows = [["x", name, str(i + 1)] for i, name in enumerate(names)]
    table = html_table("summary", "r0-table-summary", ["experiment", "technology", "energy_j"], rows, 2, 9999).html
    page, _, said = opened(width, path=page_of(tmp_path, [table]))
    assert said == []
    left, wide, texts = page.evaluate("""(() => {
        const svg = document.querySelector(".chart .drawing svg"), box = svg.getBoundingClientRect();
        const placed = (text, at) => [text.textContent, at.left, at.width];
        const texts = [...svg.querySelectorAll("text")].map((text) => placed(text, text.getBoundingClientRect()));
        return [box.left, box.width, texts];
    })()""")
    starts = [text.rstrip("…") for text, *_ in texts]
    labels = [
        text
        for text, start in zip(texts, starts, strict=True)
        if start and any(name.startswith(start) for name in names)
    ]
    assert len(labels) == 2
    assert all(at >= left and size <= 0.38 * wide for _, at, size in labels)
    assert [text.endswith("…") for text, *_ in labels] == [name == LONG for name in names]


@pytest.mark.parametrize(
    ("lead", "platform"),
    [
        ("m, at 7nm, on mine: per token a 1 J.", "mine"), ("on mine-2, prompt of 8", "mine-2"),
        ("mine, shipped", "shipped"), ("", "shipped"),
    ],
)  # fmt: skip
def test_the_chart_begins_with_the_platform_that_the_sentence_names(opened, tmp_path, lead, platform):
    cases = product(("shipped", "mine", "mine-2"), "ab", ("64", "8"))
    rows = [["x", *case, str(i + 1)] for i, case in enumerate(cases)]
    header = ["experiment", "platform", "scheme", "prompt_tokens", "energy_j"]
    table = html_table("summary", "r0-table-summary", header, rows, len(rows), 9999).html
    page, _, said = opened(path=page_of(tmp_path, [table], lead))
    assert said == []
    chosen = page.evaluate("[CHARTS[0].state.x, CHARTS[0].state.series, CHARTS[0].state.filters]")
    assert chosen == ["prompt_tokens", "scheme", {"platform": platform}]


def test_the_first_chart_of_an_exploration_has_more_than_one_bar_and_of_a_ladder_a_line_for_each_format(
    opened, tmp_path
):
    """A table of one row says little, and a series that leaves another column fixed hides most of a table."""
    text = "experiment,scheme,format,energy_j\nx,fp16,a,1\nx,fp16,b,2\nx,fp16,c,3\nx,int8,d,4\n"
    rows = [line.split(",") for line in text.split()]
    tables = [html_table("summary", "r0-table-summary", ["designs", "kind"], [["144", "x"]], 1, 9999).html,
              html_table("designs", "r0-table-designs", rows[0], rows[1:], 4, 9999).html]  # fmt: skip
    page, _, said = opened(path=page_of(tmp_path, tables))
    assert said == []
    assert page.evaluate("[CHARTS[0].state.table.name, CHARTS[0].state.series]") == ["designs", "format"]
    assert len(page.evaluate(POINTS)) == 4
    spread = page.evaluate("[1, 2, 8, 15, 24].map((count) => bandStep(count) * (count - 1))")
    assert spread == pytest.approx([0, 4, 28, 28, 28])  # of an inset of 14 pixels on both sides


def test_a_point_is_read_by_pointer_and_by_keyboard(opened):
    page, _, said = opened()
    page.get_by_role("combobox", name="Over", exact=True).select_option("prompt_tokens")
    circle = page.locator(".chart .drawing svg path[fill], .chart .drawing svg circle").last
    box = circle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    readout = page.locator(".readout")
    assert "energy per token" in readout.inner_text()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    text = readout.inner_text()
    assert text.startswith(("fp16, prompt 64", "fp16, prompt 16"))
    assert " (low to high)" in text
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == text
    assert page.locator(".chart .ring").count() == 1
    assert said == []


def test_tables_sort_filter_and_copy_with_the_values_of_the_file(opened, run_edge):
    page, _, said = opened()
    table, rows = page.locator("#r0-table-summary"), rows_of(run_edge)
    assert page.evaluate(READ, "r0-table-summary") == rows
    head = table.locator("th", has_text="energy_per_token_j")
    shown = "CHARTS && [...TABLES.get('r0-table-summary').node.tBodies[0].rows].map((line) => raw(line.cells[{}]))"
    column = head.evaluate("(node) => node.cellIndex")
    energies = sorted((row["energy_per_token_j"] for row in rows), key=float)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.evaluate(shown.format(column)) == energies
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.evaluate(shown.format(column)) == energies[::-1]
    page.get_by_label("Rows of summary that contain").fill("FP16 decode")
    chosen = [row for row in rows if row["scheme"] == "fp16" and row["phase"] == "decode"]
    assert table.locator("tbody tr:visible").count() == len(chosen) == 2
    page.locator("details:has(#r0-table-summary)").get_by_role("button", name="Copy CSV").click()
    # a function that polls would be refused by the page's policy
    page.locator("#said").filter(has_text=re.compile(r"^summary\.csv copied$")).wait_for(state="attached")
    copied = list(csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert copied == sorted(chosen, key=lambda row: -float(row["energy_per_token_j"]))
    assert said == []


def test_checkers_for_keyboards_and_screen_readers_find_nothing(opened):
    from axe_playwright_python.sync_playwright import Axe

    for width, scheme in ((1280, "light"), (390, "dark")):
        page, _, _ = opened(width, scheme)
        page.evaluate(OPEN_AND_SHORTEN)
        found = [
            (violation["id"], violation["impact"], violation["nodes"][0]["html"][:200])
            for violation in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        ]
        assert found == []


def test_without_scripts_pictures_tables_and_text_are_there(opened):
    page, requests, _ = opened(scripts=False)
    assert len(requests) == 1
    assert page.locator("figure.picture svg path").count() > 10
    assert page.locator("#r0-table-summary tbody tr").count() == 12
    assert not page.locator(".chart").is_visible()


def test_it_prints_with_the_colours_of_a_light_page(opened):
    page, _, _ = opened(scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".tools").first.is_visible()
    assert len(page.pdf(format="A4")) > 10_000
