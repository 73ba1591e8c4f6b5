"""The hardware's Verilog, generated once: a large array takes Amaranth and Yosys seconds."""

import importlib.metadata
import json
from pathlib import Path

import bitjoule.rtl
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.conversion import packages
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import linear_verilog
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator.build_cache import cached, content_hash

_FILE = "accelerator.v"


def generated_verilog(config: AcceleratorConfig | LinearConfig) -> str:
    """Return what `accelerator_verilog` or, of a whole BitLinear, `linear_verilog` writes; from the cache if there.

    Parameters
    ----------
    config
        The configuration.

    Raises
    ------
    SimulatorError
        The cache cannot be written.
    """
    generator = (path.read_bytes() for path in sorted(Path(bitjoule.rtl.__file__).parent.rglob("*.py")))
    key = content_hash(json.dumps(config.as_mapping()), *generator, *map(importlib.metadata.version, packages()))

    def build(folder: Path) -> None:
        if isinstance(config, LinearConfig):
            text = linear_verilog(config, quickly=True)
        else:
            text = accelerator_verilog(config, quickly=True)
        (folder / _FILE).write_text(text, encoding="utf-8")

    return (cached(f"verilog-{key}", build) / _FILE).read_text(encoding="utf-8")
