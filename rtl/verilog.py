"""The accelerator as Verilog text, and a description of it for programs."""

import json
import re
from importlib.metadata import version
from typing import Any

from bitjoule.rtl.accelerator import AxiAccelerator, axi_ports
from bitjoule.rtl.config import FP16_BITS, GROUP, AcceleratorConfig
from bitjoule.rtl.conversion import converted, plain_names
from bitjoule.rtl.garbage import uncollected

TOP = "bitjoule_accelerator"
_MODULE = re.compile(r"^module (\S+) ?\((.*?)^endmodule\n", re.MULTILINE | re.DOTALL)
_ANONYMOUS = re.compile(r"\\\$auto\$\S+")
_INSTANCE = re.compile(r"^  (\S+) +(\S+) +\(\n", re.MULTILINE)


def accelerator_verilog(config: AcceleratorConfig, quickly: bool = False) -> str:
    """Return the Verilog of the accelerator; the top module is `TOP`.

    The same configuration gives the same bytes anywhere.

    Parameters
    ----------
    config
        The configuration.
    quickly
        By the Yosys of the synthesis, if it is installed, and without `plain_names`. That the text is the same but for
        these is known of the configurations that ship and of their kinds, in any size: for a text that is worked on
        here, not for one to be given away.
    """
    kind = "baseline accelerator, with multipliers," if config.multiplies else "adder-only accelerator"
    return verilog_text(AxiAccelerator(config), TOP, kind, quickly)


def verilog_text(component: Any, top: str, kind: str, quickly: bool = False) -> str:
    """Return the Verilog of a component, each module written once.

    Parameters
    ----------
    component
        The component.
    top
        Its module's name.
    kind
        What it is, for the header.
    quickly
        As of `accelerator_verilog`.
    """
    with uncollected():
        text = converted(component, top, quickly)
    text = text if quickly else plain_names(text)
    header = _HEADER.format(kind=kind, amaranth=version("amaranth"))
    return header + _share_modules(_MODULE.sub(_renumbered, text))


_HEADER = """\
// The {kind} of bitjoule, generated with Amaranth {amaranth}. The JSON file beside it says from what.
/* verilator lint_off WIDTHEXPAND */
/* verilator lint_off WIDTHTRUNC */
/* verilator lint_off UNUSEDSIGNAL */
"""


def _renumbered(module: re.Match[str]) -> str:
    """Count a module's nameless nets from zero: Yosys counts them through the whole design."""
    names: dict[str, str] = {}
    return _ANONYMOUS.sub(lambda match: names.setdefault(match[0], f"\\$net{len(names)}"), module[0])


def _share_modules(text: str) -> str:
    """Write a module that occurs under several names only once.

    The columns of the array are alike: shared, the text shrinks, and a simulator compiles their module once.
    """
    first: dict[str, str] = {}
    shared: dict[str, str] = {}
    for match in _MODULE.finditer(text):
        shared[match[1]] = first.setdefault(match[2], match[1])
    if len(first) == len(shared):
        return text
    once = _MODULE.sub(lambda match: match[0] if shared[match[1]] == match[1] else "", text)
    return _share_modules(_INSTANCE.sub(lambda match: f"  {shared.get(match[1], match[1])} {match[2]} (\n", once))


def _scales(config: AcceleratorConfig) -> dict[str, Any]:
    return {"format": "fp16", "first_bit": config.scales_begin, "bits_per_column": FP16_BITS, "group": GROUP}


def port_list(ports: dict[str, Any]) -> list[dict[str, Any]]:
    """Return name, direction and width of each port, clock and reset first.

    Parameters
    ----------
    ports
        The others by name.
    """
    names = {name: (member.flow.name.lower(), member.shape) for name, member in ports.items()}
    every = {"clk": ("in", 1), "rst": ("in", 1)} | names
    return [{"name": name, "direction": way, "bits": bits} for name, (way, bits) in every.items()]


def description(config: AcceleratorConfig) -> dict[str, Any]:
    """Return what a program needs to know to use the Verilog: configuration, ports, packing, timing, versions.

    Parameters
    ----------
    config
        The configuration.
    """
    encoding = config.encoding
    return {
        "module": TOP,
        "configuration": config.as_mapping(),
        "ports": port_list(axi_ports(config)),
        "packing": {
            "command": {"m": [0, 15], "k": [16, 39], "n": [40, 63]},
            "weights": {
                "order": ["block of tokens of M", "tile of N", "tile of K", "beat", "lane", "column"],
                "encoding": encoding.name,
                "code_word_bits": encoding.bits,
                "code_word_trits": encoding.trits,
                "code": {str(code): list(trits) for code, trits in enumerate(encoding.decoded)},
                "bits_per_lane": encoding.row_bits(config.columns),
                **({"scales": _scales(config)} if config.scaled else {}),
                "tile_bits": config.tile_bits,
                "beats_per_tile": config.tile_beats,
            },
            "activations": {
                "order": ["block of tokens of M", "tile of N", "tile of K", "token", "lane"],
                "bits_per_lane": config.activation_bits,
            },
            "results": {
                "order": ["block of tokens of M", "tile of N", "token", "column"],
                "bits_per_column": config.result_bits,
                "accumulator_bits": config.accumulator_bits,
                "accumulation": config.accumulation,
            },
        },
        "latency_cycles": config.latency_cycles,
        "versions": {"amaranth": version("amaranth"), "bitjoule": version("bitjoule")},
    }


def description_text(config: AcceleratorConfig) -> str:
    """Return the description as JSON, lists of numbers on one line.

    Parameters
    ----------
    config
        The configuration.
    """
    return json_text(description(config))


def json_text(told: dict[str, Any]) -> str:
    """Return a description as JSON, lists of numbers on one line.

    Parameters
    ----------
    told
        The description.
    """
    text = json.dumps(told, indent=1) + "\n"
    return re.sub(r"\[\s+((?:-?\d+,\s+)*-?\d+)\s+\]", lambda match: f"[{' '.join(match[1].split())}]", text)
