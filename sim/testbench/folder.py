"""The files of a testbench: Verilog, drivers, Makefile, README, and stimulus and expected results in hexadecimal."""

from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.streams import Bytes
from bitjoule.sim.testbench.stimulus import Stimulus

STATIC = ("testbench.v", "Makefile", "cocotb.mk", "cocotb_driver.py")
_README = "README.md.in"


def testbench_files(config: AcceleratorConfig, verilog: str, stimulus: Stimulus, title: str) -> dict[str, str]:
    """Return the files of a testbench by name.

    Parameters
    ----------
    config
        The configuration.
    verilog
        The accelerator's Verilog.
    stimulus
        What is sent and expected.
    title
        Names the accelerator in the README.
    """
    folder = files(__package__) / "files"
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in STATIC}
    sizes: dict[str, Any] = {
        "COMMAND_BITS": 8 * stimulus.commands.shape[1],
        "WEIGHT_BITS": config.weight_bus_bits,
        "ACTIVATION_BITS": config.activation_bus_bits,
        "RESULT_BITS": config.result_bus_bits,
        "COMMANDS": len(stimulus.commands),
        "WEIGHT_BEATS": len(stimulus.weights),
        "ACTIVATION_BEATS": len(stimulus.activations),
        "RESULT_BEATS": len(stimulus.results),
        "PATIENCE": stimulus.patience_cycles,
    }
    readme = (folder / _README).read_text(encoding="utf-8")
    filled = {"TITLE": title, "MALFORMED": int(stimulus.malformed.sum()), **sizes}
    for name, value in filled.items():
        readme = readme.replace(f"@{name}@", str(value))
    flags = 2 * stimulus.malformed + stimulus.last
    return {
        f"{TOP}.v": verilog,
        "parameters.vh": "".join(f"localparam {name} = {value};\n" for name, value in sizes.items()),
        "commands.hex": _hexadecimal(stimulus.commands),
        "weights.hex": _hexadecimal(stimulus.weights),
        "activations.hex": _hexadecimal(stimulus.activations),
        "results.hex": _results(flags, stimulus.masks, stimulus.results),
        "cycles.hex": "".join(f"{cycles:08x}\n" for cycles in stimulus.cycles.tolist()),
        "README.md": readme,
        **texts,
    }


def _hexadecimal(beats: Bytes) -> str:
    """Return a line for each beat, its last byte first, as Verilog reads it."""
    return "".join(row.tobytes().hex() + "\n" for row in beats[:, ::-1])


def _results(flags: NDArray[np.integer[Any]], masks: Bytes, results: Bytes) -> str:
    lines = (text.split("\n") for text in (_hexadecimal(masks), _hexadecimal(results)))
    words = zip(flags.tolist(), *lines, strict=False)
    return "".join(f"{flag:x}_{mask}_{result}\n" for flag, mask, result in words)
