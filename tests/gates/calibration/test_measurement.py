from dataclasses import asdict, replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.gates.calibration import measurement
from bitjoule.gates.calibration.measurement import Effort, measure, measure_all, netlist_of
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.config import AcceleratorConfig
from tests.gates import hand_made as hand
from tests.gates.cache_names import namer, two_libraries

SMALL = AcceleratorConfig(lanes=8, columns=2, max_k=256, weight_bus_bits=32)
EFFORT = Effort(cycles=4)


def test_measuring_again_from_nothing_gives_the_same_numbers(freepdk45, tmp_path, monkeypatch):
    found = []
    for folder in ("first", "second"):
        monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path / folder))
        found.append(measure(SMALL, freepdk45, "gaussian:32,zeros:0.3", EFFORT))
    assert found[0] == found[1]


def test_stimuli_measured_together_give_what_each_gives_alone_and_share_a_netlist(freepdk45, tmp_path, monkeypatch):
    netlists, folders = [], count()

    def counted(*arguments, **names):
        netlists.append(netlist_of(*arguments, **names))
        return netlists[-1]

    def anew(_, build):
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        build(folder)
        return folder

    monkeypatch.setattr(measurement, "netlist_of", counted)
    monkeypatch.setattr(measurement, "cached", anew)
    texts = ("gaussian:32,zeros:0.2", "uniform", "gaussian:32,zeros:0.5")
    together = measure_all(SMALL, freepdk45, texts, EFFORT)
    assert len(netlists) == 1
    assert together == [measure(SMALL, freepdk45, text, EFFORT) for text in texts]
    assert len({found.total_fj for found in together}) == len(texts)


def test_a_band_is_ordered_and_made_of_its_parts(freepdk45):
    found = measure(SMALL, freepdk45, "uniform", EFFORT)
    low, nominal, high = found.band_fj
    assert 0 < low <= nominal <= high
    assert low == found.settled_fj < found.total_fj
    assert nominal == found.total_fj + found.wire_fj > found.without_glitches_fj > low
    assert high == pytest.approx(found.total_fj + 2 * found.wire_fj + found.clock_fj)
    assert found.macs == 16
    assert sum(found.parts_fj.values()) == pytest.approx(found.counted_fj)
    assert sum(found.parts_settled_fj.values()) == pytest.approx(found.without_glitches_fj)


def test_whatever_decides_a_measurement_is_in_its_name_in_the_cache(monkeypatch, tmp_path):
    name = namer(monkeypatch, measurement, measure)
    library, other = two_libraries(tmp_path)
    asked = [
        (SMALL, library, "uniform", EFFORT),
        (replace(SMALL, max_k=512), library, "uniform", EFFORT),
        (replace(SMALL, pipeline=2), library, "uniform", EFFORT),
        (SMALL, other, "uniform", EFFORT),
        (SMALL, library, "gaussian:32", EFFORT),
        (SMALL, library, "uniform", replace(EFFORT, cycles=EFFORT.cycles + 1)),
        (SMALL, library, "uniform", replace(EFFORT, words=EFFORT.words + 1)),
        (SMALL, library, "uniform", replace(EFFORT, seed=EFFORT.seed + 1)),
        (SMALL, library, "uniform", EFFORT, 1),
    ]
    names = [name(*arguments) for arguments in asked]
    assert len(set(names)) == len(names)
    assert name(*asked[0]) == names[0]


def test_operands_of_a_file_that_changed_are_measured_anew(monkeypatch, tmp_path):
    name = namer(monkeypatch, measurement, measure)
    library = hand.library(tmp_path)
    names = set()
    for content in ("first", "second"):
        operands = SimpleNamespace(fingerprint=content)
        monkeypatch.setattr(measurement, "parse_operands", lambda _, operands=operands: operands)
        names.add(name(SMALL, library, "file:weights.npz", EFFORT))
    assert len(names) == 2


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_zeros_is_counted_on_the_weights_that_were_run(freepdk45, share):
    found = measure(SMALL, freepdk45, f"gaussian:32,zeros:{share:g}", EFFORT)
    weights = 64 * found.macs * EFFORT.cycles  # at least as many were drawn
    assert found.zero_share == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / weights))


def test_energy_falls_with_the_share_of_zeros_and_rises_to_the_worst_case(freepdk45):
    energies = [measure(SMALL, freepdk45, text, EFFORT).total_fj for text in (
        "gaussian:32,zeros:1", "gaussian:32,zeros:0.5", "gaussian:32,zeros:0", "worst",
    )]  # fmt: skip
    assert energies == sorted(energies)


@pytest.mark.slow
def test_weights_that_stay_for_several_tokens_cost_less_than_new_ones_in_each_cycle(freepdk45):
    many = AcceleratorConfig(lanes=32, columns=4, max_k=256, weight_bus_bits=256, tokens=8)
    one = AcceleratorConfig(lanes=32, columns=4, max_k=256, weight_bus_bits=256)
    effort = Effort(cycles=8)
    held, new = (measure(config, freepdk45, "gaussian:32,zeros:0", effort) for config in (many, one))
    assert held.held
    assert not new.held
    # The clock alone: weight registers that keep their value get no edge.
    assert held.settled_fj < new.settled_fj


def test_operands_that_nothing_names_are_refused(freepdk45):
    with pytest.raises(StimulusError, match="gauss"):
        measure(SMALL, freepdk45, "gauss", EFFORT)


def test_a_measurement_is_kept(freepdk45, tmp_path, monkeypatch):
    monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path))
    first = measure(SMALL, freepdk45, "uniform", EFFORT)
    monkeypatch.setattr("bitjoule.gates.calibration.measurement.Simulator", None)  # would raise if it were used
    assert measure(SMALL, freepdk45, "uniform", EFFORT) == first


def test_netlists_of_other_names_differ_by_some_percent_and_compute_the_same(freepdk45):
    """Each is checked against NumPy as it is measured."""
    tiny = AcceleratorConfig(lanes=8, columns=1, max_k=64, weight_bus_bits=16, activation_bits=4)
    found = [measure(tiny, freepdk45, "gaussian:3", EFFORT, names) for names in range(3)]
    assert len({measurement.area_um2 for measurement in found}) > 1
    for one in found[1:]:
        assert one.zero_share == found[0].zero_share  # the same operands
        assert one.area_um2 == pytest.approx(found[0].area_um2, rel=0.08)
        assert one.counted_fj == pytest.approx(found[0].counted_fj, rel=0.08)
        assert set(one.parts_um2) == set(found[0].parts_um2)
        assert one.parts_um2["registers"] == pytest.approx(found[0].parts_um2["registers"], rel=0.03)


@pytest.mark.parametrize(
    ("tokens", "held", "max_k", "tiles"), [(1, False, 8, 1), (2, True, 16, 2), (8, True, 256, 3), (1, False, 256, 3)]
)
def test_a_measurement_says_of_each_quantity_what_was_found(monkeypatch, tmp_path, tokens, held, max_k, tiles):
    """Each from where it is known, all of them different; both runs begin anew, with the same operands."""
    config = replace(SMALL, tokens=tokens, max_k=max_k)
    drawn = SimpleNamespace(weights=lambda: np.array([[0, 1], [-1, 1]]), activations=lambda: np.zeros(3))
    done = []

    def stimulus(*given):
        done.append(("operands", given[0], *given[2:]))
        source = SimpleNamespace(source=drawn)
        source.steady = lambda _, cycles: [(source.source.weights(), cycles) for _ in range(3)]
        return source

    def measure_of(cycles, warm_up):
        return [count for _, count in cycles], warm_up

    energy = SimpleNamespace(settled_fj=1.0, total_fj=2.0, wire_fj=(3.0, 4.0), clock_fj=5.0, error_fj=6.0,
                             leakage_nw=7.0)  # fmt: skip
    timing = SimpleNamespace(timing=SimpleNamespace(period_ns=8.0, through_ns=80.0))
    cells = [SimpleNamespace(cell=SimpleNamespace(area_um2=area)) for area in (0.25, 0.5, 8.25)]
    simulator = SimpleNamespace(restart=lambda: done.append("restart"), measure=measure_of)
    priced = []
    model = SimpleNamespace(wired=SimpleNamespace(analysis=timing), energy=lambda made: priced.append(made) or energy)
    array = SimpleNamespace(
        config=config, library=hand.library(tmp_path), names=0, parts=["tree", "select", "tree"], simulator=simulator,
        netlist=SimpleNamespace(area_um2=9.0, instances=cells), model=model,
    )  # fmt: skip
    monkeypatch.setattr(measurement, "Stimulus", stimulus)
    monkeypatch.setattr(measurement, "check", lambda _, __, tiles: done.append(("checked", tiles)))
    monkeypatch.setattr(measurement, "generated_verilog", lambda _: "some Verilog")
    monkeypatch.setattr(
        measurement, "energy_by_part_fj", lambda _, parts, settled=False: {parts[0]: 10.0 if settled else 11.0}
    )
    monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path / "cache"))
    found = measurement._measure(array, "uniform", Effort(cycles=5, words=2, seed=7))
    assert asdict(found) == {
        "config": config.as_mapping(), "stimulus": "uniform", "held": held, "zero_share": 0.25, "settled_fj": 1.0,
        "total_fj": 2.0, "wire_settled_fj": 3.0, "wire_fj": 4.0, "clock_fj": 5.0, "error_fj": 6.0, "leakage_nw": 7.0,
        "area_um2": 9.0, "cells": 3, "period_ns": 8.0, "parts_fj": {"tree": 11.0}, "parts_settled_fj": {"tree": 10.0},
        "parts_um2": {"tree": 8.5, "select": 0.5},
    }  # fmt: skip
    operands = ("operands", config, 2, 7, held)
    assert done == ["restart", operands, ("checked", tiles), "restart", operands]
    assert priced == [([measurement.WARM_UP_CYCLES + 5] * 3, measurement.WARM_UP_CYCLES)]


@pytest.mark.parametrize(("names", "options"), [(0, None), (3, None), (2, Options(tries=4))])
def test_an_array_is_synthesised_in_one_way_unless_others_are_asked_for(monkeypatch, tmp_path, names, options):
    asked = []
    monkeypatch.setattr(measurement, "generated_verilog", lambda _: "some Verilog")
    monkeypatch.setattr(measurement, "stored_netlist", lambda *given: asked.append(given))
    library = hand.library(tmp_path)
    netlist_of(SMALL, library, options, names)
    ((verilog, top, clock, cells, used, goals),) = asked
    assert (verilog, top, clock, cells) == ("some Verilog", "bitjoule_accelerator", "clk", library)
    assert used == replace(Options(), tries=1 if options is None else 4, names=names)
    assert np.isnan(goals.period_ns)
