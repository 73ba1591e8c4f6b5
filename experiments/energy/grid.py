"""The cases of an experiment: the cross product of its lists, numbered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Cases, Indices
from bitjoule.energy_models.architecture.shape import AnyShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.papers.arithmetic import Accounting, Matmul, count
from bitjoule.energy_models.papers.pricing import price_keys
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.workload import Experts
from bitjoule.experiments.energy.resolve import Resolved
from bitjoule.experiments.energy.schema import Baseline, swept

AXES = ("model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens")
NAMED_AXES = AXES[:4]


@dataclass(frozen=True)
class Grid:
    """The cross product of an experiment's lists; case number -> index on each axis.

    Parameters
    ----------
    name
        Of the experiment.
    accounting, objective, experts
        How cases are counted, what mappings are chosen for, and how many experts of a mixture have tokens.
    models, schemes, technologies
        By name, in the experiment's order.
    platforms
        By name, for each scheme the name and the machine it runs on; empty unless the system accounting is used.
    sizes
        Values of batch, prompt tokens and new tokens.
    bare
        Whether the models are bare matmuls.
    fixed
        Baseline of every case.
    """

    name: str
    accounting: Accounting
    objective: Objective
    experts: Experts
    models: Mapping[str, AnyShape | Matmul]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: Mapping[str, Mapping[str, tuple[str, Platform]]]
    sizes: tuple[Sequence[int], Sequence[int], Sequence[int]]
    bare: bool
    fixed: Baseline | None

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: another process finds mappings of its own."""
        return {field.name: self.__dict__[field.name] for field in fields(self)}

    @cached_property
    def _workload(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        batch, prompt_tokens, new_tokens = (np.array(size, dtype=np.int64) for size in self.sizes)
        return batch, prompt_tokens, new_tokens

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, in the order of `AXES`."""
        return (*map(len, self.names), *map(len, self._workload))

    @cached_property
    def names(self) -> tuple[list[str], ...]:
        """Names on the axes `NAMED_AXES`; without platforms, one empty name."""
        entries = (self.models, self.schemes, self.technologies, self.platforms or ("",))
        return tuple(list(names) for names in entries)

    @cached_property
    def price_keys(self) -> dict[str, int]:
        """The number of every price key that can occur in the long table."""
        if self.accounting is Accounting.SYSTEM:
            return self.system.price_keys
        ones = np.ones(len(self.models) * len(self.schemes))
        model, scheme = np.divmod(np.arange(len(ones)), len(self.schemes))
        cases = Cases(model, scheme, ones, 2 * ones, ones)  # both phases: every action that can happen
        counts = count(list(self.models.values()), list(self.schemes.values()), cases, self.accounting)
        keys = price_keys(counts, list(self.technologies.values()))
        flat = dict.fromkeys(key for technology_keys in keys for scheme_keys in technology_keys for key in scheme_keys)
        return {key: number for number, key in enumerate(flat)}

    @cached_property
    def system(self) -> System:
        """The machines, and every mapping found so far."""
        machines = [[by_scheme[scheme] for scheme in self.schemes] for by_scheme in self.platforms.values()]
        return System(
            list(self.models.values()),
            list(self.schemes.values()),
            list(self.technologies.values()),
            machines,
            self.objective,
            experts=self.experts,
        )

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def axis_indices(self, cases: NDArray[np.integer[Any]]) -> tuple[Indices, ...]:
        """Return each case's index on every axis.

        Parameters
        ----------
        cases
            Case numbers.
        """
        return tuple(np.unravel_index(cases, self.shape))

    def workload(
        self, cases: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return batch, prompt tokens and new tokens of each case; the prompt of a bare matmul is its m.

        Parameters
        ----------
        cases
            Case numbers.
        """
        model, _, _, _, *indices = self.axis_indices(cases)
        batch, prompt_tokens, new_tokens = (
            values[index] for values, index in zip(self._workload, indices, strict=True)
        )
        if self.bare:
            rows = [m.m for m in self.models.values() if isinstance(m, Matmul)]
            prompt_tokens = np.array(rows, dtype=np.int64)[model]
        return batch, prompt_tokens, new_tokens

    def baseline(self) -> Indices | None:
        """Return the number of every case's baseline case, or none without a baseline."""
        if self.fixed is None:
            return None
        indices = list(self.axis_indices(np.arange(len(self))))
        for axis, key in enumerate(NAMED_AXES):
            chosen = getattr(self.fixed, key)
            if chosen is not None:
                indices[axis] = np.full_like(indices[axis], self.names[axis].index(chosen))
        return np.ravel_multi_index(tuple(indices), self.shape)

    def find(self, model: str, scheme: str, technology: str, prompt_tokens: int) -> int | None:
        """Return the number of the case of one sequence and the fewest new tokens, or none if it is not run.

        Parameters
        ----------
        model, scheme, technology, prompt_tokens
            Of the case.
        """
        batch, prompts, new_tokens = self._workload
        if self.bare:
            prompts = np.array([prompt_tokens])  # part of the model's name
        axes = (*self.names, batch, prompts, new_tokens)
        position = (model, scheme, technology, self.names[3][0], 1, prompt_tokens, new_tokens.min())
        index = [np.flatnonzero(np.array(values) == value) for values, value in zip(axes, position, strict=True)]
        if any(len(matches) == 0 for matches in index):
            return None
        return int(np.ravel_multi_index(tuple(int(matches[0]) for matches in index), self.shape))


def grid_of(resolved: Resolved) -> Grid:
    """Return the cases of an experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.energy.resolve`.
    """
    experiment = resolved.experiment
    workload = experiment.workload
    sizes: tuple[Sequence[int], Sequence[int], Sequence[int]] = ([1], [1], [0])
    if workload is not None:
        sizes = (swept(workload.batch), swept(workload.prompt_tokens), swept(workload.new_tokens))
    return Grid(
        experiment.name, experiment.accounting, experiment.objective, experiment.experts, resolved.models,
        resolved.schemes, resolved.technologies, resolved.platforms, sizes, experiment.matmuls is not None,
        experiment.baseline,
    )  # fmt: skip
