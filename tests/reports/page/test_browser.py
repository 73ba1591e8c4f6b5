"""The page of `bitjoule report` in Chromium: it loads nothing, says nothing, and its controls do what they say."""

import csv
import io
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]  # fmt: skip
PATIENCE_MS = 900_000  # a busy machine is no fault
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
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, path):
    """Return a function that opens the page and gives it, with what it asked for and what it said."""
    contexts = []

    def open_page(width=1280, scheme="light", scripts=True):
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
        page.goto(path.as_uri())
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
    page.wait_for_selector(".chart svg circle, .chart svg path")
    assert requests == [path.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")


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
    page.wait_for_function("document.getElementById('said').textContent === 'summary.csv copied'")
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
