"""No mapping of block tiles has less than their bound, and where one tile is all of a matmul, the bound is reached."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.system.mappings.batches import Batch
from bitjoule.energy_models.system.mappings.block_bounds import least_values
from bitjoule.energy_models.system.mappings.mapping import Objective, Tiles, blocks_of, energy_pj, forbidden, traffic
from bitjoule.energy_models.system.mappings.search import block_tiles, fitting, loop_orders
from tests.energy_models.problems import SMALL, problems, value

ROUNDING = 1e-12


def tiles_of(problem):
    _, k_blocks, n_blocks = blocks_of(problem)
    return block_tiles(int(k_blocks), int(n_blocks), problem.array.weights_per_pe, problem.array.depth)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(problems(most=40, fractions=True, capacity=(8, 4000)), st.sampled_from(Objective))
def test_no_mapping_has_less_than_the_bound_of_its_block_tiles(problem, objective):
    tiles = tiles_of(problem)
    (bounds,) = least_values(Batch.of([problem]), tiles, objective)
    *sizes, fit = fitting(problem, *tiles)
    owner = np.tile(np.arange(len(bounds)), 3)[fit]
    assert (np.isfinite(bounds) <= np.isin(np.arange(len(bounds)), owner)).all()
    mappings = Tiles(*sizes, *loop_orders(problem))
    values = np.where(forbidden(problem, mappings), np.inf, value(problem, objective, traffic(problem, mappings)))
    for number, least in zip(owner.tolist(), values.min(axis=(0, 1), initial=np.inf).tolist(), strict=True):
        assert bounds[number] <= least * (1 + ROUNDING)


def test_the_bound_of_the_only_tile_is_what_its_mapping_has_but_for_the_edge():
    """One tile in buffer and array; the bound leaves out the first and the last bits that cross the chip's edge."""
    problem = SMALL._replace(m=2, k=1, n=1)  # of one MAC
    tiles = tiles_of(problem)
    (bounds,) = least_values(Batch.of([problem]), tiles, Objective.ENERGY)
    moved = traffic(problem, Tiles(2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0, 0))
    slowest = max(float(moved.compute_cycles), float(moved.off_chip_bits) / problem.off_chip_bits)
    cycles = slowest + problem.array.load_cycles + problem.array.pipeline_cycles
    assert len(bounds) == 1
    assert bounds[0] == pytest.approx(float(energy_pj(problem, moved._replace(cycles=cycles))))
