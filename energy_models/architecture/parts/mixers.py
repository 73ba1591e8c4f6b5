"""What a layer may have in place of attention: one kind of mixer a class."""

from typing import Annotated, Literal

from pydantic import Discriminator

from bitjoule.energy_models.architecture.block import Part
from bitjoule.energy_models.architecture.parts import transformer
from bitjoule.energy_models.architecture.parts.hgrn import Hgrn
from bitjoule.energy_models.architecture.parts.latent_attention import LatentAttention
from bitjoule.energy_models.architecture.parts.recurrent import GatedDelta, Retention
from bitjoule.energy_models.architecture.parts.short_convolution import ShortConvolution
from bitjoule.energy_models.architecture.parts.state_space import Mamba, Mamba2
from bitjoule.energy_models.inputs.validation import Strict


class NoMixer(Strict):
    """Nothing: a layer that is a feed-forward network alone."""

    kind: Literal["none"] = "none"


class LinearMixer(Strict):
    """One matrix, as wide as the residual stream.

    Parameters
    ----------
    bias
        Whether it has one.
    """

    kind: Literal["linear"] = "linear"
    bias: bool = False

    def part(self, hidden: int, norm: transformer.Norm) -> Part:
        """Return the matrix with the norm before it.

        Parameters
        ----------
        hidden, norm
            Width of the residual stream; the norm.
        """
        return transformer.replacement("o_proj", hidden, norm, bias=self.bias)


Mixer = Annotated[
    LatentAttention | GatedDelta | Mamba | Mamba2 | Retention | ShortConvolution | Hgrn | LinearMixer | NoMixer,
    Discriminator("kind"),
]
