"""What a scheme does to the inputs or outputs of some linears: rotations, and factors of channels."""

from typing import Annotated, Literal

from pydantic import Field

from bitjoule.energy_models.inputs.validation import Strict


class Transform(Strict):
    """Work on the inputs or outputs of some linears, in the format of everything but matrix products.

    Parameters
    ----------
    kind
        ``hadamard``: a Walsh-Hadamard rotation; ``kronecker``: a rotation by the Kronecker product of two orthogonal
        matrices; ``channels``: a product with a factor of each channel.
    on
        Components of the linears, or ``all`` of them.
    of
        Which of their values.
    block
        Values that are rotated together; 0 for all of a vector.
    """

    kind: Literal["hadamard", "kronecker", "channels"]
    on: Literal["all"] | Annotated[list[str], Field(min_length=1)]
    of: Literal["inputs", "outputs"] = "inputs"
    block: int = Field(default=0, ge=0, le=10**7)
