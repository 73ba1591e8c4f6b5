"""Which worker takes which part: places follow factoring, and whoever is idle takes from others."""

from collections import Counter
from itertools import groupby, pairwise

import pytest

from bitjoule.experiments.output.placement import AT_WORKER, Places, in_flight, placed

SIZES = [(16, 2), (8, 8), (50, 2), (51, 3), (500, 8), (700, 40), (1, 4)]


def test_places_are_those_of_factoring():
    # Rounds of two equal stretches that are half of what is left, 16, 8, 4 and 2, until single parts are left.
    assert placed(16, 2) == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1]
    assert placed(3, 2) == [0, 1, 0]
    assert placed(0, 2) == []


@pytest.mark.parametrize(("parts", "workers"), SIZES)
def test_workers_share_parts_evenly(parts, workers):
    counts = Counter(placed(parts, workers))
    assert sum(counts.values()) == parts
    assert max(counts.values()) - min(counts[worker] for worker in range(workers)) <= 1


@pytest.mark.parametrize(("parts", "workers"), SIZES)
def test_every_worker_has_a_part_in_flight(parts, workers):
    places, window = placed(parts, workers), in_flight(workers)
    for first in range(max(1, parts - window + 1)):
        assert len(set(places[first : first + window])) == min(workers, parts)


@pytest.mark.parametrize(("parts", "workers"), [size for size in SIZES if size[0] >= 4 * size[1]])
def test_neighbours_go_to_one_worker_and_stretches_become_shorter(parts, workers):
    places = placed(parts, workers)
    assert sum(one == other for one, other in pairwise(places)) >= parts // 3
    lengths = [len(list(stretch)) for _, stretch in groupby(places)]
    assert sorted(lengths, reverse=True)[0] == lengths[0]
    assert lengths[-1] == 1


class Cluster:
    """Workers that take time for parts, counted in steps."""

    def __init__(self, parts, seconds):
        self.places, self.seconds = Places(parts), seconds
        self.places.see(seconds)
        self.running = {}
        self.now, self.by_worker = 0.0, []

    def run(self, items):
        """Run parts, and return the time it took."""
        begun, free = self.now, Counter()
        for item in items:
            self.places.add(item)
        ends = []
        while True:
            for item, worker in self.places.taken():
                free[worker] = max(free[worker], self.now) + self.seconds[worker]
                ends.append((free[worker], item, worker))
            if not ends:
                return self.now - begun
            first = min(ends)
            ends.remove(first)
            self.now, item, worker = first
            self.by_worker.append((item, worker))
            self.places.ended(item)


def test_a_run_that_is_repeated_has_the_same_places():
    cluster = Cluster(24, {"a": 1.0, "b": 1.01, "c": 0.99})
    for _ in range(2):
        cluster.run(range(24))
    assert sorted(cluster.by_worker[:24]) == sorted(cluster.by_worker[24:])
    another = Cluster(24, {"c": 1.0, "b": 1.0, "a": 1.0})
    another.run(range(24))
    assert sorted(another.by_worker) == sorted(cluster.by_worker[:24])


def test_an_idle_worker_waits_for_its_own_parts_while_they_are_added():
    places = Places(16)
    places.see(["a", "b"])
    for item in range(4):  # a stretch of the first
        places.add(item)
        assert {worker for _, worker in places.taken(idle=False)} <= {"a"}
    places.add(4)
    assert places.taken(idle=False) == [(4, "b")]
    places.ended(4)
    assert places.taken() == [(3, "b")]  # the last that waits for the other one


def test_a_slow_worker_loses_parts_to_others():
    cluster = Cluster(32, {"a": 1.0, "b": 9.0})
    seconds = cluster.run(range(32))
    counts = Counter(worker for _, worker in cluster.by_worker)
    assert set(counts) == {"a", "b"}
    assert counts["a"] + counts["b"] == 32
    assert seconds <= 32 / (1 + 1 / 9) + AT_WORKER * 9  # as fast as both together, but for what the slow one began


def test_parts_of_a_worker_that_is_gone_go_to_others():
    places = Places(8)
    places.see(["a", "b"])
    for item in range(8):
        places.add(item)
    taken = places.taken()
    assert [worker for _, worker in taken].count("b") == AT_WORKER
    places.see(["a"])
    done = {item for item, worker in taken if worker == "b"}  # whoever hands them out again sees to those
    while taken := [(item, worker) for item, worker in taken if worker == "a"]:
        for item, _ in taken:
            places.ended(item)
            done.add(item)
        taken = places.taken()
    assert done == set(range(8))


def test_without_workers_parts_wait():
    places = Places(2)
    places.add("first")
    assert places.taken() == []
    places.see(["a"])
    assert places.taken() == [("first", "a")]
    places.add("second")
    assert places.taken() == [("second", "a")]


def test_workers_that_are_gone_for_a_while_leave_the_places_of_the_rest():
    places = Places(8)
    places.see(["a", "b"])
    for item in range(4):
        places.add(item)
    taken = places.taken()
    places.see([])
    assert places.taken() == []
    places.see(["c", "d"])
    for item, _ in taken:
        places.ended(item)
    for item in range(4, 8):
        places.add(item)
    assert sorted(places.taken()) == [(4, "c"), (5, "d"), (6, "c"), (7, "d")]  # four parts, singly


def test_a_worker_that_joins_takes_parts():
    places = Places(16)
    places.see(["a"])
    for item in range(8):
        places.add(item)
    assert {worker for _, worker in places.taken()} == {"a"}
    places.see(["a", "b"])
    assert [worker for _, worker in places.taken()] == ["b"]  # of those that wait for the other one
    for item in range(8, 16):
        places.add(item)
    assert [worker for _, worker in places.taken()] == ["b"]  # of its own
