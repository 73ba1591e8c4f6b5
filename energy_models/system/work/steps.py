"""The steps of a matmul: the vocabulary for counting and pricing it."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from bitjoule.energy_models.inputs.facts import Price

NOTHING = Price(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class MatmulKind:
    """The use of a matmul, which decides its formats and where its operands are.

    Parameters
    ----------
    name
        For messages.
    role
        Which of a scheme's formats it computes in.
    operand
        What takes the place of its weights: ``weights`` from off-chip memory, or ``keys`` or ``values`` from the KV
        cache.
    inputs_on_chip, outputs_on_chip
        Whether its activations, or its outputs, never cross the chip's edge for it.
    standalone
        Whether it belongs to no model: inputs and outputs are off-chip, nothing is rescaled.
    linear
        The component, where a scheme gives it formats of its own.
    """

    name: str
    role: Literal["linear", "router", "attention", "head", "full_precision", "adapter"]
    operand: Literal["weights", "keys", "values"] = "weights"
    inputs_on_chip: bool = False
    outputs_on_chip: bool = False
    standalone: bool = False
    linear: str = ""

    STANDALONE: ClassVar["MatmulKind"]
    LINEAR: ClassVar["MatmulKind"]
    KV_PROJECTION: ClassVar["MatmulKind"]
    ROUTER: ClassVar["MatmulKind"]
    SCORES: ClassVar["MatmulKind"]
    VALUES: ClassVar["MatmulKind"]
    HEAD: ClassVar["MatmulKind"]
    FULL_PRECISION: ClassVar["MatmulKind"]
    ADAPTER_DOWN: ClassVar["MatmulKind"]
    ADAPTER_UP: ClassVar["MatmulKind"]

    @property
    def rescaled(self) -> bool:
        """Whether it is one of a model's linears: outputs are multiplied by scales, biases are added."""
        return self.role == "linear" and not self.standalone

    @property
    def adds_biases(self) -> bool:
        """Whether biases are added."""
        return self.rescaled or self.role == "full_precision"

    @property
    def fused(self) -> bool:
        """Whether activations or outputs stay on chip even where those of the linears do not."""
        return self.inputs_on_chip or self.outputs_on_chip


MatmulKind.STANDALONE = MatmulKind("standalone", "linear", standalone=True)
MatmulKind.LINEAR = MatmulKind("linear", "linear")
MatmulKind.KV_PROJECTION = MatmulKind("KV projection", "linear", outputs_on_chip=True)  # they go to the KV cache
MatmulKind.ROUTER = MatmulKind("router", "router")
MatmulKind.SCORES = MatmulKind("scores", "attention", "keys", outputs_on_chip=True)
MatmulKind.VALUES = MatmulKind("values", "attention", "values", inputs_on_chip=True)
MatmulKind.HEAD = MatmulKind("LM head", "head", outputs_on_chip=True)
# First and last layers of a vision model: a scheme leaves them as it leaves the LM head.
MatmulKind.FULL_PRECISION = MatmulKind("full precision", "full_precision")
MatmulKind.ADAPTER_DOWN = MatmulKind("adapter, down", "adapter", outputs_on_chip=True)
MatmulKind.ADAPTER_UP = MatmulKind("adapter, up", "adapter", inputs_on_chip=True, outputs_on_chip=True)
KINDS = (
    MatmulKind.STANDALONE,
    MatmulKind.LINEAR,
    MatmulKind.KV_PROJECTION,
    MatmulKind.ROUTER,
    MatmulKind.SCORES,
    MatmulKind.VALUES,
    MatmulKind.HEAD,
    MatmulKind.FULL_PRECISION,
    MatmulKind.ADAPTER_DOWN,
    MatmulKind.ADAPTER_UP,
)


class Step(NamedTuple):
    """One repeated action of a matmul.

    Parameters
    ----------
    operand, action
        For the long table.
    quantity
        The count of `bitjoule.energy_models.system.counting.quantities` that it is proportional to.
    """

    operand: str
    action: str
    quantity: str


# Operand "weights" also covers keys and values.
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
    Step("weights", "wire", "buffered_fills"),
    Step("activations", "wire", "reads"),
    Step("partial_sums", "wire", "buffered_sums"),
    Step("outputs", "wire", "outputs"),
)


class StepPrice(NamedTuple):
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
        Price key: steps with the same key take their price from the same row.
    """

    factor: float
    format: str
    price: Price
    key: str


ABSENT = StepPrice(0.0, "fp16", NOTHING, "")
