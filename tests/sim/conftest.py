"""The accelerator, built once for each configuration that a test asks for."""

import os
import shutil
import time
from collections.abc import Callable

import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.simulators import SimulatorError, check_simulator
from bitjoule.sim.verification import Hardware


@pytest.fixture(scope="session")
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Hardware]:
    """Return a function that builds a configuration, or gives the build that it made before."""
    made: dict[object, Hardware] = {}
    runtime = tmp_path_factory.mktemp("runtime")

    def build(config: AcceleratorConfig, simulator: str = "verilator", **options: object) -> Hardware:
        key = (config, simulator, *options.items())
        if key not in made:
            folder = tmp_path_factory.mktemp("hardware")
            if simulator == "verilator" and not set(options) - {"verilog"}:
                # Verilator's own runtime takes longer to compile than a small accelerator, and is always the same.
                later = time.time() + 3600
                shutil.copytree(runtime, folder / "build")
                for file in (folder / "build").iterdir():
                    os.utime(file, (later, later))  # or make compiles it again
            made[key] = Hardware(config, folder, simulator, **options)  # type: ignore[arg-type]
            if simulator == "verilator" and not set(options) - {"verilog"}:
                for file in [*(folder / "build").glob("verilated*.o"), *(folder / "build").glob("verilated*.d")]:
                    shutil.copy2(file, runtime / file.name)
        return made[key]

    return build


@pytest.fixture(scope="session")
def icarus() -> str:
    """Return the second simulator's name; without it a test is skipped, but fails in CI."""
    try:
        check_simulator("icarus")
    except SimulatorError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return "icarus"
