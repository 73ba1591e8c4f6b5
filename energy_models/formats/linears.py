"""The formats of a linear that a scheme names, where they are not those of its other linears."""

from typing import NamedTuple

from pydantic import Field

from bitjoule.energy_models.formats.formats import format_name, scaled
from bitjoule.energy_models.formats.storage import AS_STORED, NameOrStorage, Storage, plain_storage, storages
from bitjoule.energy_models.inputs.errors import choices, suggestion
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

SHARED_INPUTS = (("q_proj", "k_proj", "v_proj"), ("ffn_gate", "ffn_up"))  # linears that take the same values
Weights = format_name(lambda number_format: number_format.in_schemes)


class LinearFormats(Strict):
    """Formats of one linear; those that are not written are the scheme's.

    Parameters
    ----------
    weights, weight_storage
        Format of its weights, and how they are stored.
    activations
        Format of its inputs.
    active_inputs
        Share of its inputs that are not zero. Arrays that skip zero inputs leave out their products and, where no token
        of a step has one, their weights.
    """

    weights: str | None = None
    weight_storage: NameOrStorage | None = None
    activations: str | None = None
    active_inputs: float = Field(default=1.0, gt=0, le=1)


class InUse(NamedTuple):
    """Formats of a linear, every one filled in."""

    weights: str
    storage_name: str
    storage: Storage
    activations: str
    active_inputs: float


def in_use(default: InUse, linear: LinearFormats | None) -> InUse:
    """Return the formats of a linear.

    Parameters
    ----------
    default
        The scheme's.
    linear
        What the linear has of its own, if anything.
    """
    if linear is None:
        return default
    written = linear.weight_storage or (plain_storage(linear.weights) if linear.weights else default.storage_name)
    if isinstance(written, str):
        stored = (written, default.storage if written == default.storage_name else storages()[written])
    else:
        stored = (AS_STORED, written)
    weights, activations = linear.weights or default.weights, linear.activations or default.activations
    return InUse(weights, *stored, activations, linear.active_inputs)


def check_linears(default: InUse, linears: dict[str, LinearFormats]) -> None:
    """Raise the error of a validator if a linear's formats cannot be combined with the scheme's.

    Parameters
    ----------
    default
        The scheme's formats.
    linears
        By component.
    """
    for name, linear in linears.items():
        at = ("linears", name)
        for key in ("weights", "activations"):
            written = getattr(linear, key)
            if written is None:
                continue
            usual = getattr(default, key)
            known = [each for each in Weights.names() if scaled(each) == scaled(usual)]
            if key == "activations":
                known = [each for each in known if each not in ("ternary", "binary")]
            if written not in known:
                unlike = f" beside {usual} in other linears" if written in Weights.names() else " is unknown"
                raise wrong_value(f"{written!r}{unlike}{suggestion(written, known)}", choices(known), *at, key)
        if isinstance(linear.weight_storage, str) and linear.weight_storage not in storages():
            wrong = f"unknown storage {linear.weight_storage!r}{suggestion(linear.weight_storage, storages())}"
            raise wrong_value(wrong, choices(storages(), 20), *at, "weight_storage")
        used = in_use(default, linear)
        if used.storage.holds != used.weights:
            fitting = [each for each, storage in storages().items() if storage.holds == used.weights]
            wrong = f"{used.storage_name} cannot store {used.weights} weights"
            raise wrong_value(wrong, choices(fitting), *at, "weight_storage")
    for together in SHARED_INPUTS:
        takes = {in_use(default, linears.get(name))[-2:] for name in together}
        if len(takes) > 1:
            name = next(name for name in together if name in linears)
            others = ", ".join(each for each in together if each != name)
            wrong = f"{name} takes the inputs of {others}, in another format"
            raise wrong_value(wrong, f"the same activations and active_inputs for {', '.join(together)}", "linears")
