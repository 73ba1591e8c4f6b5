"""An accelerator's Verilog with a module of a test's own behind its results."""

import re

from bitjoule.rtl.accelerator import axi_ports
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog


def behind_results(config: AcceleratorConfig, module: str, name: str) -> str:
    """Return the accelerator whose results pass through a module.

    Parameters
    ----------
    config
        The accelerator's.
    module, name
        Verilog, and its module's name. Its ports are `clk` and `rst`, `s_axis_a`, the sums of all columns, and
        `m_axis_y`, what becomes of them.
    """
    inside = re.sub(rf"^module {TOP}\(", "module plain(", accelerator_verilog(config), flags=re.MULTILINE)
    ports = {"clk": ("input", 1), "rst": ("input", 1)}
    ports |= {
        port: ("input" if member.flow.name == "In" else "output", member.shape)
        for port, member in axi_ports(config).items()
    }
    declared = ", ".join(f"{direction} [{bits - 1}:0] {port}" for port, (direction, bits) in ports.items())
    through = ", ".join(f".{port}({'sums' if port == 'm_axis_results_tdata' else port})" for port in ports)
    return (
        f"{inside}{module}module {TOP}({declared});\nwire [{config.result_bits * config.columns - 1}:0] sums;\n"
        f"plain plain({through});\n"
        f"{name} behind(.clk(clk), .rst(rst), .s_axis_a(sums), .m_axis_y(m_axis_results_tdata));\nendmodule\n"
    )
