import pytest

from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import LINEAR_TOP, linear_description, linear_verilog
from tests.rtl.test_verilog import operators

ARRAY = {"lanes": 8, "columns": 6, "max_k": 40, "weight_bus_bits": 96}


def faults(**changed):
    with pytest.raises(ConfigError) as caught:
        LinearConfig.from_mapping(ARRAY | changed)
    return {fault.key: (fault.wrong, fault.expected) for fault in caught.value.faults}


def test_a_mapping_comes_back_with_every_default():
    config = LinearConfig.from_mapping(ARRAY | {"linear": {}})
    assert config.as_mapping()["linear"] == {"format": "fp16", "lanes": 4, "norm": "none"}
    assert LinearConfig.from_mapping(config.as_mapping()) == config


def test_every_wrong_value_is_told_with_what_was_expected():
    assert faults(linear={"format": "fp8", "lanes": 3, "norm": "layer"}) == {
        "linear.format": ("got 'fp8'", "one of fp16, bf16, fp32"),
        "linear.lanes": ("got 3", "a divisor of lanes (8): 1, 2, 4, 8"),
        "linear.norm": ("got 'layer'", "one of none, rms_norm"),
    }
    assert faults(linear={"lane": 2}) == {"linear.lane": ("unknown key", "one of format, lanes, norm")}
    assert "linear" in faults(linear=True)
    assert set(faults(linear={"lanes": True, "format": 3})) == {"linear.lanes", "linear.format"}


def test_lanes_are_at_most_64_and_told_in_words():
    wide = ARRAY | {"lanes": 128, "weight_bus_bits": 1536}
    with pytest.raises(ConfigError) as caught:
        LinearConfig.from_mapping(wide | {"linear": {"lanes": 128}})
    assert str(caught.value) == "linear.lanes: got 128; expected a divisor of lanes (128): 1, 2, 4, 8, 16, 32, 64"
    named = [LinearConfig.from_mapping(wide | {"linear": own}).in_words
             for own in ({"lanes": 64, "norm": "rms_norm"}, {"lanes": 1, "format": "bf16"})]  # fmt: skip
    assert named == ["fp16, 64 lanes, RMSNorm", "bf16, 1 lane"]


def test_beats_and_tiles_that_are_not_full_count():
    config = LinearConfig(AcceleratorConfig(8, 6, 41, 96, tokens=2), lanes=4)
    assert (config.beats, config.tiles, config.groups, config.result_beats) == (11, 6, 2, 2)
    assert (config.bus_bits, config.holds_results) == (4 * 16, True)
    few = LinearConfig(AcceleratorConfig(8, 4, 40, 64, tokens=2), lanes=4)
    assert (few.beats, few.tiles, few.result_beats, few.holds_results) == (10, 5, 1, False)
    assert not LinearConfig(AcceleratorConfig(8, 6, 40, 96), lanes=4).holds_results


@pytest.mark.parametrize(
    "array",
    [
        {"activation_bits": 1},
        {"weight_encoding": "int8", "weight_bus_bits": 384},
        {"activation_bits": 16, "lanes": 8, "weight_bus_bits": 192},
    ],
)
def test_other_arrays_are_refused(array):
    assert list(faults(**array, linear={})) == ["linear"]


@pytest.mark.parametrize(
    ("encoding", "bits", "steps"),
    [("ternary2", 8, 127), ("ternary5", 4, 7), ("ternary2", 2, 1), ("binary1", 8, 128), ("binary1", 2, 2)],
)
def test_the_largest_magnitude_gets_the_code_of_the_papers(encoding, bits, steps):
    array = AcceleratorConfig(8, 4, 40, 64, weight_encoding=encoding, activation_bits=bits)
    assert LinearConfig(array).steps == steps


def test_the_verilog_has_no_multiplication_and_the_description_names_its_ports():
    config = LinearConfig(AcceleratorConfig(8, 2, 40, 32, tokens=2), norm="rms_norm", lanes=2)
    verilog = linear_verilog(config)
    assert "*" not in operators(verilog)
    assert f"module {LINEAR_TOP}(" in verilog
    told = linear_description(config)
    ports = {port["name"]: port["bits"] for port in told["ports"]}
    assert ports["s_axis_command_tdata"] == 128
    assert ports["s_axis_activations_tdata"] == ports["s_axis_gains_tdata"] == ports["m_axis_results_tdata"] == 32
    top = verilog[verilog.index(f"module {LINEAR_TOP}(") : verilog.index("endmodule")]
    assert all(f" {name};" in top for name in ports)
    assert told["packing"]["command"] == {
        "m": [0, 15], "k": [16, 39], "n": [40, 63], "scale": [64, 95], "epsilon": [96, 127],
    }  # fmt: skip
    floats = {"format": "fp16", "lanes": 2, "bits_per_lane": 16}
    assert told["packing"]["activations"] == {"order": ["token of M", "beat of K", "lane"], **floats}
    assert told["packing"]["gains"] == {"order": ["beat of K", "lane"], **floats}
    loops = ["block of tokens of M", "tile of N", "token", "beat of the tile", "lane"]
    assert told["packing"]["results"] == {"order": loops, "beats_per_tile": 1, **floats}
    assert told["module"] == LINEAR_TOP
    assert "latency_cycles" not in told
