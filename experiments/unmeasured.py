"""What measured technologies price by single operators, for want of a measured MAC."""

from bitjoule.energy_models.arithmetic import Accounting
from bitjoule.energy_models.machine import Machine
from bitjoule.energy_models.models import ModelShape
from bitjoule.energy_models.system import System
from bitjoule.experiments.reader import Resolved

_OPERATORS = frozenset({("weights", "mul"), ("partial_sums", "add")})


def unmeasured(resolved: Resolved) -> dict[str, list[str]]:
    """Return the kinds of MAC, weights x activations, that a technology with measured MACs prices otherwise.

    Parameters
    ----------
    resolved
        An experiment. Only technologies whose measured MACs its accounting uses are looked at.
    """
    found: dict[str, dict[str, None]] = {}
    system = resolved.experiment.accounting is Accounting.SYSTEM
    for name, technology in resolved.technologies.items():
        if technology.macs and (system or technology.by_arrays):
            kinds = _by_machines(resolved, name) if system else _by_terms(resolved, name)
            found |= {name: kinds} if kinds else {}
    return {name: list(kinds) for name, kinds in found.items()}


def _by_terms(resolved: Resolved, technology: str) -> dict[str, None]:
    kinds: dict[str, None] = {}
    attends = any(isinstance(model, ModelShape) for model in resolved.models.values())
    for scheme in resolved.schemes.values():
        pairs = [(scheme.weights, scheme.activations), *([scheme.attention_operands] if attends else [])]
        for weights, activations in pairs:
            if resolved.technologies[technology].term_mac(weights, activations) is None:
                kinds[f"{weights} x {activations}"] = None
    return kinds


def _by_machines(resolved: Resolved, technology: str) -> dict[str, None]:
    kinds: dict[str, None] = {}
    needed = System(list(resolved.models.values()), [], [], []).needed_kinds()
    for machines in resolved.platforms.values():
        for scheme, (name, platform) in machines.items():
            machine = Machine(resolved.schemes[scheme], platform, resolved.technologies[technology], name)
            for kind in needed:
                lines = machine.lines(kind).items()
                if any(line.factor and (step.operand, step.action) in _OPERATORS for step, line in lines):
                    formats = machine.formats(kind)
                    kinds[f"{formats.weights} x {formats.activations}"] = None
    return kinds
