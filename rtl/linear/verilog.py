"""A whole BitLinear as Verilog text, and a description of it for programs."""

from typing import Any

from bitjoule.rtl.linear.bitlinear import AxiBitLinear, linear_ports
from bitjoule.rtl.linear.config import SCALE_BITS, LinearConfig
from bitjoule.rtl.linear.layouts import LINEAR_COMMAND
from bitjoule.rtl.verilog import description, port_list, verilog_text

LINEAR_TOP = "bitjoule_bitlinear"


def linear_verilog(config: LinearConfig, quickly: bool = False) -> str:
    """Return the Verilog of a BitLinear; the top module is `LINEAR_TOP`.

    The same configuration gives the same bytes anywhere.

    Parameters
    ----------
    config
        The configuration.
    quickly
        By the Yosys of the synthesis, if it is installed: 20 s instead of 95 s of processor time for `bitlinear_64x16`.
        It may write the assignments of a module in another order.
    """
    return verilog_text(AxiBitLinear(config), LINEAR_TOP, "whole BitLinear", quickly)


def linear_description(config: LinearConfig) -> dict[str, Any]:
    """Return what a program needs to know to use the Verilog: that of the array, and what differs.

    Parameters
    ----------
    config
        The configuration.
    """
    told = description(config.array)
    packing = told["packing"]
    packing["command"] |= {"scale": [LINEAR_COMMAND.size - SCALE_BITS, LINEAR_COMMAND.size - 1]}
    values = {"format": config.format, "lanes": config.lanes, "bits_per_lane": config.form.bits}
    packing["activations"] = {"order": ["token of M", "beat of K", "lane"], **values}
    if config.normed:
        packing["command"]["epsilon"] = [LINEAR_COMMAND.size, LINEAR_COMMAND.size + SCALE_BITS - 1]
        packing["gains"] = {"order": ["beat of K", "lane"], **values}
    packing["results"] = {
        "order": ["block of tokens of M", "tile of N", "token", "beat of the tile", "lane"],
        "beats_per_tile": config.result_beats,
        **values,
    }
    del told["latency_cycles"]
    return told | {
        "module": LINEAR_TOP,
        "configuration": config.as_mapping(),
        "ports": port_list(linear_ports(config)),
        "code_of_largest_magnitude": config.steps,
    }
