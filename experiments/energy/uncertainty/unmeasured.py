"""MACs that measured technologies price by single operators, because no MAC of these formats was measured."""

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.scheme_work import layout_of
from bitjoule.experiments.energy.grid import Grid

_OPERATORS = frozenset({("weights", "mul"), ("partial_sums", "add")})


def unmeasured(grid: Grid) -> dict[str, list[str]]:
    """Return the kinds of MAC, weights x activations, that a technology with measured MACs prices otherwise.

    Parameters
    ----------
    grid
        The cases of an experiment. Only technologies whose measured MACs its accounting uses are included.
    """
    by_technology: dict[str, dict[str, None]] = {}
    system = grid.accounting is Accounting.SYSTEM
    for name, technology in grid.technologies.items():
        if technology.macs and (system or technology.priced_as_macs):
            kinds = _by_machines(grid, name) if system else _by_terms(grid, name)
            by_technology |= {name: kinds} if kinds else {}
    return {name: list(kinds) for name, kinds in by_technology.items()}


def _by_terms(grid: Grid, technology: str) -> dict[str, None]:
    kinds: dict[str, None] = {}
    attends = any(
        kind.role == "attention" for kind in layout_of(list(grid.models.values()), list(grid.schemes.values())).kinds
    )
    for scheme in grid.schemes.values():
        pairs = [(scheme.weights, scheme.activations), *([scheme.attention_operands] if attends else [])]
        for weights, activations in pairs:
            if grid.technologies[technology].term_mac(weights, activations) is None:
                kinds[f"{weights} x {activations}"] = None
    return kinds


def _by_machines(grid: Grid, technology: str) -> dict[str, None]:
    kinds: dict[str, None] = {}
    needed = layout_of(list(grid.models.values()), list(grid.schemes.values())).kinds
    for machines in grid.platforms.values():
        for scheme, (name, platform) in machines.items():
            machine = Machine(grid.schemes[scheme], platform, grid.technologies[technology], name)
            for kind in needed:
                lines = machine.lines(kind).items()
                if any(line.factor and (step.operand, step.action) in _OPERATORS for step, line in lines):
                    formats = machine.formats(kind)
                    kinds[f"{formats.weights} x {formats.activations}"] = None
    return kinds
