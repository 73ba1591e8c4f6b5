"""Libraries and netlists that several tests need."""

import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.synthesis.flow import Goals, Mapped, map_design
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.sampling import drawing_seed

ASAP7 = "BITJOULE_ASAP7"  # names a folder with ASAP7's asap7sc7p5t_*_RVT_TT.lib, plain or gzipped
HERE, NODES = Path(__file__).parent, ("45nm", "7nm")
BESIDE = Path(__file__).parents[3] / "shared" / "pdk" / "asap7"  # where continuous integration has them


@cache
def open_library(node: str) -> Library:
    """Return the library of a node, or skip the test."""
    if node == "45nm":
        return find_library([FREEPDK45])
    files = sorted(Path(os.environ.get(ASAP7, BESIDE)).glob("asap7sc7p5t_*_RVT_TT.lib*"))
    if not files:
        pytest.skip(
            f"no ASAP7 library in {BESIDE}: set {ASAP7} to a folder with asap7sc7p5t_*_RVT_TT.lib, e.g. "
            "flow/platforms/asap7/lib/NLDM of OpenROAD-flow-scripts"
        )
    return Library(files)


@cache
def map_configuration(name: str, node: str) -> tuple[Mapped, Path]:
    """Return the netlist of a shipped configuration, and the folder it was made in."""
    library, folder = open_library(node), Path(mkdtemp())
    source = folder / "design.v"
    source.write_text(accelerator_verilog(read_configuration(name)))
    return map_design(source, TOP, "clk", library, folder, Options(), Goals(math.nan, 0.5)), folder


@pytest.fixture
def open_node():
    """Return a function from a node to its library."""
    return open_library


@pytest.fixture
def mapped():
    """Return a function from a shipped configuration and a node to its netlist and folder."""
    return map_configuration


@pytest.hookimpl(tryfirst=True)  # before marks select
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each slow test of both libraries run with the one that is drawn for it; with the other it is dear."""
    for item in items:
        node = getattr(item, "callspec", None) and item.callspec.params.get("library")  # type: ignore[attr-defined]
        if node and item.path.is_relative_to(HERE) and item.get_closest_marker("slow"):
            test = item.nodeid.split("[")[0]  # all its cases together: they share netlists
            if node != NODES[drawing_seed(test) % len(NODES)]:
                item.add_marker(pytest.mark.dear)


@pytest.fixture(scope="session", params=NODES)
def library(request: pytest.FixtureRequest) -> Library:
    """Return the library of each node."""
    return open_library(request.param)


@pytest.fixture(scope="session")
def synthesised(library: Library) -> Callable[[AcceleratorConfig], Netlist]:
    """Return a function that synthesises any accelerator, or gives the netlist that this run made before."""

    @cache
    def netlist(config: AcceleratorConfig) -> Netlist:
        goals = Goals(math.nan, 0.5)
        return stored_netlist(accelerator_verilog(config), TOP, "clk", library, Options(), goals)

    return netlist


@pytest.fixture(scope="session")
def freepdk45() -> Library:
    """Return the 45 nm library that comes as a package."""
    return open_library("45nm")
