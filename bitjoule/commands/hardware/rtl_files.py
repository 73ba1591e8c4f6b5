"""The files that ``bitjoule rtl generate`` writes: Verilog and its description, and what a system needs beside them."""

from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.energy_models.inputs.errors import InputError, Problem

if TYPE_CHECKING:
    from bitjoule.rtl.config import AcceleratorConfig
    from bitjoule.rtl.linear.config import LinearConfig

ENDINGS = {"none": (".json",), "axi": (".json", ".h", ".tcl")}  # by wrapper, of the files beside the Verilog


def files_of(config: "AcceleratorConfig | LinearConfig", source: str, target: Path, wrapper: str) -> dict[Path, str]:
    """Return texts by file.

    Parameters
    ----------
    config
        The configuration.
    source
        As the user gave it.
    target
        The Verilog file; the others have its name and other endings.
    wrapper
        ``none``, or ``axi`` for registers.

    Raises
    ------
    InputError
        A stream is wider than the wrapper allows.
    """
    from bitjoule.rtl.config import ConfigError
    from bitjoule.rtl.linear.config import LinearConfig
    from bitjoule.rtl.verilog import accelerator_verilog, description, json_text

    if wrapper == "none":
        if isinstance(config, LinearConfig):
            from bitjoule.rtl.linear.verilog import linear_description, linear_verilog

            verilog, described = linear_verilog(config), linear_description(config)
        else:
            verilog, described = accelerator_verilog(config), description(config)
        return {target: verilog, target.with_suffix(".json"): json_text(described)}

    from bitjoule.rtl.axi_lite.register_map import c_header, register_map
    from bitjoule.rtl.axi_lite.top import registered_description, registered_verilog
    from bitjoule.rtl.axi_lite.vivado import vivado_script

    try:
        registers = register_map(config)
    except ConfigError as error:
        raise InputError(
            Problem(source, 1, f"{fault.key}, with --wrapper {wrapper}", fault.wrong, fault.expected)
            for fault in error.faults
        ) from None
    return {
        target: registered_verilog(config),
        target.with_suffix(".json"): json_text(registered_description(config)),
        target.with_suffix(".h"): c_header(registers),
        target.with_suffix(".tcl"): vivado_script(config, target.stem),
    }
