"""How a model is trained: the options of one way, each with a default."""

from typing import Annotated, Literal

from pydantic import Field

from bitjoule.energy_models.formats.formats import computed, format_name
from bitjoule.energy_models.inputs.validation import OneOf, Strict
from bitjoule.energy_models.training.optimisers import optimisers

MAX_TOKENS = 1 << 20


class Options(Strict):
    """One way to train.

    Parameters
    ----------
    sequence_tokens, sequences
        Tokens of a sequence, and sequences that go through the model together.
    micro_batches
        Such batches whose gradients are added up before the optimiser's step.
    gradients
        Format of the gradients of activations and weights, in which the backward products are computed.
    activations
        ``kept``: what the backward pass takes of the forward pass is written to off-chip memory and read again.
        ``recomputed``: of each layer its input alone is; the backward pass runs the layer forward once more.
    optimiser
        Of data/optimisers.yaml.
    """

    sequence_tokens: int = Field(default=2048, ge=1, le=MAX_TOKENS)
    sequences: int = Field(default=8, ge=1, le=1 << 16)
    micro_batches: int = Field(default=1, ge=1, le=1 << 20)
    gradients: Annotated[str, format_name(lambda known: computed(known) and not known.scaled)] = "fp16"
    activations: Literal["kept", "recomputed"] = "kept"
    optimiser: Annotated[str, OneOf(lambda: list(optimisers()))] = "adamw"

    @property
    def step_tokens(self) -> int:
        """Tokens of an optimiser's step."""
        return self.sequence_tokens * self.sequences * self.micro_batches
