"""What a matmul does, step by step: the vocabulary of counting and pricing it."""

from enum import IntEnum
from typing import NamedTuple

from bitjoule.energy_models.facts import Price

NOTHING = Price(0.0, 0.0, 0.0)


class Kind(IntEnum):
    """What a matmul is for; that decides its formats and where its operands are."""

    BARE = 0
    LINEAR = 1
    ROUTER = 2
    SCORES = 3
    VALUES = 4
    HEAD = 5
    CACHED = 6  # a linear whose outputs go to the KV cache


LINEARS = frozenset({Kind.LINEAR, Kind.CACHED})


class Step(NamedTuple):
    """One thing that a matmul does again and again.

    Parameters
    ----------
    operand, action
        For the long table.
    quantity
        Which count of `bitjoule.energy_models.system` it follows.
    """

    operand: str
    action: str
    quantity: str


# Operand "weights" stands for keys and values, too.
STEPS = (
    Step("weights", "mul", "products"),
    Step("partial_sums", "add", "sums"),
    Step("weights", "mac", "products"),
    Step("biases", "add", "biases"),
    Step("unpacking", "mul", "fills"),
    Step("unpacking", "add", "fills"),
    Step("weights", "register_write", "fills"),
    Step("weights", "register_read", "products"),
    Step("partial_sums", "register_read", "updates"),
    Step("partial_sums", "register_write", "updates"),
    Step("weights", "buffer_read", "buffered_fills"),
    Step("weights", "buffer_write", "loads"),
    Step("weights", "off_chip_read", "weights_in"),
    Step("activations", "buffer_read", "reads"),
    Step("activations", "buffer_write", "activations_in"),
    Step("activations", "off_chip_read", "activations_in"),
    Step("partial_sums", "buffer_write", "buffered_sums"),
    Step("partial_sums", "buffer_read", "buffered_sums"),
    Step("partial_sums", "off_chip_write", "unloads"),
    Step("partial_sums", "off_chip_read", "unloads"),
    Step("outputs", "buffer_write", "outputs"),
    Step("outputs", "buffer_read", "outputs_out"),
    Step("outputs", "off_chip_write", "outputs_out"),
)


class Line(NamedTuple):
    """What one step costs and what it counts.

    Parameters
    ----------
    factor
        Counted units (operations, bits) for each of its quantity; 0 if it does not happen.
    format
        Number format or storage.
    price
        Of a counted unit, in pJ.
    key
        What the price hangs on: two lines with one key have their price from one row.
    """

    factor: float
    format: str
    price: Price
    key: str


ABSENT = Line(0.0, "fp16", NOTHING, "")
