"""AXI4-Stream at the top: the ports by name, and their connection to the streams inside."""

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import In, Out


def stream_ports(inputs: Mapping[str, int], result_bits: int) -> dict[str, Any]:
    """Return the ports of the input streams and of the results.

    Parameters
    ----------
    inputs
        Width of each input stream's data, by name.
    result_bits
        Width of the results' data.
    """
    ports: dict[str, Any] = {}
    for name, bits in inputs.items():
        ports |= {
            f"s_axis_{name}_tdata": In(bits),
            f"s_axis_{name}_tvalid": In(1),
            f"s_axis_{name}_tready": Out(1),
            f"s_axis_{name}_tlast": In(1),
        }
    return ports | {
        "m_axis_results_tdata": Out(result_bits),
        "m_axis_results_tvalid": Out(1),
        "m_axis_results_tready": In(1),
        "m_axis_results_tlast": Out(1),
        "m_axis_results_tuser": Out(1),
    }


def connect(m: Module, outside: Any, core: Any, inputs: Iterable[str], results: Any, words: Value) -> None:
    """Connect the ports of `stream_ports` to the streams of a core. Combinational.

    Parameters
    ----------
    m
        Where the connections go.
    outside
        The component with the ports.
    core
        The component with an input stream for each name.
    inputs
        The names.
    results
        The core's stream of results, whose payload has `end` and `malformed`.
    words
        The results' data.
    """
    for name in inputs:
        inside = getattr(core, name)
        m.d.comb += [
            inside.payload.eq(getattr(outside, f"s_axis_{name}_tdata")),
            inside.valid.eq(getattr(outside, f"s_axis_{name}_tvalid")),
            getattr(outside, f"s_axis_{name}_tready").eq(inside.ready),
        ]
    m.d.comb += [
        outside.m_axis_results_tdata.eq(words),
        outside.m_axis_results_tvalid.eq(results.valid),
        results.ready.eq(outside.m_axis_results_tready),
        outside.m_axis_results_tlast.eq(results.payload.end),
        outside.m_axis_results_tuser.eq(results.payload.malformed),
    ]
