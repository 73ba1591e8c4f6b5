"""Area, leakage and clock from a configuration, against the data files read on their own."""

import csv
import re
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from bitjoule.energy_models.catalog import entry
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import DATA, keys, sources
from bitjoule.energy_models.prices import rows
from bitjoule.energy_models.prices import silicon as data
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.silicon import clock_mhz, clocks_mhz, leakage_w, silicon
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from bitjoule.experiments.energy.clocks import machines_of, too_fast
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.uncertainty.assumptions import assumptions, vary
from tests.energy_models.requests import evaluate, picked, system

NODES = ("45nm", "7nm")


def measured(node, **formats):
    """Return the first MAC of these formats as the file of a measured technology writes it."""
    macs = yaml.safe_load((DATA / "technologies" / f"{node}-measured.yaml").read_text())["macs"]
    return next(mac for mac in macs if formats.items() <= mac.items())


def facts(node):
    """Return the rows of silicon.csv at a node, by quantity."""
    with (DATA / "silicon.csv").open() as handle:
        found = {row["quantity"]: row for row in csv.DictReader(handle) if row["node_nm"] == node.removesuffix("nm")}
    return {name: {end: float(row[end]) for end in ("low", "value", "high")} for name, row in found.items()}


@pytest.mark.parametrize("node", NODES)
def test_parts_of_the_ternary_chip_are_macs_and_bits_times_what_each_takes(node):
    found = silicon(platforms()["ternary-edge"], technologies()[node])
    trit, fp16 = measured(node, weights="ternary", activations="int8"), measured(node, weights="fp16")
    bits = 8 * (524288 + 524288) + 64 * 16 * 23 + 64 * 6 * 32  # buffers, and the accumulators of both arrays
    fact = facts(node)
    assert found["adders"].area_um2 == pytest.approx(64 * 16 * trit["area_um2"])
    assert found["float"].area_um2 == pytest.approx(4 * 6 * fp16["area_um2"])
    assert found["vector"].area_um2 == pytest.approx(16 * fp16["area_um2"])
    assert found["sram"].area_um2 == pytest.approx(bits * fact["sram_area"]["value"])
    macs_nw = 64 * 16 * trit["leakage_nw"] + (4 * 6 + 16) * fp16["leakage_nw"]
    expected = [
        1e-9 * (macs_nw * fact["logic_leakage"][end] + bits * fact["sram_leakage"][end])
        for end in ("low", "value", "high")
    ]
    assert tuple(leakage_w(platforms()["ternary-edge"], technologies()[node])) == pytest.approx(expected)


def test_a_mac_that_a_technology_of_ones_own_lacks_is_that_of_its_node():
    own = technologies()["7nm-measured"]
    larger = own.macs[0].model_copy(update={"area_um2": 2 * own.macs[0].area_um2})
    partial = replace(own, macs=(larger,))  # trits alone
    whole, found = (silicon(platforms()["ternary-edge"], technology) for technology in (own, partial))
    assert found["float"] == whole["float"]
    assert found["adders"].area_um2 == pytest.approx(2 * 1024 * own.macs[0].area_um2)


def test_a_bit_of_sram_leaks_what_a_macro_of_its_node_leaks():
    """cell_leakage_power and area of fakeram45_512x64, in nW and um2."""
    assert facts("45nm")["sram_leakage"]["value"] == pytest.approx(823237 / (512 * 64), rel=1e-3)
    assert facts("45nm")["sram_area"]["value"] == pytest.approx(17301.438 / (512 * 64), rel=1e-3)
    assert facts("7nm")["sram_leakage"]["value"] == pytest.approx(2 * 51.1588e-3, rel=1e-3)  # two INVx1, 51.1588 pW


def test_every_row_has_a_source():
    cited = {key for row in data.silicon_rows().values() for key in keys(row.source)}
    assert cited - {"assumption"} <= set(sources())


@pytest.mark.parametrize("node", NODES)
def test_an_array_meets_the_clock_of_its_slowest_mac(node):
    clocks = clocks_mhz(platforms()["fp16-edge"], technologies()[node])
    kinds = (("fp16", "fp16"), ("int8", "int8"))
    slowest_ns = max(measured(node, weights=w, activations=a)["period_ns"] for w, a in kinds)
    assert clocks == {"fp16": pytest.approx(1e3 / slowest_ns)}


def test_a_platform_is_shown_with_area_leakage_and_clock_of_its_parts():
    table = entry("platforms", "ternary-edge").table
    shown = {row[:2]: dict(zip(table.headers, row, strict=True)) for row in table.rows}
    trit = measured("7nm", weights="ternary", activations="int8")
    assert shown["adders", "7nm"]["area (um2)"] == f"{1024 * trit['area_um2']:.4g}"
    assert shown["adders", "7nm"]["leakage (W)"] == f"{1024 * trit['leakage_nw'] * 1e-9:.3g}"
    assert shown["adders", "7nm"]["high (W)"] == f"{10 * 1024 * trit['leakage_nw'] * 1e-9:.3g}"
    fp16 = measured("45nm", weights="fp16")
    assert shown["float", "45nm"]["clock up to (MHz)"] == f"{1e3 / fp16['period_ns']:.4g}"
    assert entry("platforms", "tpu32").table is None


def written(folder, text="", like="ternary-edge"):
    path = folder / "mine.yaml"
    path.write_text(
        f"like: {like}\nnodes:\n  7nm: {{clock_mhz: 500, leakage_w: from_configuration}}\nstatic: null\n{text}"
    )
    return path


def test_a_chip_that_is_not_told_apart_leaks_by_its_configuration(tmp_path):
    machine = read_platform(written(tmp_path))
    found = evaluate(system(machine=machine))
    expected = leakage_w(machine, technologies()["7nm"]).nominal_pj * found.latency_s.sum()
    assert picked(found.energies.nominal_pj, component="leakage")[0] / 1e12 == pytest.approx(expected)
    buffers = "buffers: {weights: {size_bytes: 1048576}}\n"
    larger = evaluate(system(machine=read_platform(written(tmp_path, buffers))))
    share = [picked(e.energies.nominal_pj, component="leakage")[0] / e.latency_s.sum() for e in (found, larger)]
    extra_w = 8 * 524288 * facts("7nm")["sram_leakage"]["value"] * 1e-9
    assert share[1] - share[0] == pytest.approx(extra_w * 1e12)


def test_the_price_of_such_a_cycle_leads_to_the_platform(tmp_path, monkeypatch):
    path = written(tmp_path)
    machine = read_platform(path)
    monkeypatch.setattr(rows, "platforms", lambda: {"mine": machine})
    monkeypatch.setattr(rows, "PLATFORMS", tmp_path)
    found = rows.price_row("platforms/mine.yaml:nodes.7nm.leakage_w@500MHz")
    watts = leakage_w(machine, technologies()["7nm"])
    assert tuple(found.price) == pytest.approx(tuple(end * 1e6 / 500 for end in watts))
    assert found.derived == "leakage of arrays, vector unit and SRAM, from their sizes, for a cycle at 500 MHz"
    assert found.places == ("platforms/mine.yaml:3",)


def test_a_mac_that_was_not_measured_has_no_leakage(tmp_path):
    machine = read_platform(written(tmp_path, like="fp32-hbm"))
    with pytest.raises(UnpricedError) as refused:
        leakage_w(machine, technologies()["7nm"])
    assert refused.value.args == ("7nm-measured has no MAC of array fp32 (mul fp32, add fp32)", "leakage_w in W")


def test_an_experiment_says_so_with_the_line_of_the_platform(resolved, tmp_path):
    written(tmp_path, like="fp32-hbm")
    text = (
        "name: x\naccounting: system\nmodels: [bitnet-125m]\nschemes: [fp32]\ntechnologies: [7nm]\n"
        "platforms: [mine.yaml]\nworkload: {prompt_tokens: 8, new_tokens: 0}\n"
    )
    with pytest.raises(InputError, match=r"6: platforms\[0\]: 7nm-measured has no MAC of array fp32") as refused:
        resolved(text)
    assert "expected leakage_w in W" in str(refused.value)


MEASURED = (
    "name: x\naccounting: system\nmodels: [bitnet-125m]\nschemes: [fp16]\ntechnologies: [7nm, 7nm-measured]\n"
    "platforms: [mine.yaml]\nworkload: {prompt_tokens: 8, new_tokens: 0}\n"
)


def test_a_clock_that_a_measured_array_cannot_meet_is_warned_of(resolved, tmp_path):
    text = "nodes: {7nm: {clock_mhz: 500}}\n"
    (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\n{text}")
    assert list(too_fast(machines_of(resolved(MEASURED)))) == [
        "platform mine: array fp16 at 7nm-measured runs at 500 MHz; as synthesised it meets 242.7 MHz"
    ]
    (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\n{text.replace('500', '240')}")
    assert not list(too_fast(machines_of(resolved(MEASURED))))


def test_each_technology_at_which_a_machine_is_too_fast_is_told_once(resolved, tmp_path):
    nodes = ", ".join(f"{node}: {{clock_mhz: 50{i}}}" for i, node in enumerate(NODES))
    (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\nnodes: {{{nodes}}}\n")
    text = MEASURED.replace("[7nm, 7nm-measured]", "[45nm-measured, 7nm, 7nm-measured]")
    assert text != MEASURED
    told = [
        f"platform mine: array fp16 at {node}-measured runs at 50{i} MHz; as synthesised it meets "
        f"{slowest_mhz(node, ('fp16', 'fp16')):.4g} MHz"
        for i, node in enumerate(NODES)
    ]
    machines = list(machines_of(resolved(text)))
    assert list(too_fast([*machines, *machines])) == told


def slowest_mhz(node, *formats):
    """Return the clock that MACs of some weights and activations meet, from the file of a measured technology."""
    return 1e3 / max(measured(node, weights=each, activations=other)["period_ns"] for each, other in formats)


@pytest.mark.parametrize("node", NODES)
def test_a_clock_from_the_configuration_is_that_of_the_slowest_array(node, tmp_path):
    fp16 = ("fp16", "fp16")
    path = tmp_path / "mine.yaml"
    path.write_text(f"like: ternary-edge\nnodes: {{{node}: {{clock_mhz: from_configuration}}}}\n")
    machine = read_platform(path)
    assert clock_mhz(machine, technologies()[node]) == pytest.approx(slowest_mhz(node, fp16))
    assert clock_mhz(machine, technologies()[node], 300.0) == 300.0
    path.write_text(path.read_text() + "arrays: {float: null}\n")
    trits = slowest_mhz(node, *(("ternary", f"int{bits}") for bits in (8, 4, 2, 1)))
    assert clock_mhz(read_platform(path), technologies()[node]) == pytest.approx(trits)
    assert trits > 1.5 * slowest_mhz(node, fp16)


def test_results_are_those_of_the_same_clock_as_a_number_and_nothing_warns(resolved, tmp_path):
    (tmp_path / "mine.yaml").write_text("like: fp16-edge\nnodes: {7nm: {clock_mhz: from_configuration}}\n")
    configured = resolved(MEASURED)
    assert not list(too_fast(machines_of(configured)))
    by_technology = {machine.technology.name: machine.clock_mhz for machine in machines_of(configured)}
    assert by_technology["7nm"] == by_technology["7nm-measured"]
    found = run(configured)
    (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\nnodes: {{7nm: {{clock_mhz: {by_technology['7nm']!r}}}}}\n")
    number = run(resolved(MEASURED))
    pd.testing.assert_frame_equal(found.summary, number.summary)
    pd.testing.assert_frame_equal(found.results, number.results)
    (tmp_path / "mine.yaml").write_text("like: fp16-edge\nnodes: {7nm: {clock_mhz: 500}}\n")
    assert (run(resolved(MEASURED)).summary["latency_s"] < found.summary["latency_s"]).all()


def test_a_clock_from_arrays_that_were_not_synthesised_is_refused(resolved, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "like: fp16-edge\narrays: {fp16: {macs: [{weights: [fp16], activations: [fp16], energy_pj: 1}]}}\n"
        "nodes: {7nm: {clock_mhz: from_configuration, leakage_w: 0}}\n"
    )
    with pytest.raises(InputError, match=r"6: platforms\[0\]: no array was synthesised at 7 nm") as refused:
        resolved(MEASURED)
    assert "expected clock_mhz in MHz" in str(refused.value)


def test_another_text_is_no_clock(tmp_path):
    (tmp_path / "mine.yaml").write_text("like: fp16-edge\nnodes: {7nm: {clock_mhz: fast}}\n")
    with pytest.raises(InputError) as refused:
        read_platform(tmp_path / "mine.yaml")
    assert str(refused.value) == (
        f"{tmp_path}/mine.yaml:2: nodes.7nm.clock_mhz: got 'fast'; expected MHz, or from_configuration"
    )


def test_a_factor_multiplies_a_clock_from_the_configuration_and_a_number_alike(resolved, tmp_path):
    met = slowest_mhz("7nm", ("fp16", "fp16"))
    for written_mhz, expected in (("from_configuration", met), ("500", 500.0)):
        keys = f"clock_mhz: {written_mhz}, clock_factor: 0.5"
        (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\nnodes: {{7nm: {{{keys}}}}}\n")
        found = {machine.clock_mhz for machine in machines_of(resolved(MEASURED))}
        assert list(found) == [pytest.approx(expected / 2)]


def test_the_assumption_of_another_clock_is_half_and_twice_what_the_arrays_meet(resolved, tmp_path):
    (tmp_path / "mine.yaml").write_text("like: fp16-edge\n")
    (varied,) = vary(resolved(MEASURED), {"clock": assumptions()["clock"]})
    assert varied.problems == ("", "")
    for clock_factor, energies in zip((0.5, 2.0), varied.energies, strict=True):
        clock = clock_factor * slowest_mhz("7nm", ("fp16", "fp16"))
        (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\nnodes: {{7nm: {{clock_mhz: {clock!r}}}}}\n")
        summary = run(resolved(MEASURED)).summary
        joules = summary[summary["phase"] != "request"]["energy_j"].to_numpy()
        assert energies[energies > 0] / 1e12 == pytest.approx(joules[joules > 0])


def test_operating_points_of_a_chip_whose_clock_follows_from_its_arrays_are_clocks(tmp_path):
    """At a point the chip runs at the point's clock, whatever its arrays would meet."""
    points = "points: [{clock_mhz: 100, volts: 0.6}, {clock_mhz: 200, volts: 0.7}]"
    for own, expected in (("", 200.0), (", point: 150", 150.0)):
        (tmp_path / "mine.yaml").write_text(f"like: fp16-edge\ndvfs: {{{points}, nominal_mhz: 200{own}}}\n")
        machine = Machine(schemes()["fp16"], read_platform(tmp_path / "mine.yaml"), technologies()["7nm"], "mine")
        assert machine.clock_mhz == pytest.approx(expected)


@pytest.mark.parametrize("name", [name for name in platforms() if re.search("-(edge|hbm)", name)])
def test_every_array_of_a_shipped_edge_or_server_chip_meets_its_clock(name):
    """But of published designs, whose clock is a source's; FP32 arrays were not synthesised."""
    platform = platforms()[name]
    for node in NODES:
        machine = Machine(schemes()["fp16"], platform, technologies()[node], name)
        met = slowest_mhz(node, ("fp16", "fp16"))
        expected = {"tereffic-hbm": 200.0, "fp32-hbm": float(f"{met:.4g}")}.get(name, met)
        assert machine.clock_mhz == pytest.approx(expected, rel=1e-12)
        assert all(machine.clock_mhz <= clock for clock in clocks_mhz(platform, technologies()[node]).values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("sram_area,7,1,2,3,um2/bit,s,w,", "2: value: 1 is outside 2 to 3; expected low <= value <= high"),
        ("sram_area,7,x,1,3,um2/bit,s,w,", "2: value: got 'x'; expected a positive number"),
        (
            "sram_area,7,1,1,1,um2/bit,s,w,\nsram_area,7,1,1,1,um2/bit,s,w,",
            "3: quantity: duplicate sram_area at 7 nm; expected one row",
        ),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(refusal, row, message):
    assert refusal(data, "SILICON_FILE", data.COLUMNS, row, data.silicon_rows) == message
