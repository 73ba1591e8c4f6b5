"""The entries of look-up tables: as many as there are pairs of opposite sums, and as wide as the largest needs."""

import itertools

import numpy as np
import pytest

from bitjoule.rtl.arithmetic.lookup_table import entries, entry_bits, row_bits, table_bits
from bitjoule.rtl.config import TABLE_LANES, AcceleratorConfig
from tests.rtl.claims import dot, small


def of_group(encoding: str, group: int, bits: int = 8) -> AcceleratorConfig:
    lanes = {"lanes": 2 * group, "table_lanes": group}
    return small(datapath="lookup_table", weight_encoding=encoding, activation_bits=bits, **lanes)


@pytest.mark.parametrize("group", TABLE_LANES)
@pytest.mark.parametrize(("encoding", "trits"), [("binary1", (-1, 1)), ("ternary2", (-1, 0, 1))])
def test_a_table_holds_one_of_each_pair_of_opposite_sums(encoding: str, trits: tuple[int, ...], group: int) -> None:
    config = of_group(encoding, group)
    table = np.array(entries(config))
    with_opposites = np.unique([*table, *-table], axis=0)
    expected = [word for word in itertools.product(trits, repeat=group) if any(word)]
    np.testing.assert_array_equal(with_opposites, sorted(expected))
    assert 2 * len(table) == len(expected)


@pytest.mark.parametrize("bits", [1, 2, 8])
@pytest.mark.parametrize("group", TABLE_LANES)
def test_entries_hold_every_sum_and_none_is_wider_than_needed(group: int, bits: int) -> None:
    config = of_group("ternary2", group, bits)
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1])
    for entry in entries(config):
        corners = np.stack(np.meshgrid(*[ends] * group), axis=-1) @ np.array(entry)
        width = entry_bits(config, entry)
        assert -(1 << (width - 1)) <= corners.min()
        assert corners.max() < 1 << (width - 1)
        if bits > 1 or (np.array(entry) > 0).all():  # of one bit, activations are never positive
            assert corners.min() < -(1 << (width - 1)) // 2 or corners.max() >= 1 << (width - 1) >> 1
    assert table_bits(config) == sum(entry_bits(config, entry) for entry in entries(config))
    assert row_bits(config) == max(entry_bits(config, entry) for entry in entries(config))


@pytest.mark.parametrize(
    ("encoding", "group", "bits"),
    [("ternary2", 3, 2), ("ternary2", 4, 1), ("ternary5", 2, 3), *(("binary1", group, 2) for group in TABLE_LANES)],
)
def test_the_dot_product_equals_its_specification_for_every_group(encoding: str, group: int, bits: int) -> None:
    """For every trit and every activation; combinational."""
    assert dot(of_group(encoding, group, bits)).check()
