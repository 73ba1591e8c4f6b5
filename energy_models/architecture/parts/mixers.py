"""What a layer may have in place of attention: one kind of mixer a class."""

from typing import Annotated, Literal

from pydantic import Discriminator

from bitjoule.energy_models.architecture.parts.hgrn import Hgrn
from bitjoule.energy_models.architecture.parts.latent_attention import LatentAttention
from bitjoule.energy_models.architecture.parts.recurrent import GatedDelta, Retention
from bitjoule.energy_models.architecture.parts.short_convolution import ShortConvolution
from bitjoule.energy_models.architecture.parts.state_space import Mamba, Mamba2
from bitjoule.energy_models.inputs.validation import Strict


class NoMixer(Strict):
    """Nothing: a layer that is a feed-forward network alone."""

    kind: Literal["none"] = "none"


Mixer = Annotated[
    LatentAttention | GatedDelta | Mamba | Mamba2 | Retention | ShortConvolution | Hgrn | NoMixer, Discriminator("kind")
]
