"""The accelerator, built once for each configuration that a test asks for."""

from collections.abc import Callable

import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.bench.simulators import SimulatorError, check_simulator
from bitjoule.sim.bench.verification import Hardware


@pytest.fixture(scope="session")
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Hardware]:
    """Return a function that builds a configuration, or gives the build that it made before."""
    made: dict[object, Hardware] = {}

    def build(config: AcceleratorConfig, simulator: str = "verilator", **options: object) -> Hardware:
        key = (config, simulator, *options.items())
        if key not in made:
            made[key] = Hardware(config, tmp_path_factory.mktemp("hardware"), simulator, **options)  # type: ignore[arg-type]
        return made[key]

    return build


@pytest.fixture(scope="session")
def icarus() -> str:
    """Return the second simulator's name, or skip the test."""
    try:
        check_simulator("icarus")
    except SimulatorError as error:
        pytest.skip(str(error))
    return "icarus"


@pytest.fixture(scope="session")
def fast_build() -> str:
    """Return the simulator that builds a small accelerator fastest: Icarus, in a tenth of the time, if it is there."""
    try:
        check_simulator("icarus")
    except SimulatorError:
        return "verilator"
    return "icarus"
