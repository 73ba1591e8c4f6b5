"""Whether the arrays of a platform, as synthesised, can meet its clock."""

from collections.abc import Iterable, Iterator

from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.silicon import clocks_mhz
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.experiments.energy.resolve import Resolved


def machines_of(resolved: Resolved) -> Iterator[Machine]:
    """Yield the machine of each scheme and technology on each platform of an experiment.

    Parameters
    ----------
    resolved
        The experiment.
    """
    for by_scheme in resolved.platforms.values():
        for scheme, (name, platform) in by_scheme.items():
            for technology in resolved.technologies.values():
                yield Machine(resolved.schemes[scheme], platform, technology, name)


def too_fast(machines: Iterable[Machine]) -> Iterator[str]:
    """Yield each array that a measured technology prices and whose critical path is longer than a cycle, one line each.

    Parameters
    ----------
    machines
        Machines of an experiment; those whose technology holds no measured arrays are left out.
    """
    seen: set[tuple[str, str]] = set()
    for machine in machines:
        technology = machine.technology
        if not technology.macs or (machine.name, technology.name) in seen:
            continue
        seen.add((machine.name, technology.name))
        try:
            actual_mhz, clocks = machine.clock_mhz, clocks_mhz(machine.platform, technology)
        except UnpricedError:
            continue  # the run itself says so
        for name, clock_mhz in clocks.items():
            if actual_mhz > clock_mhz:
                yield (
                    f"platform {machine.name}: array {name} at {technology.name} runs at {actual_mhz:g} MHz; as "
                    f"synthesised it meets {clock_mhz:.4g} MHz"
                )
