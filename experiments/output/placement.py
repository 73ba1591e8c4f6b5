"""Which worker takes which part of a run: stretches of neighbours go to one worker, and an idle one takes from others.

A process keeps the mappings that it found. Neighbouring parts need some of the same, so that a worker with stretches
searches less than one that has every second part. Stretches are those of factoring: rounds with one for each worker,
which hand out half of what is left. Early ones are long, late ones even out what workers take. The same parts and
workers have the same places, so that parts which a process repeats find the mappings where they left them; another
process pickles sets in another order, and workers take what it sends for something else.

Hummel, Schonberg and Flynn, "Factoring: a method for scheduling parallel loops", Communications of the ACM 35(8), 1992,
doi:10.1145/135226.135232.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")
LEAST_IN_FLIGHT = 32
IN_FLIGHT_OF_WORKER = 8  # parts are fetched in order: while one takes longer than others, all have something to do
AT_WORKER = 2  # the one that runs, and the next


def in_flight(workers: int) -> int:
    """Return how many parts are handed out and not fetched: enough for the workers to have one, few to hold them.

    Parameters
    ----------
    workers
        How many there are.
    """
    return max(LEAST_IN_FLIGHT, IN_FLIGHT_OF_WORKER * workers)


def placed(parts: int, workers: int) -> list[int]:
    """Return the number of the worker that each part is for; two rounds are within `in_flight` parts.

    Parameters
    ----------
    parts, workers
        How many there are.
    """
    places: list[int] = []
    while len(places) < parts:
        length = max(1, min(parts - len(places), in_flight(workers)) // (2 * workers))
        places += [worker for worker in range(workers) for _ in range(length)]
    return places[:parts]


class Places(Generic[Item]):
    """Parts that wait for workers, and those that workers have.

    Parameters
    ----------
    parts
        How many there will be; as many further ones have the same places again.
    """

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._workers: list[str] = []
        self._plan: deque[str] = deque()  # the workers that the next parts are for
        self._waiting: dict[str, deque[Item]] = {}  # by the worker that they are for
        self._taken: dict[Item, str] = {}

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers that there are."""
        return self._workers

    def see(self, workers: Iterable[str]) -> None:
        """Note which workers there are now.

        Parameters
        ----------
        workers
            Their addresses.
        """
        found = sorted(workers)
        if found and found != self._workers:
            self._plan_for(len(self._plan) or self._parts, found)
        self._workers = found

    def _plan_for(self, parts: int, workers: list[str]) -> None:
        self._plan = deque(workers[number] for number in placed(parts, len(workers)))

    def add(self, item: Item) -> None:
        """Add the next part.

        Parameters
        ----------
        item
            The part.
        """
        if not self._plan and self._workers:
            self._plan_for(self._parts, self._workers)
        self._waiting.setdefault(self._plan.popleft() if self._plan else "", deque()).append(item)

    def ended(self, item: Item) -> None:
        """Note that a part has a result, or needs none.

        Parameters
        ----------
        item
            The part.
        """
        self._taken.pop(item, None)
        for waiting in self._waiting.values():
            if item in waiting:
                waiting.remove(item)

    def taken(self, idle: bool = True) -> list[tuple[Item, str]]:
        """Return the parts that workers take now, each with the worker's address.

        Parameters
        ----------
        idle
            Whether one that has none takes a part of another: not while parts are added, since its own may come next.
        """
        at, now = Counter(self._taken.values()), list[tuple[Item, str]]()

        def take(item: Item, worker: str) -> None:
            at[worker] += 1
            self._taken[item] = worker
            now.append((item, worker))

        for worker in self._workers:
            own = self._waiting.get(worker, deque())
            while own and at[worker] < AT_WORKER:
                take(own.popleft(), worker)
        for worker in self._workers:
            gone = next((own for of, own in self._waiting.items() if own and of not in self._workers), None)
            if gone is not None and at[worker] < AT_WORKER:
                take(gone.popleft(), worker)
            elif idle and not at[worker] and (most := max(self._waiting.values(), key=len, default=None)):
                take(most.pop(), worker)
        return now
