"""The shipped platforms keep what they claim: areas, peaks, leakage, sources."""

from collections.abc import Iterator
from typing import Any

import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.amounts import Band, price_of
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.machines.designs import design_names
from bitjoule.energy_models.machines.names import devices
from bitjoule.energy_models.machines.taught import card_rows
from bitjoule.energy_models.prices.areas import areas
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform import platforms as platform_files
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.platform.platforms import FOLDER, Platform, platforms
from bitjoule.sim.accelerator.configurations import read_configuration

NAMES = [path.stem for path in sorted(FOLDER.glob("*.yaml"))]
WATTS = ("-100mw", "-1w", "-90w")  # of the headline: others with static power
MEASURED = {cells["platform"] for cells in devices().values()} | {*design_names(), *card_rows(), "a100-l2"}
OF_AREA = [  # without one priced at no node, and machines that were measured
    name for name in NAMES if name not in ("tpu32", *MEASURED) and not name.endswith(WATTS)
]


def area_um2(operation: str, number_format: str) -> float:
    return areas()[operation, number_format, 45].area_um2


TRIT_UM2 = area_um2("trit", "int8")
INT8_UM2 = area_um2("mul", "int8") + area_um2("add", "int16")
FP16_UM2 = area_um2("mul", "fp16") + area_um2("add", "fp16")
FP32_UM2 = area_um2("mul", "fp32") + area_um2("add", "fp32")


def synthesised_um2(weights: str, node_nm: int) -> float:
    """Return the area of a synthesised MAC, registers and control included: of INT8 activations, or FP16 by FP16."""
    macs = technologies()[f"{node_nm}nm-measured"].macs
    activations = "fp16" if weights == "fp16" else "int8"
    return next(mac.area_um2 for mac in macs if (mac.weights, mac.activations) == (weights, activations))


def mac_um2(array: Array) -> float:
    """Return the area of one MAC of an array: its widest multiplier and adder, or a trit."""
    done = {action for macs in array.macs for action in macs.actions or ()}
    widest = {
        "mul fp32": FP32_UM2, "mul fp16": FP16_UM2, "mul int8": INT8_UM2, "mul int4xint8": synthesised_um2("int4", 45),
        "add int8": TRIT_UM2,
    }  # fmt: skip
    return next(area for action, area in widest.items() if action in done)


def peak(array: Array) -> int:
    return array.lanes * array.columns


def logic_um2(platform: Platform) -> float:
    arrays = sum(peak(array) * mac_um2(array) for array in platform.arrays.values())
    return arrays + platform.vector.lanes * FP16_UM2


def leaves(data: Any, key: str = "") -> Iterator[str]:
    """Yield the dotted key of every number."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from leaves(value, f"{key}.{name}" if key else name)
    elif isinstance(data, list):
        for value in data:
            yield from leaves(value, key)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield key


def written(name: str) -> dict[str, Any]:
    """Return what a platform's file and the file it builds on say, without defaults."""
    return platforms()[name].model_dump(mode="json", exclude_unset=True, exclude={"sources", "references"})


def test_every_file_is_a_platform():
    assert list(platforms()) == NAMES
    assert all(isinstance(platforms()[name], Platform) for name in NAMES)


def test_only_the_platforms_that_are_asked_for_are_read(monkeypatch):
    read = []
    monkeypatch.setattr(platform_files, "read_platform", lambda path: read.append(path.stem))
    fresh = platforms.__wrapped__()
    assert "tpu32" in fresh
    assert "tpu33" not in fresh
    assert len(fresh) == len(NAMES)
    assert [fresh["tpu32"], fresh["tpu32"]] == [None, None]
    assert read == ["tpu32"]
    with pytest.raises(KeyError):
        fresh["tpu33"]
    assert set(NAMES) >= MEASURED - {""}
    assert len(set(NAMES) - MEASURED) == 25 + 2 * 6  # of two edge devices one with each DRAM device


def test_int8_edge_puts_as_many_int8_macs_in_the_area_of_the_adder_array():
    adders, macs = platforms()["ternary-edge"].arrays["adders"], platforms()["int8-edge"].arrays["int8"]
    as_printed = peak(macs) * INT8_UM2 / (peak(adders) * TRIT_UM2)
    as_synthesised = peak(macs) * synthesised_um2("int8", 7) / (peak(adders) * synthesised_um2("ternary", 7))
    assert pytest.approx(1, rel=0.05) in (as_printed, as_synthesised)
    assert peak(platforms()["int8-edge"].arrays["fp16"]) == peak(platforms()["ternary-edge"].arrays["float"])


@pytest.mark.parametrize(("node_nm", "spare"), [(7, 0.02), (45, 0.05)])
def test_int4_edge_puts_as_many_int4_macs_in_the_area_of_the_adder_array(node_nm, spare):
    adders, macs = platforms()["ternary-edge"].arrays["adders"], platforms()["int4-edge"].arrays["int4"]
    fill = peak(macs) * synthesised_um2("int4", node_nm) / (peak(adders) * synthesised_um2("ternary", node_nm))
    assert 1 - spare <= fill <= 1
    assert peak(platforms()["int4-edge"].arrays["float"]) == peak(platforms()["ternary-edge"].arrays["float"])


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_rivals_on_hbm_put_their_macs_in_the_area_of_the_adders_at_7_nm(weights):
    ternary, rival = platforms()["ternary-hbm"].arrays, platforms()[f"{weights}-hbm"].arrays
    adders_um2 = peak(ternary["adders"]) * synthesised_um2("ternary", 7)
    assert 0.99 * adders_um2 <= peak(rival[weights]) * synthesised_um2(weights, 7) <= adders_um2
    assert peak(rival["fp16"]) == peak(ternary["float"])


def test_fp16_edge_puts_as_many_fp16_macs_in_the_area_of_both_arrays():
    ternary = platforms()["ternary-edge"].arrays
    both = peak(ternary["adders"]) * TRIT_UM2 + peak(ternary["float"]) * FP16_UM2
    macs = peak(platforms()["fp16-edge"].arrays["fp16"])
    fp16_um2 = synthesised_um2("fp16", 7)
    together = peak(ternary["adders"]) * synthesised_um2("ternary", 7) + peak(ternary["float"]) * fp16_um2
    assert pytest.approx(1, rel=0.05) in (macs * FP16_UM2 / both, macs * fp16_um2 / together)


def test_the_edge_devices_of_one_area_differ_in_nothing_but_their_arrays():
    ternary = written("ternary-edge")
    for name in ("int8-edge", "int4-edge", "fp16-edge"):
        other = written(name)
        assert {key for key in ternary if ternary[key] != other[key]} == {"description", "arrays"}


def test_fp32_hbm_takes_the_area_of_fp16_hbm():
    logic = [logic_um2(platforms()[name]) for name in ("fp16-hbm", "fp32-hbm")]
    assert logic[1] == pytest.approx(logic[0], rel=0.02)


@pytest.mark.parametrize("name", ["int8-edge-peak", "int4-edge-peak", "fp16-edge-peak"])
def test_a_peak_platform_has_the_peak_of_the_adder_array(name):
    assert max(map(peak, platforms()[name].arrays.values())) == peak(platforms()["ternary-edge"].arrays["adders"])


@pytest.mark.parametrize("name", ["int8-edge-peak", "int4-edge-peak", "fp16-edge-peak", "ternary-edge"])
def test_the_weight_path_brings_a_tile_in_four_cycles(name):
    array = next(iter(platforms()[name].arrays.values()))
    weight_bits = {"int8": 8, "int4": 4, "fp16": 16, "adders": 2}[next(iter(platforms()[name].arrays))]
    assert peak(array) * weight_bits / array.weight_registers.load_bits_per_cycle == 4


def test_ternary_edge_is_the_array_that_we_build():
    built, array = read_configuration("edge_64x16"), platforms()["ternary-edge"].arrays["adders"]
    assert (array.lanes, array.columns) == (built.lanes, built.columns)
    assert (array.accumulators.depth, array.accumulators.bits) == (built.tokens, built.accumulator_bits)
    assert array.pipeline_cycles == built.latency_cycles
    assert array.weight_registers.load_bits_per_cycle == built.weight_bus_bits
    assert peak(array) * array.weight_registers.weights * 2 == built.tile_bits
    assert {macs.activations[0] for macs in array.macs} >= {f"int{built.activation_bits}"}


@pytest.mark.parametrize("node", ["45nm", "7nm"])
def test_the_clock_is_one_that_the_measured_critical_path_allows(node):
    critical_path_ns = {"45nm": 1.74, "7nm": 1.71}[node]  # docs/hardware.md, edge_64x16
    machine = Machine(schemes()["bitnet-b1.58"], platforms()["ternary-edge"], technologies()[node], "ternary-edge")
    assert machine.clock_mhz <= 1e3 / critical_path_ns


def test_bandwidths_are_pins_times_their_rate():
    lpddr4_gb_per_s = 3200e6 * 32 / 8 / 1e9
    hbm2_gb_per_s = 4 * 1024 * 2e9 / 8 / 1e9
    for name in OF_AREA:
        off_chip = platforms()[name].off_chip
        memory = "lpddr4" if off_chip.device else str(off_chip.memory)  # with a device an edge keeps its bandwidth
        expected = {"lpddr4": lpddr4_gb_per_s, "hbm2": hbm2_gb_per_s}[memory]
        assert off_chip.bandwidth_gb_per_s == pytest.approx(expected, rel=1e-12), name


def test_tpu32_has_the_prices_of_zigzags_tpu_like():
    platform = platforms()["tpu32"]
    array, off_chip = platform.arrays["pes"], platform.off_chip
    assert array.macs[0].energy_pj == 0.04
    assert 8 * array.weight_registers.read_pj_per_bit == pytest.approx(0.095)
    assert 16 * array.accumulators.write_pj_per_bit == pytest.approx(0.021)
    assert (64 * off_chip.read_pj_per_bit, 64 * off_chip.write_pj_per_bit) == (700, 750)
    assert off_chip.bandwidth_gb_per_s == 64 / 8  # 64 bits a cycle of 1 GHz


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name):
    cited = platforms()[name].sources
    numbers = list(leaves(written(name)))
    assert len(numbers) > 10
    bare = [key for key in numbers if not any(key == source or key.startswith(f"{source}.") for source in cited)]
    assert bare == []


@pytest.mark.parametrize("name", NAMES)
def test_every_source_is_of_something_that_is_there(name):
    assert platforms()[name].sources
    for key, text in platforms()[name].sources.items():
        data = written(name)
        assert text
        for part in key.split("."):
            assert part in data, key
            data = data[part]


@pytest.mark.parametrize("name", NAMES)
def test_references_are_in_the_bibliography(name):
    cited = keys(platforms()[name].references)
    assert cited
    assert all(key in sources() for key in cited)


@pytest.mark.parametrize("name", NAMES)
def test_every_platform_is_built_at_every_node(name):
    assert set(platforms()[name].nodes) == {technology.node for technology in technologies().values()}


def test_an_amount_is_a_band_of_no_width_or_the_band_itself():
    assert price_of(2.0, 3.0) == (6.0, 6.0, 6.0)
    assert price_of(Band(low=1, nominal=2, high=4), 0.5) == (0.5, 1.0, 2.0)
