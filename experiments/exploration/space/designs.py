"""From the assignments of a space's knobs to what is evaluated: scheme, technology, machine, workload."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bitjoule.energy_models.architecture.shape import AnyShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.changes import Change, ImpossibleError, changed
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.work.workload import Experts
from bitjoule.experiments.exploration.space.accelerator import array_changes
from bitjoule.experiments.exploration.space.knobs import FACTOR, Space, is_factor
from bitjoule.rtl.config import AcceleratorConfig


@dataclass(frozen=True)
class Base:
    """What a design is where no knob says otherwise.

    Parameters
    ----------
    models
        By name; every design runs all of them.
    schemes, technologies, platforms
        By name, those that knobs choose from; the first is the file's own.
    accelerator
        A configuration, and the array that has its sizes; none without.
    workload
        Prompt tokens, new tokens and batch, by key.
    objective, experts
        As of `bitjoule.energy_models.system.system.System`.
    """

    models: Mapping[str, AnyShape]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: Mapping[str, Platform]
    accelerator: tuple[AcceleratorConfig, str] | None
    workload: Mapping[str, int]
    objective: Objective
    experts: Experts


class Design(NamedTuple):
    """What is evaluated.

    Parameters
    ----------
    scheme_name, scheme, technology
        The formats, and the prices.
    platform_name, platform
        The machine.
    batch, prompt_tokens, new_tokens
        The workload.
    """

    scheme_name: str
    scheme: Scheme
    technology: Technology
    platform_name: str
    platform: Platform
    batch: int
    prompt_tokens: int
    new_tokens: int


def sections(assignment: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the values of an assignment by section and by key in it; the key is empty for a whole entry.

    Parameters
    ----------
    assignment
        Of a design.
    """
    parts: dict[str, dict[str, Any]] = {}
    for dotted_key, value in assignment.items():
        section, _, key = dotted_key.partition(".")
        parts.setdefault(section, {})[key] = value
    return parts


def build(base: Base, assignment: Mapping[str, Any]) -> Design:
    """Return a design.

    Parameters
    ----------
    base
        What no knob changes.
    assignment
        The value at each key of a knob.

    Raises
    ------
    ImpossibleError
        A schema does not allow the values together; the message says why.
    """
    parts = sections(assignment)

    def entry(section: str, known: Mapping[str, Any]) -> tuple[str, Any]:
        name = parts.get(section, {}).pop("", next(iter(known)))
        return name, known[name]

    scheme_name, scheme = entry("scheme", base.schemes)
    _, technology = entry("technology", base.technologies)
    platform_name, platform = entry("platform", base.platforms)
    changes: dict[str, Change] = {}
    if base.accelerator is not None:
        changes |= array_changes(*base.accelerator, parts.get("accelerator", {}))
    changes |= _changes(parts.get("platform", {}))
    workload = {**base.workload, **parts.get("workload", {})}
    return Design(
        scheme_name,
        _changed("scheme", scheme, _changes(parts.get("scheme", {}))),
        technology,
        platform_name,
        _changed("platform", platform, changes),
        workload["batch"],
        workload["prompt_tokens"],
        workload["new_tokens"],
    )


def _changes(values: Mapping[str, Any]) -> dict[str, Change]:
    """Return the changes of a knob's values; ``{factor: 2}`` multiplies what is there."""
    return {
        key: Change(factor=value[FACTOR]) if is_factor(value) else Change(value=value) for key, value in values.items()
    }


def _changed(section: str, document: Any, changes: Mapping[str, Change]) -> Any:
    try:
        return changed(document, changes)
    except ImpossibleError as error:
        raise ImpossibleError(f"{section}: {error}") from None


def designs_of(base: Base, space: Space, numbers: "list[int]") -> "list[Design | str]":
    """Return designs by number; in place of an impossible one, why it is.

    Parameters
    ----------
    base, space
        Of the exploration.
    numbers
        Of the designs.
    """
    built: list[Design | str] = []
    for number in numbers:
        try:
            built.append(build(base, space.assignment(number)))
        except ImpossibleError as error:
            built.append(str(error))
    return built
