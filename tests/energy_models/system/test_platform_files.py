"""Platforms of the user: how a file builds on another, and what is wrong in one."""

import math

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.platform.platforms import FOLDER, platforms, read_platform

NAMES = [path.stem for path in sorted(FOLDER.glob("*.yaml"))]


def test_what_is_like_another_differs_in_what_it_says_alone(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text("like: ternary-edge\nvector: {lanes: 32}\n")
    wide, base = read_platform(path), platforms()["ternary-edge"]
    assert wide.vector.lanes == 32
    sources = {**base.sources, "vector.lanes": "none given"}  # that of the base is of another value
    assert wide == base.model_copy(update={"vector": wide.vector, "sources": sources})


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
        ({"a": "like: 5"}, "a", "unknown platform 5; expected one of a100, "),
        ({"a": "like: " + "x" * 5000}, "a", "unknown platform 'xxx"),
        (
            {"a": "like: a"},
            "a",
            "circular inheritance: 'a' is derived from this file; expected another platform, one of a100, ",
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


def test_a_file_with_the_name_of_a_built_in_platform_may_be_like_that_platform(tmp_path):
    (tmp_path / "tpu32.yaml").write_text("like: tpu32\nvector: {lanes: 5}\n")
    mine, built_in = read_platform(tmp_path / "tpu32.yaml"), platforms()["tpu32"]
    assert (mine.vector.lanes, mine.arrays, mine.buffers) == (5, built_in.arrays, built_in.buffers)
    (tmp_path / "other.yaml").write_text("like: tpu32\n")  # that of a neighbour is the neighbour still
    assert read_platform(tmp_path / "other.yaml").vector.lanes == 5


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
        "2: off_chip.memory: unknown memory 'lpddr5' (did you mean 'lpddr5-6400'?); expected one of ddr, hbm2, ",
    ),
    "a macro as off-chip memory": ("off_chip: {memory: sram-8kib}", "2: off_chip.memory: unknown memory 'sram-8kib'"),
    "an unknown memory of a buffer": (
        "buffers: {weights: {memory: srem}}",
        "2: buffers.weights.memory: unknown memory 'srem' (did you mean 'sram'?); expected sram",
    ),
    "an unknown format": (
        FLOAT + "{weights: [fp17], activations: [fp16], actions: [mul fp16]}",
        "5: arrays.float.macs[0].weights[0]: unknown format 'fp17' (did you mean 'fp16'?); expected one of fp32, ",
    ),
    "an unknown format after one that is known": (
        FLOAT + "{weights: [fp16, fp17], activations: [fp16], actions: [add fp16]}",
        "5: arrays.float.macs[0].weights[1]: unknown format 'fp17' (did you mean 'fp16'?); expected one of fp32, ",
    ),
    "an unknown format of activations": (
        FLOAT + "{weights: [fp16], activations: [fp16, fp32, fp17], actions: [add fp16]}",
        "5: arrays.float.macs[0].activations[2]: unknown format 'fp17' (did you mean 'fp16'?); expected one of fp32, ",
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
        "4: nodes.7nm.leakage_w.nominal: 1 is outside 2 to 3; expected low <= nominal <= high",
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
