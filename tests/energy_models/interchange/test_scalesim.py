"""SCALE-Sim's configurations and topologies."""

import math

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.interchange.platform import Imported
from bitjoule.energy_models.interchange.scalesim import read_scalesim, read_topology

CONFIG = """[general]
run_name = small

[architecture_presets]
ArrayHeight:    32
ArrayWidth:     16
IfmapSramSzkB:  64
FilterSramSzkB: 32
OfmapSramSzkB:  16
Dataflow : ws
Bandwidth : 10

[run_presets]
InterfaceBandwidth: USER
"""


def config(tmp_path, text=CONFIG):
    path = tmp_path / "small.cfg"
    path.write_text(text)
    return read_scalesim(path)


def topology(tmp_path, text):
    path = tmp_path / "layers.csv"
    path.write_text(text)
    return read_topology(path)


def test_height_counts_terms_of_a_sum_width_outputs(tmp_path):
    platform = Imported(config(tmp_path)).platform
    assert (platform["arrays"]["pes"]["lanes"], platform["arrays"]["pes"]["columns"]) == (32, 16)
    assert platform["buffers"]["ifmap_sram"]["holds"] == ["activations"]
    assert platform["buffers"]["ifmap_sram"]["size_bytes"] == (64 + 16) * 1024
    assert platform["buffers"]["filter_sram"] | {"width_bits": 0} == {
        "holds": ["weights"], "size_bytes": 32 * 1024, "width_bits": 0, "memory": "sram",
    }  # fmt: skip
    assert platform["off_chip"] == {"memory": "lpddr4", "bandwidth_gb_per_s": 10.0}  # 10 bytes a cycle of 1 GHz


def test_without_an_interface_of_ones_own_nothing_stalls(tmp_path):
    hardware = config(tmp_path, CONFIG.replace("USER", "CALC"))
    assert math.isinf(hardware.levels[0].read_bits)
    assert any("CALC" in line for line in hardware.left_out)


def test_layers_are_matmuls(tmp_path):
    assert topology(tmp_path, "Layer,M,N,K,\nfc,64,128,256,\nlast,1,2,3\n") == [
        {"m": 64, "k": 256, "n": 128}, {"m": 1, "k": 3, "n": 2},
    ]  # fmt: skip


def test_convolutions_are_matmuls_of_their_outputs(tmp_path):
    """As SCALE-Sim counts them: (map - filter + stride) / stride outputs a side, rounded up."""
    text = "Layer,H,W,R,S,C,F,stride,\nsame,14,14,3,3,64,128,1,\nfirst,224,224,7,7,3,64,2,1:1,\n"
    assert topology(tmp_path, text) == [
        {"m": 12 * 12, "k": 9 * 64, "n": 128}, {"m": 110 * 110, "k": 49 * 3, "n": 64},
    ]  # fmt: skip


def test_a_depthwise_convolution_is_that_of_one_channel(tmp_path):
    text = "Layer,H,W,R,S,C,F,stride,\nConv1DP,14,14,3,3,64,1,1,\n"
    assert topology(tmp_path, text) == [{"m": 12 * 12, "k": 9, "n": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CONFIG.replace("32", "0", 1), "small.cfg:5: arrayheight: got '0'; expected a whole number above zero"),
        (CONFIG.replace("ArrayWidth:     16\n", ""), "arraywidth: is missing; expected a whole number above zero"),
        (CONFIG.replace("ws", "rs"), "dataflow: got 'rs'; expected one of ws, os, is"),
        ("[general]\n", "has no section [architecture_presets]"),
        ("ArrayHeight: 3\n", "expected a configuration of SCALE-Sim"),
        (CONFIG.replace("Bandwidth : 10", "Bandwidth : wide"), "got 'wide'; expected words a cycle"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(InputError) as raised:
        config(tmp_path, text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Layer,M,N,K,\nfc,64,128,\n", "layers.csv:2: fc: 3 columns; expected 4"),
        ("Layer,M,N,K,\nfc,64,-1,3,\n", "layers.csv:2: layer: got '-1'; expected a whole number above zero"),
        ("Layer,M,N,K,\n", "has no layers"),
        ("L,H,W,R,S,C,F,s,\nc,2,2,3,3,1,1,1,\n", "c: a filter larger than its map"),
    ],
)
def test_a_wrong_topology_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(InputError) as raised:
        topology(tmp_path, text)
    assert message in str(raised.value)
