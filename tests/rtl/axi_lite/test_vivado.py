"""The Tcl script in a Tcl interpreter whose Vivado commands only note what they are asked: no Vivado is at hand."""

import re

import pytest

from bitjoule.rtl.axi_lite.register_map import padded_bits, stream_bits
from bitjoule.rtl.axi_lite.top import registered_ports
from bitjoule.rtl.axi_lite.vivado import vivado_script
from bitjoule.sim.accelerator.configurations import read_design

VIVADO = """
proc unknown {command args} {
  if {$command in {lmap}} { error "unknown $command" }
  lappend ::asked [list $command {*}$args]
  switch $command {
    create_bd_cell { return [lindex $args end] }
    get_bd_pins - get_bd_intf_pins { return [lindex $args 0] }
    default { return "" }
  }
}
"""


def asked(script, *arguments):
    """Return each Vivado command as a list of words."""
    tcl = pytest.importorskip("tkinter").Tcl()
    tcl.eval(VIVADO)
    tcl.call("set", "argv", arguments)
    tcl.eval(script)
    return [list(tcl.splitlist(call)) for call in tcl.splitlist(tcl.eval("set ::asked"))]


@pytest.mark.dear  # not every Python brings Tcl
@pytest.mark.parametrize("name", ["tiny_8x4", "decode_64x5", "bitlinear_8x4"])
def test_every_stream_has_a_dma_of_its_width_and_every_cell_the_clock(name):
    config = read_design(name)
    calls = asked(vivado_script(config, "mine"), "-clock_mhz", "150")
    joined = [pair for call, *pair in calls if call == "connect_bd_intf_net"]
    streams = stream_bits(config)
    for stream, bits in streams.items():
        if stream == "results":
            assert ["accelerator/m_axis_results", "dma_activations/S_AXIS_S2MM"] in joined
            continue
        assert [f"dma_{stream}/M_AXIS_MM2S", f"accelerator/s_axis_{stream}"] in joined
        (given,) = [call for call in calls if call[0] == "set_property" and call[-1] == f"dma_{stream}" and
                    "CONFIG.c_include_mm2s" in call[2]]  # fmt: skip
        words = given[2].split()
        assert words[words.index("CONFIG.c_m_axis_mm2s_tdata_width") + 1] == str(padded_bits(bits))
    ends = [end for pair in joined for end in pair]
    assert len(ends) == len(set(ends))
    ports = registered_ports(config)
    interfaces = {re.match(r"(?:[sm]_axis?_[a-z]+_t|s_axi)|acl|are", port)[0].removesuffix("_t") for port in ports}
    assert {f"accelerator/{each}" for each in interfaces - {"acl", "are"}} == {
        end for end in ends if end.startswith("accelerator/")
    }
    nets = [pair for call, *pair in calls if call == "connect_bd_net"]
    assert ["processors/pl_clk0", "accelerator/aclk"] in nets
    assert ["reset/peripheral_aresetn", "accelerator/aresetn"] in nets
    numbered = sorted(end for end in ends if end.startswith("memory/S"))
    assert numbered == [f"memory/S{i:02}_AXI" for i in range(len(streams))]
    assert not any(call[0] == "launch_runs" for call in calls)
    assert any(call[0] == "launch_runs" for call in asked(vivado_script(config, "mine"), "-bitstream", "1"))


@pytest.mark.dear
def test_an_unknown_option_is_refused():
    error = pytest.importorskip("tkinter").TclError
    with pytest.raises(error, match="unknown option -colour; expected one of -bitstream -board -clock_mhz -part"):
        asked(vivado_script(read_design("tiny_8x4"), "mine"), "-colour", "red")
