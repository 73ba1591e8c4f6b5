"""What a terminal shows of long tables: their first rows and how many there are; summary.md has all of them."""

import re

import pytest
import yaml

from bitjoule import writing
from bitjoule.experiments.netlists import run as measuring
from bitjoule.kinds import hardware
from tests.bitjoule.test_runs_of_other_kinds import GATES
from tests.conftest import SMALL
from tests.experiments import measured_by_hand as measured

SYSTEM = """\
name: system
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: 8, new_tokens: [0, 2]}
baseline: {scheme: fp16}
"""
PUBLISHED = """\
name: published
models: [bitnet-6.7b, bitnet-13b]
schemes: [fp16, bitnet]
technologies: [7nm]
workload: {prompt_tokens: 512}
published: bitnet_table1
"""
HARDWARE = """\
name: hardware
technology: 7nm
platform: ternary-edge
rtl: {engine: numpy, model: tiny-b158, prompt: To be, new_tokens: 2}
"""
PRICES = "name: prices\ncompare: [[45nm, 7nm]]\n"


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (SMALL, ["summary.csv"]),
        (SYSTEM, ["summary.csv", "summary.csv", "summary.csv", "memory.csv"]),
        (PUBLISHED, ["summary.csv", "published.csv"]),
        (GATES, ["summary.csv", "summary.csv", "results.csv"]),
        (HARDWARE, ["matmuls.csv", "summary.csv"]),
        (PRICES, []),
    ],
    ids=["papers", "system", "published", "netlists", "hardware", "prices"],
)
def test_a_table_that_is_cut_says_how_many_rows_it_has_and_where_all_are(tmp_path, bitjoule, monkeypatch, text, files):
    monkeypatch.setattr(writing, "SHOWN_ROWS", 1)
    monkeypatch.setattr(hardware, "SHOWN_ROWS", 1)
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    (tmp_path / "mine.yaml").write_text(text)
    options = ("--out", tmp_path / "results", "--no-plots", "--tables", "markdown")
    status, shown, err = bitjoule("run", tmp_path / "mine.yaml", *options)
    assert (status, err) == (0, "")
    folder = tmp_path / "results" / yaml.safe_load(text)["name"]
    whole = (folder / "summary.md").read_text()
    assert "The first " not in whole
    rows = [len(paragraph.splitlines()) - 2 for paragraph in whole.split("\n\n") if paragraph.startswith("|")]
    paragraphs = [*shown.split("\n\n"), ""]
    places = [place for place, paragraph in enumerate(paragraphs) if paragraph.startswith("|")]
    said = []
    for place, every in zip(places, rows, strict=True):
        if len(paragraphs[place].splitlines()) - 2 < every:
            assert len(paragraphs[place].splitlines()) - 2 == 1
            note = re.fullmatch(rf"The first 1 of {every} rows; all are in (.+)\.", paragraphs[place + 1].strip())
            assert note is not None, paragraphs[place + 1]
            said.append(note[1])
    assert said == files
    assert all((folder / file).is_file() for file in said)
