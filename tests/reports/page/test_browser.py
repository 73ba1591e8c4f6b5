"""The pages of `bitjoule report` and `explorer` in Chromium: they load nothing, say nothing, and do what they say."""

import csv
import io
import json
import re
from collections import defaultdict
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bitjoule.reports.page.frame import fixed
from bitjoule.reports.page.tables import html_table
from tests.browser import CHROMIUM, MISSING, PATIENCE_MS, chromium
from tests.reports.figures.test_contrast import lab, linear
from tests.reports.pages import LIGHTNESS_APART

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason=MISSING),
]  # fmt: skip
READ = """(id) => TABLES.get(id).records"""
OPEN_AND_SHORTEN = """() => {
  for (const node of document.querySelectorAll("details")) node.open = true;
  for (const body of document.querySelectorAll("tbody")) [...body.rows].slice(5).forEach((row) => row.remove());
}"""  # rows are alike, and the colours of each cell are computed
POINTS = "CHARTS[0].points().map((point) => [point.series, point.x, point.y])"


@pytest.fixture(scope="module")
def path(run_edge, tmp_path_factory):
    from bitjoule import cli

    path = tmp_path_factory.mktemp("page") / "report.html"
    assert cli.main(["report", str(run_edge()), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def explorer(run_edge, tmp_path_factory):
    from bitjoule import cli

    path = tmp_path_factory.mktemp("page") / "explorer.html"
    assert cli.main(["explorer", str(run_edge()), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, path):
    """Return a function that opens the page and gives it, with what it asked for and what it said."""
    contexts = []

    def open_page(width=1280, scheme="light", scripts=True, path=path, address=""):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts, offline=True,
            permissions=["clipboard-read", "clipboard-write"],
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page, requests, said = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri() + address)
        return page, requests, said

    yield open_page
    for context in contexts:
        context.close()


def rows_of(run_edge, name="summary"):
    with (run_edge() / f"{name}.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


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


def test_the_first_chart_of_an_exploration_has_more_than_one_bar_and_of_a_ladder_a_line_for_each_format(
    opened, tmp_path
):
    """A table of one row says little, and a series that leaves another column fixed hides most of a table."""
    text = "experiment,scheme,format,energy_j\nx,fp16,a,1\nx,fp16,b,2\nx,fp16,c,3\nx,int8,d,4\n"
    rows = [line.split(",") for line in text.split()]
    tables = [html_table("summary", "r0-table-summary", ["designs", "kind"], [["144", "x"]], 1, 9999).html,
              html_table("designs", "r0-table-designs", rows[0], rows[1:], 4, 9999).html]  # fmt: skip
    config = {"units": {}, "kinds": {}, "families": []}
    scripts = "".join(f"<script>{script}</script>" for script in fixed(("tables.js", "chart.js"), "1")["scripts"])
    body = f'<script type="application/json" id="config">{json.dumps(config)}</script><div id="said"></div>'
    path = tmp_path / "charts.html"
    path.write_text(f'<meta charset="utf-8">{body}<div class="chart" data-result="r0"></div>{"".join(tables)}{scripts}')
    page, _, said = opened(path=path)
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


FIGURES = "[byId('parts').innerHTML, byId('curve').innerHTML, byId('answer').textContent]"
LOOKED_UP = """(rows) => rows.map((row) => {
  const found = look({ ...CHOICE, ...row });
  const sum = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);
  const { joules, low, high, seconds, bytes, tokens, energy } = found;
  return [joules, low, high, seconds, bytes, joules / tokens, sum(energy)];
})"""
COLUMNS = ("energy_j", "energy_low_j", "energy_high_j", "latency_s", "memory_bytes", "energy_per_token_j", "energy_j")
AMOUNTS = ("prompt_tokens", "batch", "new_tokens")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_explorer_loads_from_a_file_without_a_request_or_an_error(opened, explorer, width, scheme):
    page, requests, said = opened(width, scheme, path=explorer)
    page.wait_for_selector("#curve svg path", state="attached")
    assert requests == [explorer.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_explorer_has_the_numbers_of_the_csv_files(opened, explorer, run_edge):
    page, _, _ = opened(path=explorer)
    rows = rows_of(run_edge)
    keys = ("model", "platform", "scheme", "phase", *AMOUNTS)
    asked = [{key: int(row[key]) if key in AMOUNTS else row[key] for key in keys} for row in rows]
    for row, found in zip(rows, page.evaluate(LOOKED_UP, asked), strict=True):
        assert found == pytest.approx([float(row[column]) for column in COLUMNS], rel=1e-12)
        if row["phase"] != "request":
            assert found[:5] == [float(row[column]) for column in COLUMNS[:5]]
    components = rows_of(run_edge, "components")
    head = sum(float(row["energy_j"]) for row in components if row["component"] in ("lm_head", "embedding")
               and (row["scheme"], row["phase"], row["prompt_tokens"]) == ("fp16", "decode", "64"))  # fmt: skip
    choice = "{ ...CHOICE, scheme: 'fp16', phase: 'decode', prompt_tokens: 64 }"
    assert page.evaluate(f"look({choice}).energy['embedding and head']") == pytest.approx(head, rel=1e-12)


def test_choices_of_the_explorer_change_what_it_shows_and_are_kept_in_the_address(opened, explorer, run_edge):
    page, _, said = opened(path=explorer)
    seen = [page.evaluate(FIGURES)]

    def changed():
        seen.append(page.evaluate(FIGURES))
        return all(now != before for now, before in zip(seen[-1], seen[-2], strict=True))

    page.get_by_role("combobox", name="Phase", exact=True).select_option(label="prefill")
    assert changed()
    watts = page.get_by_role("spinbutton", name="Static power (W)")
    watts.fill("2.5")
    assert changed()
    prefill = next(row for row in rows_of(run_edge) if (row["scheme"], row["phase"], row["prompt_tokens"])
                   == ("fp16", "prefill", "16"))  # fmt: skip
    static = sum(float(row["energy_j"]) for row in rows_of(run_edge, "components") if row["component"] == "static"
                 and (row["scheme"], row["phase"], row["prompt_tokens"]) == ("fp16", "prefill", "16"))  # fmt: skip
    expected = float(prefill["energy_j"]) - static + 2.5 * float(prefill["latency_s"])
    assert static > 0
    assert page.evaluate("look({ ...CHOICE, scheme: 'fp16' }).joules") == pytest.approx(expected, rel=1e-12)
    address = page.evaluate("location.hash")
    again, _, _ = opened(path=explorer, address=address)
    assert again.evaluate(FIGURES) == page.evaluate(FIGURES)
    watts.fill("-1")
    assert watts.get_attribute("aria-invalid") == "true"
    assert page.evaluate("CHOICE.watts") == 2.5
    page.get_by_role("button", name="Static power as run").press("Enter")
    assert page.evaluate("CHOICE.watts") is None
    page.get_by_role("checkbox", name="fp16").uncheck()
    assert page.locator("#case tbody tr").count() == 1
    for value in ("Time per token", "Memory", "Power"):
        page.get_by_role("combobox", name="Show", exact=True).select_option(label=value)
        assert page.locator("#parts-title").inner_text() == f"{value}, by part"
        assert page.locator("#parts svg rect").count() > 0
    assert said == []


FACES = """() => [...document.querySelectorAll("#parts svg rect, #parts-legend rect")].map((node) => {
  const box = node.getBoundingClientRect();
  const pattern = document.getElementById(node.getAttribute("fill").match(/^url\\(#(.*)\\)$/)?.[1] ?? "");
  return {
    legend: node.closest("#parts-legend") !== null, x: box.x, y: box.y, wide: box.width,
    fill: node.getAttribute("fill"), face: getComputedStyle(pattern?.querySelector("rect") ?? node).fill,
    hatch: pattern?.querySelector("path").getAttribute("d") ?? "",
  };
})"""


def rgb(text):
    """Return a colour as a style has it, for matplotlib."""
    return tuple(int(number) / 255 for number in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", text).groups())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neighbours_in_a_stack_of_the_explorer_can_be_told_apart_in_grey(opened, explorer, scheme):
    page, _, said = opened(scheme=scheme, path=explorer)
    neighbours = 0
    for value in ("Energy per token", "Time per token", "Memory", "Power"):
        page.get_by_role("combobox", name="Show", exact=True).select_option(label=value)
        bars, legend = defaultdict(list), set()
        for part in page.evaluate(FACES):
            if part["legend"]:
                legend.add(part["fill"])
            else:
                bars[part["y"]].append(part)
        assert {part["fill"] for bar in bars.values() for part in bar} <= legend
        for bar in bars.values():
            for one, other in pairwise(sorted(bar, key=lambda part: part["x"])):
                apart = abs(lab(linear(rgb(one["face"])))[0] - lab(linear(rgb(other["face"])))[0])
                assert one["hatch"] != other["hatch"] or apart >= LIGHTNESS_APART, (value, one, other)
                neighbours += 1
    assert neighbours > 20
    assert said == []


def test_a_hatch_of_the_explorer_is_drawn(opened, explorer):
    """A pattern that is not found leaves the bar empty."""
    page, _, _ = opened(path=explorer)
    hatched = page.locator("#parts-legend svg:has(rect[fill^='url'])")
    assert hatched.count() > 0
    image = plt.imread(io.BytesIO(hatched.first.screenshot()))[2:-2, 2:-2, :3]
    rows = image.reshape(-1, 3)
    assert len({tuple(pixel) for pixel in rows.tolist()}) > 2
    assert np.ptp(rows @ (0.2126, 0.7152, 0.0722)) > 0.3  # of white
    assert np.median(rows @ (0.2126, 0.7152, 0.0722)) < 0.9


def test_an_address_of_another_sweep_is_no_fault_of_the_explorer(opened, explorer):
    page, _, said = opened(path=explorer, address="#model=none&watts=x&formats=a,b&phase=prefill&over=<b>")
    assert page.evaluate("[CHOICE.model, CHOICE.watts, CHOICE.phase, FORMATS.size]") == [
        "bitnet-125m",
        None,
        "prefill",
        2,
    ]
    assert said == []


def test_checkers_find_nothing_in_the_explorer_and_without_scripts_it_has_a_table(opened, explorer):
    from axe_playwright_python.sync_playwright import Axe

    page, _, _ = opened(390, "dark", path=explorer)
    page.evaluate(OPEN_AND_SHORTEN)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#choices").is_visible()
    assert page.locator("#parts svg").is_visible()
    plain, _, _ = opened(path=explorer, scripts=False)
    assert not plain.locator("#explorer").is_visible()
    assert plain.locator("#values tbody tr").count() == 4  # two phases of two prompts
    assert plain.get_by_text("need scripts").is_visible()
