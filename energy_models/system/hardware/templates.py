"""The input of the mapping search for one kind of matmul, without its sizes: array, buffers, prices of movements."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bitjoule.energy_models.formats.formats import formats, width_bits
from bitjoule.energy_models.formats.storage import Storage
from bitjoule.energy_models.system.hardware.sparsity import DENSE, Density
from bitjoule.energy_models.system.mappings.mapping import ArrayShape, MatmulProblem, Place
from bitjoule.energy_models.system.mappings.mapping_costs import Fixed, MappingCosts
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.platform.platforms import Buffer
from bitjoule.energy_models.system.platform.static_power import OverTime
from bitjoule.energy_models.system.work.steps import ABSENT, MatmulKind, Step, StepPrice


@dataclass(frozen=True)
class Formats:
    """Formats of one kind of matmul: weights and how they are stored, activations and their bits, outputs."""

    weights: str
    storage_name: str
    storage: Storage
    activations: str
    activation_bits: float
    outputs: str

    @property
    def sums(self) -> str:
        """Format of the running sums."""
        return self.outputs if formats()[self.activations].kind == "float" else "int32"


class Chip(NamedTuple):
    """The parts of a platform that a mapping uses.

    Parameters
    ----------
    array, buffers
        The array that runs the matmul, and every buffer.
    weights_buffer, activations_buffer
        Index of the buffer that holds them, -1 if none does.
    off_chip_bits
        Bits that off-chip memory moves in a cycle.
    over_time
        Leakage or static power.
    """

    array: Array
    buffers: tuple[Buffer, ...]
    weights_buffer: int
    activations_buffer: int
    off_chip_bits: float
    over_time: OverTime


class Template(NamedTuple):
    """The matmuls of one kind on one machine, without their sizes.

    Parameters
    ----------
    base
        The problem of one MAC, with buffers at their full size.
    fixed
        What every mapping spends.
    dense
        Products for each weight and input.
    """

    base: MatmulProblem
    fixed: Fixed
    dense: Density

    def filled(self, m: Any, k: Any, n: Any, reserved_bits: Any, distinct: Any = 1.0) -> MatmulProblem:
        """Return matmuls of some sizes; numbers, or arrays of one shape.

        Parameters
        ----------
        m, k, n
            Their sizes. Where the array leaves inputs out, m are equal.
        reserved_bits, distinct
            As for `bitjoule.energy_models.system.hardware.machine.Machine.problem`.
        """
        base = self.base
        if self.dense != DENSE:
            base, k = self.dense.of(base, np.ravel(m)[0]), np.ceil(k * self.dense.products)
        capacity = tuple(
            bits - (reserved_bits if i == base.outputs.buffer else 0.0) for i, bits in enumerate(base.capacity_bits)
        )
        costs = base.costs._replace(fixed_pj=self.fixed.energy_pj(m, k, n))
        return base._replace(m=m, k=k, n=n, capacity_bits=capacity, costs=costs, distinct=distinct)


def template(
    kind: MatmulKind, resident: bool, chip: Chip, stored: Formats, priced: Mapping[Step, StepPrice],
    dense: Density = DENSE,
) -> Template:  # fmt: skip
    """Return the matmuls of a kind on a machine, without their sizes.

    Parameters
    ----------
    kind
        What the matmul is for.
    resident
        Whether the values between the matmuls all stay in the buffer.
    chip
        The machine.
    stored
        The matmul's formats.
    priced
        The price of each step.
    dense
        Products for each weight and input.
    """
    lines = {(step.operand, step.action): line for step, line in priced.items()}
    array = chip.array
    sums, registers = array.accumulators, array.weight_registers
    inner, outer = chip.weights_buffer, chip.activations_buffer
    fused_in, fused_out = kind.inputs_on_chip, kind.outputs_on_chip
    spilled = not resident

    def pj(operand: str, *actions: str) -> float:
        step_prices = (lines.get((operand, action), ABSENT) for action in actions)
        return sum(line.factor * line.price.nominal_pj for line in step_prices)

    goes_off_chip = not (resident or fused_out)
    fixed = Fixed(
        product_pj=pj("weights", "mul", "mac", "register_read"),
        sum_pj=pj("partial_sums", "add"),
        update_pj=pj("partial_sums", "register_read", "register_write"),
        output_pj=pj("outputs", "buffer_write", "wire", *(("buffer_read", "off_chip_write") if goes_off_chip else ())),
        terms=1 if sums.per == "pe" else array.lanes,
    )
    costs = MappingCosts(
        weight_fill_pj=pj("weights", "buffer_read" if inner >= 0 else "off_chip_read", "register_write", "wire")
        + pj("unpacking", "mul", "add"),
        weight_load_pj=pj("weights", "off_chip_read", "buffer_write"),
        activation_read_pj=pj("activations", "buffer_read", "wire"),
        activation_load_pj=pj("activations", "off_chip_read", "buffer_write"),
        sum_spill_pj=pj("partial_sums", "buffer_write", "buffer_read", "register_read", "register_write", "wire"),
        sum_unload_pj=pj("partial_sums", "buffer_read", "buffer_write", "off_chip_read", "off_chip_write", "wire"),
        cycle_pj=chip.over_time.cycle_pj,
        fixed_pj=fixed.energy_pj(1, 1, 1),
        computing_pj=chip.over_time.computing_pj,
        off_chip_bit_pj=chip.over_time.moving_pj / chip.off_chip_bits,
    )
    weight_bits = stored.storage.bits / dense.weights
    load_cycles = array.lanes * array.columns * weight_bits / registers.load_bits_per_cycle
    held = (registers.weights, sums.depth)
    shape = (array.lanes, array.columns, *held, load_cycles, array.pipeline_cycles, array.copies)
    problem = MatmulProblem(
        m=1, k=1, n=1,
        array=ArrayShape(*shape),
        weights=Place(inner, True, True, weight_bits),
        activations=Place(
            outer, spilled and not fused_in, spilled or fused_in, stored.activation_bits / dense.products
        ),
        outputs=Place(outer, spilled and not fused_out, spilled or fused_out, width_bits(stored.outputs)),
        sum_bits=sums.bits,
        capacity_bits=tuple(buffer.size_bytes * 8.0 for buffer in chip.buffers),
        width_bits=tuple(float(buffer.width_bits) for buffer in chip.buffers),
        off_chip_bits=chip.off_chip_bits,
        costs=costs,
    )  # fmt: skip
    return Template(problem, fixed, dense)
