"""A page of two results: what belongs to each, and what both share."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from bitjoule.experiments.results.folders import open_result
from bitjoule.reports.page import page
from bitjoule.reports.page.svg import colour_variables
from tests.reports.page.test_page import Page

PRICE_COLUMNS = ["price", "paid_low_pj", "paid_high_pj", "source", "where", "energy_share", "odd_mhz"]


def contents(result, number, kind):
    """Return a result whose manifest, prices and notes are its own."""
    manifest = {
        **result.manifest, "warnings": [f"warned {number}"], "seeds": {f"seed{number}": 70 + number},
        "input": {f"file{number}.yaml": f"digest{number}"}, "command": ["bitjoule", "run", f"mine{number}", "--odd"],
    }  # fmt: skip
    rows = [(f"row{number}", 1.0, 2.0, "s", "w", 0.5, float("nan")), ("x", 1.0, 1.0, "s", "w", 0.5, 3.5)]
    prices = pd.DataFrame(rows, columns=PRICE_COLUMNS)
    assumptions = pd.DataFrame([(f"assumed{number}", "1", "2")], columns=["assumption", "low", "high"])
    return page.Contents(
        replace(result, manifest=manifest), kind, f"lead {number}", prices, pd.DataFrame({"operation": ["never"]}),
        [f"reference {number}"], assumptions, {f"format{number}": kind},
    )  # fmt: skip


@pytest.fixture(scope="module")
def text(run_edge):
    result = open_result(run_edge())
    plain = replace(result, path=result.path, experiment=result.experiment | {"name": "second"})
    return page.report([contents(result, 1, "float"), contents(plain, 2, "binary")], "1.2", "x.html")


def test_each_result_has_its_own_name_lead_warnings_sources_and_provenance(text):
    reader = Page()
    reader.feed(text)
    reader.close()
    assert len(reader.ids) == len(set(reader.ids))
    assert {"r0", "r1", "r0-table-summary", "r1-table-summary"} <= set(reader.ids)
    first, second = text.split('<section class="result"')[1:]
    for number, own, other in ((1, first, second), (2, second, first)):
        for part in ("lead", "warned", "reference"):
            assert f"{part} {number}" in own
        for part in ("assumed", "seed", "file", "digest", "row", "mine"):
            assert f"{part}{number}" in own
            assert f"{part}{number}" not in other
        assert f"bitjoule run mine{number} --odd" in own
        assert f"{70 + number}" in own
        assert "never" not in own  # a technology's prices, where those that were paid are known
        assert "nan" not in re.findall(r"<td[^>]*>([^<]*)</td>", own)
    assert second.index(">second<") < second.index("lead 2")


def test_the_script_has_the_formats_of_both_and_the_units_of_every_column(text, run_edge):
    config = json.loads(re.search(r'<script[^>]*id="config"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    assert config["kinds"] == {"format1": "float", "format2": "binary"}
    columns = set(PRICE_COLUMNS)
    for path in run_edge().glob("*.csv"):
        columns |= set(path.read_text(encoding="utf-8").partition("\n")[0].strip().split(","))
    assert set(config["units"]) == columns
    assert config["units"]["odd_mhz"] == ["odd", "MHz"]


def test_every_colour_of_the_pictures_of_both_is_declared_for_both_themes(text):
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 2
    for declared in colour_variables(pictures):
        for name, colour in declared.items():
            assert f"{name}:{colour};" in text


def test_a_page_is_shared_out_among_results_and_one_that_takes_little_leaves_its_room(run_edge, monkeypatch):
    """The first result may take half; what it leaves goes to the second."""
    shares = []

    def section(_, number, share):
        shares.append(share)
        return {"bytes": 1000 * (number + 1), "pictures": [], "columns": []}

    monkeypatch.setattr(page, "_section", section)
    monkeypatch.setattr(page, "environment", lambda: pytest.fail("drawn"))
    result = contents(open_result(run_edge()), 1, "float")
    with pytest.raises(pytest.fail.Exception, match="drawn"):
        page.report([result] * 3, "1.2", "x.html")
    left = shares[0] * 3
    assert shares[1] == pytest.approx((left - 1000) / 2, abs=2)
    assert shares[2] == pytest.approx(left - 1000 - 2000, abs=4)
