"""Element-wise work that a scheme adds to a model: rotations, channel factors, other widths, the head's inputs.

What a model does in every scheme is stated by its parts; here is what follows from the scheme, for each token.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import Described, Linear, Part
from bitjoule.energy_models.architecture.layout import LaidOut, Layout
from bitjoule.energy_models.architecture.parts.rotations import Hadamard
from bitjoule.energy_models.architecture.phases import Cases, Floats, Steps
from bitjoule.energy_models.formats.formats import scaled, width_bits
from bitjoule.energy_models.formats.schemes import Scheme, own_linears
from bitjoule.energy_models.formats.transforms import Transform
from bitjoule.energy_models.inputs.errors import choices
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.units import InUnits, Units
from bitjoule.energy_models.system.work.workload import WRITTEN, RequestWork

QUANTISATION, ROTATION, CHANNELS = "activation_quantisation", "rotation", "channel_scaling"
COMPONENT = {"hadamard": ROTATION, "kronecker": ROTATION, "channels": CHANNELS}


class Vector(NamedTuple):
    """Values of a token that a linear takes or gives: its component, their number, and how many such vectors."""

    component: str
    width: int
    times: int


def layout_of(models: Sequence[Described], schemes: Sequence[Scheme]) -> Layout:
    """Return the layout of some models in some schemes.

    Parameters
    ----------
    models, schemes
        The lists.
    """
    further = dict.fromkeys(COMPONENT[transform.kind] for scheme in schemes for transform in scheme.transforms)
    return Layout(models, own_linears(schemes), tuple(further))


def linears_of(part: Part) -> tuple[Linear, ...]:
    """Return the linears of a part that a scheme quantises: not the router, not the LM head.

    Parameters
    ----------
    part
        Of a block.
    """
    return tuple(m for m in part.matmuls if isinstance(m, Linear) and m.kind.role == "linear")


def inputs_of(part: Part, on: Sequence[str] | Literal["all"] = "all") -> Iterator[Vector]:
    """Yield the inputs of some linears; those that several of them take, once.

    Parameters
    ----------
    part
        Of a block.
    on
        Components.
    """
    linears = linears_of(part)
    names = [linear.component for linear in linears if on == "all" or linear.component in on]
    if names:
        for vector in Hadamard(on=names).rotated(Part(linears)):
            yield Vector(*vector)


def outputs_of(part: Part, on: Sequence[str] | Literal["all"] = "all") -> Iterator[Vector]:
    """Yield the outputs of some linears.

    Parameters
    ----------
    part, on
        As for `inputs_of`.
    """
    for linear in linears_of(part):
        if on == "all" or linear.component in on:
            yield Vector(linear.component, linear.out_features, linear.uses)


def rotation_operations(transform: Transform, width: int) -> Floats | None:
    """Return the operations and values moved of a transform of one vector, or none if there is no such rotation.

    Parameters
    ----------
    transform
        What is done.
    width
        Of the vector.
    """
    block = transform.block or width
    if transform.kind == "channels":
        return width * functions()["channel_factor"].per_element
    if width % block:
        return None
    passing = width * functions()["hadamard_pass"].per_element
    if transform.kind == "hadamard":
        additions = Hadamard(on=["q_proj"], block=transform.block).additions(width)
        return None if additions is None else additions * functions()["hadamard_add"].per_element + passing
    first = next(divisor for divisor in range(math.isqrt(block), 0, -1) if block % divisor == 0)
    return width * (first + block // first) * functions()["rotation_mac"].per_element + passing


class Added(NamedTuple):
    """What a scheme adds to a model.

    Parameters
    ----------
    parts
        Operations and values of each element-wise component, for a token, shape (components, 4).
    inputs
        Values of the linears' inputs in units of the scheme's usual format, beyond their number, by place (see
        `bitjoule.energy_models.architecture.layout.LaidOut.live`), shape (places,).
    head
        Values of the LM head's inputs that are quantised, for an output.
    """

    parts: Floats
    inputs: Floats
    head: float


def _added(layout: Layout, model: LaidOut, scheme: Scheme) -> Added:
    parts, inputs, head = np.zeros((len(layout.elementwise), 4)), np.zeros(layout.places), 0.0
    usual = width_bits(scheme.activations)
    quantised = scheme.quantised and scheme.quantises_activations
    for (part, repeats), place in zip(model.parts, model.place, strict=True):
        for transform in scheme.transforms:
            vectors = (inputs_of if transform.of == "inputs" else outputs_of)(part, transform.on)
            for vector in vectors:
                work = rotation_operations(transform, vector.width)
                if work is not None:  # `unfit` refuses the others
                    at = layout.elementwise.index(COMPONENT[transform.kind])
                    parts[at] += repeats * vector.times * work
        if quantised and (scheme.linears or scheme.activation_group):
            for vector in inputs_of(part):
                wider = scheme.activation_bits(vector.component) / usual - 1
                inputs[place] += repeats * vector.times * vector.width * wider
        if scheme.head is not None and scaled(scheme.head):
            heads = [m for m in part.matmuls if isinstance(m, Linear) and m.kind == MatmulKind.HEAD]
            head += repeats * sum(matmul.in_features for matmul in heads)
    parts[layout.elementwise.index(QUANTISATION), WRITTEN] += inputs.sum()
    return Added(parts, inputs, head)


class SchemeWork:
    """What each scheme adds to each model.

    Parameters
    ----------
    layout, models, schemes
        The lists that cases index, and their layout.
    """

    def __init__(self, layout: Layout, models: Sequence[Described], schemes: Sequence[Scheme]) -> None:
        changes = any(
            scheme.transforms or scheme.linears or scheme.activation_group or scheme.head for scheme in schemes
        )
        laid_out = [next(layout.groups(np.array([i])))[0] for i in range(len(models))] if changes else []
        added = [[_added(layout, model, scheme) for scheme in schemes] for model in laid_out]
        self.parts = np.array([[each.parts for each in row] for row in added])
        self.inputs = np.array([[each.inputs for each in row] for row in added])
        self.head = np.array([[each.head for each in row] for row in added])
        widths = [width_bits(scheme.head or scheme.vector) / width_bits(scheme.activations) for scheme in schemes]
        self.head_width = np.array(widths)
        self.at_quantisation = layout.elementwise.index(QUANTISATION)
        self._layout = layout

    def added(self, work: RequestWork, cases: Cases, steps: Steps, units: Units | None = None) -> RequestWork:
        """Return the work of cases with what their schemes add.

        Parameters
        ----------
        work
            Of the models alone.
        cases, steps
            The cases, and their phases.
        units
            What they pay in units.
        """
        if not len(self.parts):
            return work
        runs = cases.batch[:, None] * steps.repeats
        tokens, outputs = runs * steps.tokens, runs * steps.outputs
        of = (cases.model, cases.scheme)
        parts = work.parts + tokens[..., None, None] * self.parts[of][:, None]
        function, elements, in_units = functions()["quantisation"], outputs * self.head[of][:, None], work.in_units
        left = function.per_element
        if units is not None and in_units is not None:
            own = InUnits(self._layout, units, elements.shape)
            left = own.take(QUANTISATION, function, elements, "head")
            in_units = in_units + own.elements
        quantised = elements[..., None] * left
        quantised[..., WRITTEN] *= self.head_width[cases.scheme][:, None]
        parts[:, :, self.at_quantisation] += quantised
        return work._replace(
            parts=parts,
            inputs_written=work.inputs_written + tokens[..., None] * self.inputs[of][:, None],
            in_units=in_units,
        )


def unfit(models: Sequence[Described], scheme: Scheme) -> tuple[str, str] | None:
    """Return what keeps a scheme from running on some models: wrong and expected.

    Parameters
    ----------
    models
        The models.
    scheme
        The scheme.
    """
    parts = [part for model in models for block in model.blocks for part in block.parts]
    linears = dict.fromkeys(linear.component for part in parts for linear in linears_of(part))
    named = [*scheme.linears, *(name for each in scheme.transforms if each.on != "all" for name in each.on)]
    for name in named:
        if name not in linears and linears:
            wrong = f"the scheme names {name}, a linear that no model has"
            return wrong, choices(linears, len(linears))
    if scheme.storage_name("keys") != scheme.storage_name("values") and any(part.one_cache for part in parts):
        wrong = f"keys in {scheme.storage_name('keys')} and values in {scheme.storage_name('values')}"
        return f"{wrong}, of a model with one cache for both", "kv_cache, for both"
    for transform in scheme.transforms:
        for part in parts:
            for vector in (inputs_of if transform.of == "inputs" else outputs_of)(part, transform.on):
                if rotation_operations(transform, vector.width) is None:
                    block = f" in blocks of {transform.block}" if transform.block else ""
                    wrong = f"no {transform.kind} rotation of the {vector.width} {transform.of} of {vector.component}"
                    return f"{wrong}{block}", "a block that divides them, e.g. a power of two"
    return None
