"""Each process begins with long tests and ends with short ones, and every test runs once."""

import pytest

from tests.order import long_first

FILES = {"a": 3, "b": 40, "c": 5, "d": 2, "e": 30, "f": 7, "g": 13}
LONG = {"a", "d", "f"}
ITEMS = [f"{file}{place}" for file, count in FILES.items() for place in range(count)]


def ordered(long, processes):
    return long_first(ITEMS, lambda item: item[0], lambda item: item[0] in long and item[1:] == "1", processes)


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("long", [set(), LONG, set(FILES)])
def test_every_item_is_there_once_and_a_file_stays_in_its_order(long, processes):
    found = ordered(long, processes)
    assert sorted(found) == sorted(ITEMS)
    for file in long:
        own = [item for item in found if item[0] == file]
        assert own == [item for item in ITEMS if item[0] == file]
        assert "".join(own) in "".join(found)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_share_begins_with_its_long_files_and_ends_with_short_ones(processes):
    found = ordered(LONG, processes)
    for place in range(processes):
        share = found[len(found) * place // processes : len(found) * (place + 1) // processes]
        kinds = [item[0] in LONG for item in share]
        assert kinds == sorted(kinds, reverse=True)
        assert kinds[0]
        assert not kinds[-1]
