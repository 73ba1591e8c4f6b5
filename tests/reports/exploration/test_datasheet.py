"""The datasheet of a built design, with figures made up for its netlist."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.exploration.building.build import Built, Synthesis
from bitjoule.experiments.exploration.building.configuration import accelerator_of
from bitjoule.experiments.exploration.building.prediction import predicted
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.gates.calibration.measurement import Measurement
from bitjoule.reports.exploration.datasheet import datasheet
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.bench.verification import VerificationReport
from tests.bitjoule.commands.hardware.test_build_design import FILES
from tests.experiments.exploration.cases import resolved
from tests.reports.shown import SI
from tests.reports.shown import table as shown_table

CONFIGS = Path(__file__).parents[3] / "rtl" / "configs"

EDGE = {"config": "edge_64x16", "array": "adders"}


@pytest.fixture(scope="module")
def result():
    """Return what the page takes of an exploration: two designs, of which the first is best."""
    work = resolved(accelerator=EDGE, technology="45nm-measured", explore__knobs={"accelerator.instances": [1, 2]})
    rows = [{"design": number, "accelerator.instances": number + 1, "status": status} | dict.fromkeys(METRICS, 2.0)
            for number, status in enumerate(("pareto", "dominated"))]  # fmt: skip
    cases = pd.DataFrame({"model": ["bitnet-125m", "bitnet-125m"]})
    return SimpleNamespace(experiment=work.experiment, designs=pd.DataFrame(rows), cases=cases, best=0, work=work)


@pytest.fixture(scope="module")
def built(result):
    """Return the first design with a netlist of twice its predicted area, 800 MHz and 0.1 pJ a MAC."""
    accelerator = accelerator_of(result.work.base, result.work.space, 0)
    said = predicted(accelerator, technologies()["45nm-measured"])
    macs = 64 * 16
    measurement = Measurement(
        accelerator.config.as_mapping(), "gaussian:32", held=True, zero_share=0.3, settled_fj=50.0 * macs,
        total_fj=90.0 * macs, wire_settled_fj=5.0 * macs, wire_fj=10.0 * macs, clock_fj=20.0 * macs, error_fj=1.0,
        leakage_nw=1e6, area_um2=2 * (said.array.area_um2 + said.store.area_um2), cells=12345, period_ns=1.25,
        parts_fj={"tree": 60.0 * macs, "wires": 40.0 * macs}, parts_um2={"tree": 7.0},
    )  # fmt: skip
    report = VerificationReport(99, 250, 88, None, 4321, 1.0)
    return Built(accelerator, 99, report, Synthesis(measurement, "cells, 1.1 V", said, ""))


def rows(text):
    """Return the cells of each row of each table by the first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells}


def test_predicted_and_synthesised_figures_stand_side_by_side_with_their_difference(result, built):
    table = rows(datasheet(result, 0, built))
    assert table["area (um2)"][2] == "-50 %"
    assert table["clock (MHz)"][1] == "800"
    assert table["energy of a MAC (pJ)"][1].startswith("0.100 (0.0500 to 0.1")
    assert table["leakage (uW)"][1] == "1000"
    assert table["tree"] == ["7.00", "0.0600"]
    assert table["wires"] == ["", "0.0400"]
    assert table["accelerator.instances"] == ["1"]


def test_the_page_says_what_was_chosen_why_and_what_was_verified(result, built):
    text = datasheet(result, 0, built)
    product = "energy per request x latency per request x area"
    assert f"The best design: of the Pareto set, the one with the least product {product}" in text
    assert "bitnet-125m in bitnet-b1.58 on ternary-edge at 45nm-measured: 64 prompt tokens, 16 new tokens" in text
    assert "99 of 99 cases passed: 250 matmuls equal NumPy bit for bit, and the cycles of 88 cases" in text
    assert "Chosen by its number; status in the exploration: dominated." in datasheet(result, 1, built)
    explore = result.experiment.explore.model_copy(update={"best": "energy_j"})
    named = SimpleNamespace(**vars(result) | {"experiment": result.experiment.model_copy(update={"explore": explore})})
    assert "the one with the best energy per request (`explore.best`)" in datasheet(named, 0, built)


def test_a_clock_that_the_netlist_does_not_meet_is_said(result, built):
    assert "does not meet" not in datasheet(result, 0, built)
    slow = replace(built.synthesis, measurement=replace(built.synthesis.measurement, period_ns=5.0))
    text = datasheet(result, 0, replace(built, synthesis=slow))
    assert "**The netlist does not meet the chip's clock of 220 MHz.**" in text


def test_without_a_prediction_the_page_says_why(result, built):
    none = replace(built.synthesis, prediction=None, unpredicted="no technology of netlists at 28 nm")
    text = datasheet(result, 0, replace(built, synthesis=none))
    assert "No prediction at the node of the library: no technology of netlists at 28 nm." in text
    assert rows(text)["area (um2)"][::2] == ["", ""]


def test_it_is_about_a_page(result, built):
    text = datasheet(result, 0, built)
    assert len(text.splitlines()) <= 90
    assert not re.search(r"\bnan\b", text)


VALUES = {name: 1.5 * 3**i for i, name in enumerate(METRICS)}  # no two are equal
READ = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?)(?: ([TGMkmµnp]?)(J|s|W|B)$)?")


def test_every_row_says_what_its_value_is(result, built):
    """Sizes are those of the file; metrics are read back in the unit of their name."""
    told = SimpleNamespace(**vars(result))
    told.designs = result.designs.assign(**VALUES)
    text = datasheet(told, 0, built)
    config = yaml.safe_load((CONFIGS / "edge_64x16.yaml").read_text())
    table = rows(text)
    lanes, columns = config["lanes"], config["columns"]
    assert table["array of the platform"] == ["adders, 1 accelerator"]
    assert table["each"] == [f"{lanes} lanes x {columns} columns, {lanes * columns} MACs a cycle"]
    assert table["weights"] == [f"ternary2, carry_save; {config['weight_bus_bits']} bits a cycle"]
    assert table["activations"] == [
        f"{config['activation_bits']} bits; {config['activation_bits'] * lanes} bits a cycle"
    ]
    sum_bits = (config["max_k"] * 2 ** (config["activation_bits"] - 1)).bit_length() + 1
    assert table["sums"] == [f"{sum_bits} bits, {config['tokens']} tokens; K up to {config['max_k']}"]
    assert table["latency"] == [f"{read_configuration('edge_64x16').latency_cycles} cycles"]
    assert table["clock of the chip"] == ["220 MHz at 45nm-measured"]
    for name, metric in METRICS.items():
        (cell,) = table[metric.label]
        value, prefix, unit = READ.match(cell).groups()
        assert float(value) * SI[prefix or ""] == pytest.approx(VALUES[name], rel=0.006), name
        assert (unit or cell.partition(" ")[2]) == metric.unit, name
    assert "88 cases equal the cycle model; 4321 cycles in all." in text
    assert "Synthesised in the cells of cells, 1.1 V: 12345 cells, operands gaussian:32. In brackets: low to" in text


def test_predicted_figures_are_made_of_the_parts_that_follow(result, built):
    """Sums of the parts are the figures, but for what the text says is not in them."""
    text = datasheet(result, 0, built)
    table = {row["one accelerator"]: row for row in shown_table(text, ["one accelerator"])}
    said = built.synthesis.prediction
    area = float(table["area (um2)"]["predicted"].split()[0])
    assert area == pytest.approx(said.array.area_um2 + said.store.area_um2, rel=0.006)
    synthesised = float(table["area (um2)"]["synthesised"].split()[0])
    assert synthesised == pytest.approx(2 * area, rel=0.01)
    parts = shown_table(text, ["predicted"])
    energy = sum(float(row["energy of a MAC (pJ)"] or 0) for row in parts)
    assert energy == pytest.approx(float(table["energy of a MAC (pJ)"]["predicted"].split()[0]), rel=0.02)
    assert sum(float(row["area (um2)"] or 0) for row in parts) == pytest.approx(area, rel=0.02)
    for row in table.values():
        if row["predicted relative to synthesised"]:
            ratio = float(row["predicted"].split()[0]) / float(row["synthesised"].split()[0])
            shown = float(row["predicted relative to synthesised"].removesuffix(" %"))
            assert 100 * (ratio - 1) == pytest.approx(shown, abs=2)
    assert f"{64 * 16} times those of a MAC in an array of {said.mac.lanes} x {said.mac.columns}, " in text


def test_the_files_of_a_page_are_those_that_are_written_beside_it(result, built):
    assert {row["file"] for row in shown_table(datasheet(result, 0, built), ["file"])} == FILES - {
        "datasheet.md", "manifest.json"
    }  # fmt: skip
