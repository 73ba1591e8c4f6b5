"""The cases of an experiment: the cross product of its lists, numbered."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.arithmetic import Indices, Matmul
from bitjoule.energy_models.system import System
from bitjoule.experiments.reader import Resolved
from bitjoule.experiments.schema import swept

AXES = ("model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens")
NAMED_AXES = AXES[:4]


@dataclass(frozen=True)
class Grid:
    """The cross product of an experiment's lists; case number -> index on each axis."""

    resolved: Resolved

    @cached_property
    def _workload(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        workload = self.resolved.experiment.workload
        sizes = [[1], [1], [0]] if workload is None else [
            swept(workload.batch), swept(workload.prompt_tokens), swept(workload.new_tokens)
        ]  # fmt: skip
        batch, prompt, new = (np.array(size, dtype=np.int64) for size in sizes)
        return batch, prompt, new

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, in the order of `AXES`."""
        return (*map(len, self.names), *map(len, self._workload))

    @cached_property
    def names(self) -> tuple[list[str], ...]:
        """Names on the axes `NAMED_AXES`; without platforms, one empty name."""
        resolved = self.resolved
        found = (resolved.models, resolved.schemes, resolved.technologies, resolved.platforms or ("",))
        return tuple(list(names) for names in found)

    @cached_property
    def system(self) -> System:
        """The machines, and every mapping found so far."""
        resolved = self.resolved
        machines = [
            [by_scheme[scheme] for scheme in resolved.schemes] for by_scheme in (resolved.platforms or {}).values()
        ]
        return System(
            list(resolved.models.values()),
            list(resolved.schemes.values()),
            list(resolved.technologies.values()),
            machines,
            resolved.experiment.objective,
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
        """Return batch, prompt tokens and new tokens of each case; a bare matmul's m stands as its prompt.

        Parameters
        ----------
        cases
            Case numbers.
        """
        model, _, _, _, *indices = self.axis_indices(cases)
        batch, prompt, new = (values[index] for values, index in zip(self._workload, indices, strict=True))
        if self.resolved.experiment.matmuls is not None:
            rows = [m.m for m in self.resolved.models.values() if isinstance(m, Matmul)]
            prompt = np.array(rows, dtype=np.int64)[model]
        return batch, prompt, new

    def baseline(self) -> Indices | None:
        """Return the number of every case's baseline case, or none without a baseline."""
        baseline = self.resolved.experiment.baseline
        if baseline is None:
            return None
        indices = list(self.axis_indices(np.arange(len(self))))
        for axis, key in enumerate(NAMED_AXES):
            chosen = getattr(baseline, key)
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
        resolved = self.resolved
        batch, prompts, new = self._workload
        if resolved.experiment.matmuls is not None:
            prompts = np.array([prompt_tokens])  # stands in the model's name
        axes = (*self.names, batch, prompts, new)
        wanted = (model, scheme, technology, self.names[3][0], 1, prompt_tokens, new.min())
        index = [np.flatnonzero(np.array(values) == value) for values, value in zip(axes, wanted, strict=True)]
        if any(len(found) == 0 for found in index):
            return None
        return int(np.ravel_multi_index(tuple(int(found[0]) for found in index), self.shape))
