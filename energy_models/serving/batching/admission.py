"""Who joins a batch between two steps: prefills, one after the other, while requests wait and there is room."""

from functools import cached_property

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.queueing import Distribution, log_factorials, poisson

MOST_ROOM = 48  # beyond which the room of a batch is never used up
NEVER = 1e-17  # probability
FEW = 1e-6  # requests in a step, below which three of them are as good as never
MOST_WAITING = 384  # requests that wait, at the most


class Admission:
    """Requests in the system after prefills, by those that waited before them and by the room of the batch.

    Parameters
    ----------
    rate, prefill
        Of requests; times of a prefill, in which further requests come.
    waiting
        The most requests that wait; the last state stands for more.
    """

    def __init__(self, rate: float, prefill: Distribution, waiting: int) -> None:
        self.rate, self.prefill = rate, prefill
        self.waiting = min(waiting, MOST_WAITING)
        self._totals = [np.eye(self.waiting + 1)]  # by the room

    @cached_property
    def _came(self) -> Floats:
        """Probabilities of those who come in a prefill, from 0 on; the last one stands for more."""
        came = np.zeros(self.waiting + 1)
        for seconds, probability in zip(*self.prefill, strict=True):
            came += probability * poisson(self.rate * seconds, len(came))
        came = came[: np.flatnonzero(came > NEVER).max(initial=0) + 1]
        came[-1] += 1 - came.sum()
        return np.asarray(came)

    @cached_property
    def after_one(self) -> Floats:
        """Probabilities of those who wait after a prefill, by those who wait before, from 0 on: one less, and others.

        Nobody is prefilled where nobody waits: that row is zero.
        """
        size = self.waiting + 1
        moves = np.zeros((size, size))
        for came, probability in enumerate(self._came.tolist()):
            np.add.at(moves, (np.arange(1, size), np.minimum(np.arange(size - 1) + came, size - 1)), probability)
        return moves

    def _total(self, room: int) -> Floats:
        """Return the probabilities of prefilled and waiting requests together, by those that waited before.

        After a prefill one request waits less, and those who came meanwhile wait, too; the room is less by one.
        """
        while len(self._totals) <= room:
            further = self.after_one @ self._totals[-1]
            found = np.zeros_like(further)
            found[1:, 1:] = further[1:, :-1]
            found[1:, -1] += further[1:, -1]
            found[0, 0] = 1.0
            self._totals.append(found)
        return self._totals[room]

    def _forward(self, before: Floats, room: int) -> Floats:
        """Return the same for one distribution of those who wait, prefill after prefill."""
        waiting, found = before[: np.flatnonzero(before > NEVER).max(initial=0) + 1], np.zeros(self.waiting + 1)
        for prefilled in range(room):
            found[prefilled] += waiting[0]
            if len(waiting) == 1:
                return found
            further = np.convolve(waiting[1:], self._came)
            waiting = further[: self.waiting + 1]
            waiting[-1] += further[self.waiting + 1 :].sum()
            waiting = waiting[: np.flatnonzero(waiting > NEVER).max(initial=0) + 1]
        both = np.minimum(room + np.arange(len(waiting)), self.waiting)
        np.add.at(found, both, waiting)
        return found

    def total(self, before: Floats, room: int) -> Floats:
        """Return the probabilities of prefilled and waiting requests together, from 0 on.

        Parameters
        ----------
        before
            Probabilities of those who wait before the first prefill, shape (..., waiting + 1).
        room
            Sequences that the batch can still take.
        """
        room = min(room, MOST_ROOM)
        return self._forward(before, room) if before.ndim == 1 else np.asarray(before @ self._total(room))

    def pool(self, waiting: int, step_s: float) -> Floats:
        """Return the probabilities of those who wait after a step, from 0 on.

        Parameters
        ----------
        waiting, step_s
            Those who waited before it; its time.
        """
        size = self.waiting + 1
        found = np.zeros(size)
        found[waiting:] = poisson(self.rate * step_s, size)[: size - waiting]
        found[-1] += max(1 - found.sum(), 0.0)
        return found


def still_to_wait(waiting: int, came: float, room: Floats, size: int) -> Floats:
    """Return the probabilities of how many must end before a request that comes in a step finds room, from 0 on.

    Parameters
    ----------
    waiting, came
        Those who waited before the step; how many come in it on average. A request comes at any time of it.
    room
        Probabilities of the sequences that the batch can take after the step, from 0 on.
    size
        Of the result; the last one stands for more.
    """
    # ahead of it in the step: a Poisson number with a mean that is uniform from 0 to `came`
    ahead = np.zeros(size)
    if came < FEW:  # the tail is lost in its difference from 1; its first two terms, as the others are far below
        ahead[:2] = (1 - came / 2, came / 2)[:size]
    else:
        tail = 1 - np.cumsum(np.exp(np.arange(size) * np.log(came) - came - log_factorials(size)))
        ahead[:] = np.maximum(tail, 0.0) / came
    found = np.zeros(size)
    for places in np.flatnonzero(room > 0).tolist():
        needed = np.maximum(waiting + 1 + np.arange(size) - places, 0)
        np.add.at(found, np.minimum(needed, size - 1), room[places] * ahead)
    return np.asarray(found / found.sum())
