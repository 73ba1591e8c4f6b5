"""What the actions of a mapping cost: those that depend on the tiling, and those that every mapping spends."""

from typing import Any, NamedTuple

import numpy as np


class MappingCosts(NamedTuple):
    """Energy of moving one value, and of a cycle, in pJ.

    Parameters
    ----------
    weight_fill_pj, weight_load_pj
        From its source into the registers, unpacked; from off-chip memory into the buffer.
    activation_read_pj, activation_load_pj
        From its source to the array; from off-chip memory into the buffer.
    sum_spill_pj, sum_unload_pj
        A partial sum out of the accumulators and back; out of the buffer to off-chip memory and back.
    cycle_pj
        Leakage, or static power with nothing busy, of a cycle.
    fixed_pj
        What every mapping spends.
    computing_pj, off_chip_bit_pj
        Static power that a cycle of computing, and the time of an off-chip bit, cost more than idle ones.
    """

    weight_fill_pj: float
    weight_load_pj: float
    activation_read_pj: float
    activation_load_pj: float
    sum_spill_pj: float
    sum_unload_pj: float
    cycle_pj: float
    fixed_pj: float
    computing_pj: float = 0.0
    off_chip_bit_pj: float = 0.0


class Fixed(NamedTuple):
    """What every mapping of a matmul spends, in pJ.

    Parameters
    ----------
    product_pj, sum_pj
        For a product, and for an addition.
    update_pj
        For an accumulator's update, which adds `terms` products.
    output_pj
        For an output, once it is finished.
    terms
        Products of an update.
    """

    product_pj: float
    sum_pj: float
    update_pj: float
    output_pj: float
    terms: int

    def energy_pj(self, m: Any, k: Any, n: Any) -> Any:
        """Return the fixed energy of matmuls without their biases.

        Parameters
        ----------
        m, k, n
            Tokens, in_features, out_features; numbers, or arrays of one shape.
        """
        sums_pj = k * self.product_pj + np.maximum(k - 1, 0) * self.sum_pj + np.ceil(k / self.terms) * self.update_pj
        return m * n * (sums_pj + self.output_pj)
