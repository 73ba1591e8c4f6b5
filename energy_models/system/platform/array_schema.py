"""The arrays of a platform as data: lanes and columns, what a MAC costs, registers and accumulators."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.formats.formats import check_format, factors, formats, mixed_products, width_bits
from bitjoule.energy_models.inputs.amounts import MAX_PRICE, Amount
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

MAX_SIZE = 1 << 40
WIDE_BITS = 32  # of FP32 and INT32
Accumulate = Literal["paper", "fp32", "accumulator"]


class Macs(Strict):
    """What a multiply-accumulate of some formats costs: operations at the technology's prices, or its own price."""

    weights: list[str] = Field(min_length=1)
    activations: list[str] = Field(min_length=1)
    actions: list[str] | None = Field(
        default=None, min_length=1, description="operations of a MAC, e.g. [mul int8, add int32]"
    )
    energy_pj: float | None = Field(default=None, gt=0, le=MAX_PRICE, description="energy of a MAC, instead of actions")
    skips: list[Literal["weights", "inputs"]] = Field(
        default_factory=list,
        description="operands whose zeros take no product: weights that are zero by construction of their packing, "
        "inputs of linears with active_inputs",
    )

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if (self.actions is None) == (self.energy_pj is None):
            raise wrong_value("requires one of actions and energy_pj", "exactly one of them")
        for key in ("weights", "activations"):
            for i, name in enumerate(getattr(self, key)):
                check_format(name, key, i)
        for i, action in enumerate(self.actions or ()):
            if not re.fullmatch(r"(mul|add) \w+", action):
                raise wrong_value(f"got {brief(action)}", "an operation and a format, e.g. add int8", "actions", i)
            operation, number_format = action.split()
            if operation == "add" or number_format not in mixed_products():
                check_format(number_format, "actions", i)
            if any(earlier.startswith(operation) for earlier in (self.actions or ())[:i]):
                raise wrong_value(f"duplicate operation {operation}", "each operation once", "actions", i)
        if self.actions is not None and not any(action.startswith("add") for action in self.actions):
            raise wrong_value("a MAC without an addition", "an addition, e.g. add int32", "actions")
        return self

    @property
    def adds(self) -> bool:
        """Whether its operations are additions alone."""
        return self.actions is not None and not any(action.startswith("mul") for action in self.actions)

    @property
    def term_bits(self) -> int:
        """Bits of what is added up: of a product of integers, or of one operand."""
        weights = max(width_bits(name) for name in self.weights)
        activations = max(width_bits(name) for name in self.activations)
        multiplies = self.actions is None or any(action.startswith("mul") for action in self.actions)
        integers = all(formats()[name].kind == "integer" for name in self.activations)
        return activations + weights if integers and multiplies else activations


class Registers(Strict):
    """Weight registers of each PE."""

    weights: int = Field(default=1, ge=1, le=MAX_SIZE, description="number of weights stored per PE")
    read_pj_per_bit: Amount = Field(default=0.0, description="energy per bit read, for each MAC")
    write_pj_per_bit: Amount = Field(default=0.0)
    load_bits_per_cycle: float = Field(ge=1e-6, le=MAX_PRICE, description="bandwidth of the path that loads them")


class Accumulators(Strict):
    """Where partial sums grow."""

    per: Literal["column", "pe"] = Field(description="column: one accumulator per column; pe: one per PE")
    depth: int = Field(ge=1, le=MAX_SIZE, description="number of partial sums stored in each")
    bits: int = Field(ge=1, le=64)
    read_pj_per_bit: Amount = Field(default=0.0)
    write_pj_per_bit: Amount = Field(default=0.0)


class Array(Strict):
    """A weight-stationary array: `lanes` products of each of `columns` outputs a cycle."""

    lanes: int = Field(ge=1, le=1 << 20)
    columns: int = Field(ge=1, le=1 << 20)
    macs: list[Macs] = Field(min_length=1)
    weight_registers: Registers
    accumulators: Accumulators
    pipeline_cycles: int = Field(default=0, ge=0, le=MAX_SIZE)
    instances: int = Field(
        default=1, ge=1, le=1 << 20, description="arrays side by side that have the columns together"
    )
    copies: int = Field(
        default=1, ge=1, le=1 << 20, description="whole arrays that share the blocks and the tokens of a matmul evenly"
    )
    achieved_share: float = Field(
        default=1.0, ge=1e-6, le=1, description="products a second that are reached, relative to the peak"
    )

    @model_validator(mode="after")
    def _whole_columns(self) -> Self:
        if self.columns % self.instances:
            wrong = f"{self.columns} columns in {self.instances} instances"
            raise wrong_value(wrong, "a divisor of columns", "instances")
        return self

    def actions(self, macs: Macs, accumulate: Accumulate) -> tuple[str, ...]:
        """Return the operations of a MAC; none where it has a price of its own.

        Parameters
        ----------
        macs
            One of the array's.
        accumulate
            What a product's addition is: with ``fp32`` FP32 for floating-point products, with ``accumulator`` INT32 for
            integer ones too, where the accumulators have 32 bits.
        """
        written = tuple(macs.actions or ())
        formats_of = dict(action.split() for action in written)
        if accumulate == "paper" or "mul" not in formats_of or self.accumulators.bits != WIDE_BITS:
            return written
        floats = formats()[factors(formats_of["mul"])[1]].kind == "float"
        if accumulate == "fp32" and not floats:
            return written
        wide = "fp32" if floats else "int32"
        return tuple(f"add {wide}" if action.startswith("add ") else action for action in written)

    def macs_for(self, weights: str, activations: str) -> Macs | None:
        """Return what a MAC of two formats costs, or none if the array does not compute it.

        Parameters
        ----------
        weights, activations
            Formats.
        """
        return next((m for m in self.macs if weights in m.weights and activations in m.activations), None)
