"""The formats of a scheme in the roles that matmuls have, and where their scales are multiplied in."""

from bitjoule.energy_models.formats.formats import scaled, width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.system.hardware.sparsity import DENSE, Density, density
from bitjoule.energy_models.system.hardware.templates import Formats
from bitjoule.energy_models.system.platform.array_schema import Macs
from bitjoule.energy_models.system.work.steps import MatmulKind


def formats_of(scheme: Scheme, kind: MatmulKind) -> Formats:
    """Return the formats of a matmul.

    Parameters
    ----------
    scheme
        The scheme.
    kind
        What the matmul is for.
    """
    cached, queried = scheme.attention_operands
    linear = scheme.linear(kind.linear)
    cache = "values" if kind.operand == "values" else "keys"
    weights, part, activations = {
        "linear": (linear.weights, "", linear.activations),
        "router": (scheme.routed, "embedding", scheme.routed),
        "attention": (cached, cache, queried),
        "head": (scheme.stored("lm_head").holds, "lm_head", scheme.head_inputs),
        "full_precision": (scheme.stored("lm_head").holds, "lm_head", scheme.vector),
        "adapter": (scheme.stored("adapter").holds, "adapter", scheme.vector),
    }[kind.role]
    name, storage = (scheme.storage_name(part), scheme.stored(part)) if part else linear[1:3]
    bits = scheme.activation_bits(kind.linear) if kind.role == "linear" else width_bits(activations)
    outputs = scheme.activations if kind.standalone else scheme.residual
    return Formats(weights, name, storage, activations, bits, outputs)


def density_of(scheme: Scheme, kind: MatmulKind, required: Formats, macs: Macs) -> Density:
    """Return the products that a matmul takes for each weight and input.

    Parameters
    ----------
    scheme, kind
        As for `formats_of`.
    required, macs
        Its formats, and what a MAC of the array that runs it takes.
    """
    if kind.role not in ("linear", "head"):
        return DENSE
    active = scheme.linear(kind.linear).active_inputs if kind.role == "linear" else 1.0
    return density(required.storage, active, macs)


def scales_sums(required: Formats, macs: Macs) -> bool:
    """Return whether sums of groups are multiplied by the weights' scales; otherwise each weight is.

    Parameters
    ----------
    required, macs
        As for `density_of`.
    """
    return required.storage.group > 0 and (scaled(required.activations) or macs.adds)


def scales_of_a_sum(scheme: Scheme, kind: MatmulKind, required: Formats, macs: Macs) -> int:
    """Return how many scales a sum of a group has: of its weights, of its inputs.

    Parameters
    ----------
    scheme, kind, required, macs
        As for `density_of`.
    """
    return len(_groups(scheme, kind, required, macs))


def _groups(scheme: Scheme, kind: MatmulKind, required: Formats, macs: Macs) -> list[int]:
    inputs = scheme.activation_group if kind.rescaled else 0
    return [*([required.storage.group] if scales_sums(required, macs) else []), *([inputs] if inputs else [])]


def scaling(
    scheme: Scheme, kind: MatmulKind, required: Formats, macs: Macs, measured: bool = False
) -> tuple[float, float]:
    """Return the values of a sum that share scales, 0 for all, and the products with scales for each such sum.

    Where weights and inputs both have groups, a sum is multiplied by a scale of each. The netlists of arrays that add
    floating-point numbers multiply the sums of groups themselves (docs/hardware.md): their price has it in it.

    Parameters
    ----------
    scheme, kind, required, macs
        As for `density_of`.
    measured
        Whether the MAC has the price of a netlist.
    """
    grouped = scales_sums(required, macs)
    if grouped and measured and macs.adds and not scaled(required.activations):
        return 0.0, 0.0
    if kind.rescaled:
        products = float(scheme.quantised)
    elif kind.role == "head":
        products = float(scaled(required.activations) or grouped)
    else:
        return 0.0, 0.0
    groups = _groups(scheme, kind, required, macs)
    return float(min(groups, default=0)), products * required.storage.planes * max(len(groups), 1)
