"""The page of `bitjoule explorer` in Chromium: it loads nothing, says nothing, and does what it says."""

import io
import re
from collections import defaultdict
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.browser import CHROMIUM, MISSING
from tests.reports.figures.test_contrast import lab, linear
from tests.reports.pages import LIGHTNESS_APART, OPEN_AND_SHORTEN, rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason=MISSING),
]  # fmt: skip
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
