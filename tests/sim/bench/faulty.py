"""A module with a fault in its source, and what the bench finds in hardware made of it."""

import inspect
from types import ModuleType

from bitjoule.sim.bench.cases import directed_cases, random_cases


def faulty(module, there, fault):
    """Return a module made of the source of another, in which `there`, which stands in it once, is `fault`."""
    source = inspect.getsource(module)
    assert source.count(there) == 1, f"{module.__name__} does not hold {there} once"
    altered = ModuleType(module.__name__)
    exec(compile(source.replace(there, fault), f"{module.__name__} with a fault", "exec"), altered.__dict__)  # noqa: S102
    return altered


def failure(hardware, config, simulator, verilog):
    """Return what the bench says of some Verilog; none if it passes."""
    cases = [*directed_cases(config), *random_cases(config, matmuls=50, seed=1)]
    return hardware(config, simulator, verilog=verilog).verify(cases).failure
