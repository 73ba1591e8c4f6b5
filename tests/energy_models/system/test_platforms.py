"""The shipped platforms keep what they claim: areas, peaks, leakage, sources; and how a file builds on another."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from bitjoule.energy_models.inputs.amounts import Band, price_of
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.prices.areas import areas
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platforms import FOLDER, Array, Platform, platforms, read_platform
from bitjoule.sim.accelerator.configurations import read_configuration

NAMES = [path.stem for path in sorted(FOLDER.glob("*.yaml"))]
WATTS = ("-100mw", "-1w", "-90w")  # of the headline: others with static power
OF_AREA = [  # without one priced at no node, and an FPGA
    name for name in NAMES if name not in ("tpu32", "kv260-bitnet") and not name.endswith(WATTS)
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
    assert len(NAMES) == 26 + 2 * 6  # and of two edge devices one with each DRAM device


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
    assert platforms()["ternary-edge"].nodes[node].clock_mhz <= 1e3 / critical_path_ns


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


def test_what_is_like_another_differs_in_what_it_says_alone(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text("like: ternary-edge\nvector: {lanes: 32}\n")
    wide, base = read_platform(path), platforms()["ternary-edge"]
    assert wide.vector.lanes == 32
    assert wide.model_copy(update={"vector": base.vector}) == base


def test_null_takes_away_what_the_other_has_and_its_sources(tmp_path):
    path = tmp_path / "adders.yaml"
    path.write_text("like: ternary-edge\narrays: {float: null}\nbuffers: {weights: null}\n")
    platform = read_platform(path)
    assert list(platform.arrays) == ["adders"]
    assert list(platform.buffers) == ["activations"]
    inherited = platforms()["ternary-edge"].sources
    assert set(inherited) - set(platform.sources) == {"arrays.float"}


def test_a_list_is_replaced_whole(tmp_path):
    path = tmp_path / "ternary.yaml"
    macs = "[{weights: [ternary], activations: [int8], actions: [add int8]}]"
    path.write_text(f"like: ternary-edge\narrays: {{adders: {{macs: {macs}}}}}\n")
    array = read_platform(path).arrays["adders"]
    assert [(m.weights, m.activations) for m in array.macs] == [(["ternary"], ["int8"])]
    assert array.lanes == 64


def test_a_neighbour_comes_before_a_shipped_platform_and_may_be_like_another_itself(tmp_path):
    (tmp_path / "int8-edge.yaml").write_text("like: ternary-edge\nvector: {lanes: 5}\n")
    (tmp_path / "mine.yaml").write_text("like: int8-edge\noff_chip: {bandwidth_gb_per_s: 1}\n")
    mine = read_platform(tmp_path / "mine.yaml")
    assert (mine.vector.lanes, mine.off_chip.bandwidth_gb_per_s) == (5, 1)
    assert "adders" in mine.arrays


@pytest.mark.parametrize(
    ("files", "where", "message"),
    [
        ({"a": "like: ternary-egde"}, "a", "unknown platform 'ternary-egde' (did you mean 'ternary-edge'?); expected"),
        ({"a": "like: 5"}, "a", "unknown platform 5; expected one of fp16-edge, "),
        ({"a": "like: " + "x" * 5000}, "a", "unknown platform 'xxx"),
        (
            {"a": "like: a"},
            "a",
            "circular inheritance: 'a' is derived from this file; expected another platform, one of fp16-edge, ",
        ),
        (
            {"a": "like: b", "b": "like: a"},
            "b",
            "circular inheritance: 'a' is derived from this file; expected another platform",
        ),
        (
            {"a": "like: b", "b": "like: c", "c": "like: b"},
            "c",
            "circular inheritance: 'b' is derived from this file; expected another",
        ),
    ],
)
def test_a_base_that_does_not_exist_or_is_the_file_itself_is_refused(tmp_path, files, where, message):
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(f"# comment\n{text}\n")
    with pytest.raises(InputError) as error:
        read_platform(tmp_path / "a.yaml")
    assert str(error.value).startswith(f"{tmp_path}/{where}.yaml:2: like: {message}")


LIKE = "like: ternary-edge\n"
FLOAT = "arrays:\n  float:\n    macs:\n      - "
BAD = {
    "a buffer too small for any tile": (
        "buffers:\n  activations: {size_bytes: 127, memory: null, read_pj: 1, write_pj: 1}",
        "3: buffers.activations.size_bytes: 127 bytes cannot hold a tile of array 'adders'; "
        "expected at least 128 bytes, or",
    ),
    "a buffer too small for a tile of the adders": (
        "buffers:\n  weights: {size_bytes: 255, memory: null, read_pj: 1, write_pj: 1}\narrays: {float: null}",
        "3: buffers.weights.size_bytes: 255 bytes cannot hold a tile of array 'adders'; "
        "expected at least 256 bytes, or",
    ),
    "an on-chip memory as off-chip memory": (
        "off_chip: {memory: a100-l2}",
        "2: off_chip.memory: unknown memory 'a100-l2'",
    ),
    "a source of nothing": (
        "sources: {foo.bar: x}",
        "2: sources.foo.bar: is not a key of this platform; expected a key, e.g. off_chip.memory",
    ),
    "a MAC that adds nothing": (
        "arrays:\n  adders:\n    macs: [{weights: [ternary], activations: [int8], actions: [mul int8]}]",
        "4: arrays.adders.macs[0].actions: a MAC without an addition; expected an addition, e.g. add int32",
    ),
    "accumulators narrower than a product": (
        "arrays:\n  float:\n    accumulators: {bits: 15}",
        "4: arrays.float.accumulators.bits: 15 bits cannot hold a term of 16 bits (macs[0]); expected at least 16",
    ),
    "no bandwidth": (
        "off_chip:\n  bandwidth_gb_per_s: 0",
        "3: off_chip.bandwidth_gb_per_s: got 0; expected greater than or equal to 0.000001",
    ),
    "two prices of a buffer": (
        "buffers:\n  weights: {read_pj: 1, write_pj: 1}",
        "3: buffers.weights: requires memory, or read_pj and write_pj; expected one of the two ways",
    ),
    "no price of a buffer": (
        "buffers:\n  weights: {memory: null}",
        "3: buffers.weights: requires memory, or read_pj and write_pj; expected one of the two ways",
    ),
    "half a price of a buffer": (
        "buffers:\n  weights: {memory: null, read_pj: 1}",
        "3: buffers.weights: requires memory, or read_pj and write_pj; expected one of the two ways",
    ),
    "no price of the memory": (
        "off_chip: {memory: null}",
        "2: off_chip: requires memory, or read_pj_per_bit and write_pj_per_bit; expected one of the two ways",
    ),
    "an unknown memory": (
        "off_chip: {memory: lpddr5}",
        "2: off_chip.memory: unknown memory 'lpddr5' (did you mean 'lpddr4'?); expected one of ddr, hbm2, ",
    ),
    "a macro as off-chip memory": ("off_chip: {memory: sram-8kib}", "2: off_chip.memory: unknown memory 'sram-8kib'"),
    "an unknown memory of a buffer": (
        "buffers: {weights: {memory: srem}}",
        "2: buffers.weights.memory: unknown memory 'srem' (did you mean 'sram'?); expected one of sram",
    ),
    "an unknown format": (
        FLOAT + "{weights: [fp17], activations: [fp16], actions: [mul fp16]}",
        "5: arrays.float.macs[0].weights[0]: unknown format 'fp17' (did you mean 'fp16'?); expected one of fp32, ",
    ),
    "an action of an unknown format": (
        FLOAT + "{weights: [fp16], activations: [fp16], actions: [mul fp17]}",
        "5: arrays.float.macs[0].actions[0]: unknown format 'fp17' (did you mean 'fp16'?); expected one of fp32, ",
    ),
    "a product of an integer and a float": (
        FLOAT + "{weights: [int4], activations: [fp16], actions: [mul int4xfp16, add fp16]}",
        "5: arrays.float.macs[0].actions[0]: unknown format 'int4xfp16' (did you mean 'int16'?); expected one of ",
    ),
    "a sum of two formats": (
        FLOAT + "{weights: [int4], activations: [int8], actions: [mul int4xint8, add int4xint8]}",
        "5: arrays.float.macs[0].actions[1]: unknown format 'int4xint8'",
    ),
    "an unknown action": (
        FLOAT + "{weights: [fp16], activations: [fp16], actions: [div fp16]}",
        "5: arrays.float.macs[0].actions[0]: got 'div fp16'; expected an operation and a format, e.g. add int8",
    ),
    "an action twice": (
        FLOAT + "{weights: [fp16], activations: [fp16], actions: [add fp16, add fp32]}",
        "5: arrays.float.macs[0].actions[1]: duplicate operation add; expected each operation once",
    ),
    "two prices of a MAC": (
        FLOAT + "{weights: [fp16], activations: [fp16], actions: [add fp16], energy_pj: 1}",
        "5: arrays.float.macs[0]: requires one of actions and energy_pj; expected exactly one of them",
    ),
    "two buffers of weights": (
        "buffers: {activations: {holds: [weights, activations]}}",
        "2: buffers: 2 buffers hold weights; expected at most one",
    ),
    "no buffer of activations": (
        "buffers: {activations: null}",
        "2: buffers: no buffer holds activations; expected one with `holds: [activations]`",
    ),
    "an unknown key": (
        "nodes:\n  45nm: {clock: 500}",
        "3: nodes.45nm.clock: unknown key (did you mean 'clock_mhz'?); expected one of clock_mhz, leakage_w",
    ),
    "a band out of order": (
        "nodes:\n  7nm:\n    leakage_w: {low: 2, nominal: 1, high: 3}",
        "4: nodes.7nm.leakage_w.nominal: nominal outside low..high; expected low <= nominal <= high",
    ),
    "negative leakage": (
        "nodes:\n  7nm: {leakage_w: -1}",
        "3: nodes.7nm.leakage_w: got -1; expected greater than or equal to 0",
    ),
    "leakage that is no number": (
        "nodes: {7nm: {leakage_w: x}}",
        "2: nodes.7nm.leakage_w: got 'x'; expected watts, {low, nominal, high} in watts, or from_configuration",
    ),
    "no arrays": ("arrays: null", "2: arrays: is missing; expected a value"),
    "a number for a mapping": ("buffers: 5", "2: buffers: got 5; expected a mapping"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_platform_is_refused_with_one_line_that_says_where_and_what_to_change(tmp_path, name):
    text, message = BAD[name]
    path = tmp_path / "bad.yaml"
    path.write_text(LIKE + text + "\n")
    with pytest.raises(InputError) as error:
        read_platform(path)
    assert str(error.value).startswith(f"{path}:{message}")
    assert len(error.value.problems) == 1


def test_the_least_buffer_that_is_asked_for_is_enough(tmp_path):
    # 64 inputs of 8 bits and 16 sums of at least 32; of the float array less
    need_bytes = math.ceil((64 * 8 + 16 * 32) / 8)
    path = tmp_path / "small.yaml"
    text = "{size_bytes: %d, memory: null, read_pj: 1, write_pj: 1}"
    path.write_text(f"{LIKE}buffers:\n  activations: {text % need_bytes}\n")
    assert read_platform(path).buffers["activations"].size_bytes == need_bytes
    path.write_text(f"{LIKE}buffers:\n  activations: {text % (need_bytes - 1)}\n")
    with pytest.raises(InputError, match=f"at least {need_bytes} bytes"):
        read_platform(path)


@pytest.mark.parametrize(
    ("change", "becomes"),
    [
        ("{busy: 0.5, idle: 0.25}", {"busy": 0.5, "idle": 0.25}),
        ("{high: 0.5}", {"low": 0.005, "nominal": 0.02, "high": 0.5}),
        ("0.75", 0.75),
    ],
)
def test_a_band_changes_by_its_keys_and_another_form_of_the_amount_replaces_it(tmp_path, change, becomes):
    (tmp_path / "mine.yaml").write_text(f"like: ternary-edge\nstatic: {{phy: {change}}}\n")
    assert read_platform(tmp_path / "mine.yaml").model_dump(mode="json")["static"]["phy"] == becomes
