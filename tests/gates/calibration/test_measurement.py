from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from bitjoule.gates.calibration import measurement
from bitjoule.gates.calibration.measurement import Effort, measure, measure_all, netlist_of
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.rtl.config import AcceleratorConfig
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
    ]
    names = [name(*arguments) for arguments in asked]
    assert len(set(names)) == len(names)
    assert name(*asked[0]) == names[0]


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
