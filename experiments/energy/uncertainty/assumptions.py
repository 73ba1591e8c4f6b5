"""What a run assumes beside its prices: other values of its keys, and the experiment counted with them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.architecture.shape import AnyShape, ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.changes import Change, ImpossibleError, changed, selected
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.experiments.energy.evaluation import evaluate_system
from bitjoule.experiments.energy.grid import Grid, grid_of
from bitjoule.experiments.energy.resolve import Resolved
from bitjoule.experiments.energy.tables.sums import blocks
from bitjoule.experiments.names.platforms import lacking

FILE = DATA / "assumptions.yaml"
AS_RUN = "as run"


class Alternative(Strict):
    """Changes of what an experiment names, by dotted key; see `bitjoule.energy_models.inputs.changes.changed`.

    Parameters
    ----------
    experiment, platform, scheme, model
        Of the experiment's own keys, and of each platform, scheme and model (not of bare matmuls).
    label
        What tables call it; by default the changes.
    """

    experiment: dict[str, Change] = Field(default_factory=dict)
    platform: dict[str, Change] = Field(default_factory=dict)
    scheme: dict[str, Change] = Field(default_factory=dict)
    model: dict[str, Change] = Field(default_factory=dict)
    label: str = ""

    def __str__(self) -> str:
        """Return it as a cell of a table: the changes, each once."""
        if self.label:
            return self.label
        parts = [changes for changes in (self.experiment, self.platform, self.scheme, self.model) if changes]
        texts = {key.rpartition(".")[2]: str(change) for changes in parts for key, change in changes.items()}
        if len(set(texts.values())) <= 1:
            return next(iter(texts.values()), AS_RUN)
        return ", ".join(f"{key} {text}" for key, text in texts.items())


class Where(Strict):
    """Which platforms and schemes an assumption is about: the values of their keys."""

    platform: dict[str, list[str]] = Field(default_factory=dict)
    scheme: dict[str, list[str]] = Field(default_factory=dict)


class Assumption(Strict):
    """An assumption, with a low and a high alternative; one that is left out is what the experiment has.

    Parameters
    ----------
    where
        What it is about; by default everything.
    low, high
        The alternatives.
    reason, source
        Why they are plausible, and the citation key, or ``assumption``.
    """

    where: Where = Where()
    low: Alternative = Alternative()
    high: Alternative = Alternative()
    reason: str
    source: str


class _Assumptions(Strict):
    """The file data/assumptions.yaml."""

    assumptions: dict[str, Assumption]


class Varied(NamedTuple):
    """An assumption at both ends.

    Parameters
    ----------
    name, assumption
        The assumption.
    texts
        What it is at its low and its high end, as cells of a table.
    energies
        Nominal energy of each case and phase in pJ at each end, shape (cases, phases); none where nothing changes, or
        where the experiment cannot run.
    problems
        Why it cannot run at the low and at the high end; empty where it can.
    """

    name: str
    assumption: Assumption
    texts: tuple[str, str]
    energies: tuple[Floats | None, Floats | None]
    problems: tuple[str, str]


@cache
def assumptions() -> dict[str, Assumption]:
    """Return what is varied, by name.

    Raises
    ------
    InputError
        data/assumptions.yaml is wrong.
    """
    return validate(_Assumptions, read_document(FILE)).assumptions


def changed_experiment(resolved: Resolved, alternative: Alternative, where: Where | None = None) -> Resolved:
    """Return an experiment with an alternative in all its machines, schemes and models; the same if nothing changes.

    Parameters
    ----------
    resolved
        The experiment.
    alternative
        What is changed.
    where
        Which platforms and schemes; by default all.

    Raises
    ------
    ImpossibleError
        A schema does not allow a changed value.
    """
    where = where or Where()
    known: dict[int, Platform] = {}  # by identity: most machines run several schemes

    def platform(name: str, of: Platform) -> Platform:
        if id(of) not in known:
            try:
                known[id(of)] = changed(of, alternative.platform) if selected(of, where.platform) else of
            except ImpossibleError as error:
                raise ImpossibleError(f"platform {name}: {error}") from None
        return known[id(of)]

    def scheme(of: Scheme) -> Scheme:
        return changed(of, alternative.scheme) if selected(of, where.scheme) else of

    def model(of: AnyShape | Matmul) -> AnyShape | Matmul:
        return changed(of, alternative.model) if isinstance(of, ModelShape) else of

    parts: dict[str, Any] = {
        "experiment": changed(resolved.experiment, alternative.experiment),
        "models": {name: model(shape) for name, shape in resolved.models.items()},
        "schemes": {name: scheme(formats) for name, formats in resolved.schemes.items()},
        "platforms": {
            name: {key: (machine, platform(machine, hardware)) for key, (machine, hardware) in by_scheme.items()}
            for name, by_scheme in resolved.platforms.items()
        },
    }
    return (
        resolved if all(getattr(resolved, key) == part for key, part in parts.items()) else replace(resolved, **parts)
    )


def vary(resolved: Resolved, varied: Mapping[str, Assumption] | None = None) -> list[Varied]:
    """Return the energies of an experiment with each assumption at both its ends.

    Parameters
    ----------
    resolved
        An experiment with the system accounting.
    varied
        The assumptions; by default those of data/assumptions.yaml. Those that change nothing are left out.
    """
    results = []
    for name, assumption in (assumptions() if varied is None else varied).items():
        ends = [_end(resolved, alternative, assumption.where) for alternative in (assumption.low, assumption.high)]
        texts, energies, problems = zip(*ends, strict=True)
        if any(problems) or any(energy is not None for energy in energies):
            results.append(Varied(name, assumption, texts, energies, problems))
    return results


def _end(resolved: Resolved, alternative: Alternative, where: Where) -> tuple[str, Floats | None, str]:
    try:
        experiment = changed_experiment(resolved, alternative, where)
    except ImpossibleError as error:
        return str(alternative), None, str(error)
    if experiment is resolved:
        return AS_RUN, None, ""
    parts = (experiment.platforms, experiment.schemes, experiment.technologies, experiment.models)
    problem = next((f"{fault.wrong} ({fault.scheme})" for fault in lacking(*parts)), "")
    return str(alternative), None if problem else phase_energies(grid_of(experiment)), problem


def phase_energies(grid: Grid) -> Floats:
    """Return the energy of each case and phase at nominal prices, in pJ, shape (cases, phases).

    Parameters
    ----------
    grid
        Cases of the system accounting.
    """
    energies = np.zeros((len(grid), len(PHASE_NAMES)))
    for cases in blocks(grid):
        evaluated = evaluate_system(grid, cases)
        energies[cases] = evaluated.energies.nominal_pj.reshape(len(cases), len(PHASE_NAMES), -1).sum(axis=2)
    return energies
