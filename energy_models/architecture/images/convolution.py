"""The parts of a convolutional network: a convolution as a matmul (im2col), pooling, norms, sums, the classifier.

A token is an image. A convolution is one matmul for each group of channels: a row for each position of its output, of
kernel x kernel x in_channels / groups values, and out_channels / groups columns. A batch norm of inference is folded:
its factor joins the weights, or the scale of a quantised output, and its summand is the bias that each output gets; it
learns both, and its running statistics are no parameters.
"""

from typing import NamedTuple

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, Part
from bitjoule.energy_models.system.work.steps import MatmulKind


class FeatureMap(NamedTuple):
    """Values between two layers: channels x height x width, of an image."""

    channels: int
    height: int
    width: int

    @property
    def positions(self) -> int:
        """Its pixels."""
        return self.height * self.width

    @property
    def values(self) -> int:
        """All of them."""
        return self.channels * self.positions

    def __str__(self) -> str:
        """Return the sizes, for messages."""
        return f"{self.channels} x {self.height} x {self.width}"


class Window(NamedTuple):
    """What a convolution or a pooling takes for an output, and how it moves.

    Parameters
    ----------
    kernel
        Height and width.
    stride, dilation
        Distance of two outputs' windows, and of two values in one.
    padding, padding_after
        Rows and columns that are added at each edge; those that are added at the lower and right edge besides.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    padding_after: int = 0

    def outputs(self, size: int) -> int:
        """Return how many outputs there are along one axis; less than 1 if the window is larger than the map.

        Parameters
        ----------
        size
            Of the map along that axis.
        """
        covered = self.dilation * (self.kernel - 1) + 1
        return (size + 2 * self.padding + self.padding_after - covered) // self.stride + 1

    def over(self, inputs: FeatureMap, channels: int) -> FeatureMap:
        """Return the map of its outputs.

        Parameters
        ----------
        inputs, channels
            What it moves over; channels of the outputs.
        """
        return FeatureMap(channels, self.outputs(inputs.height), self.outputs(inputs.width))


def convolution(
    inputs: FeatureMap, outputs: FeatureMap, window: Window, *, groups: int = 1, bias: bool = False,
    batch_norm: bool = False, layer_scale: bool = False, activation: str | None = None, full_precision: bool = False,
    quantises: bool = True, stored: int = 0,
) -> Part:  # fmt: skip
    """Return a convolution with the norm and the activation function behind it.

    Parameters
    ----------
    inputs, outputs, window
        Its maps, and how one becomes the other.
    groups
        Groups of channels that are convolved each for itself.
    bias, batch_norm, layer_scale
        Whether it has a bias; whether a batch norm, or a learned factor for each channel, is folded into it.
    activation
        The function behind it, if there is one.
    full_precision
        Whether a scheme of few bits leaves it alone, as the first and last layers.
    quantises
        Whether its inputs are scaled to integers for it; not if another layer has done so.
    stored
        Values of other maps that are needed later.
    """
    kind = MatmulKind.FULL_PRECISION if full_precision else MatmulKind.LINEAR
    scaled = inputs.values * (quantises and not full_precision)
    taps = window.kernel**2
    linear = Linear(
        "full_precision_conv" if full_precision else "conv",
        inputs.channels // groups * taps,
        outputs.channels // groups,
        bias or batch_norm,
        uses=groups,
        kind=kind,
        copies=groups,
        stored_as="lm_head" if full_precision else "weights",
        rows=outputs.positions,
        inputs=min(inputs.values, outputs.positions * inputs.channels * taps),
    )
    # the bias of `linear` is the batch norm's summand, so that a bias beside it is stored besides
    others = outputs.channels * (batch_norm + layer_scale + (bias and batch_norm))

    def rescaled(at: At) -> Floats | float:
        return scaled * at.quantises

    work = []
    if scaled:
        work.append(
            Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * scaled * at.quantises)
        )
    if activation is not None:
        work.append(Elementwise("activation_function", activation, lambda at: at.tokens * outputs.values))
    return Part(
        matmuls=(linear,),
        elementwise=tuple(work),
        stored=(("other", others),),
        activations_read=rescaled,
        inputs_written=rescaled,
        live=inputs.values + outputs.values + stored,
        alone=True,
    )


def pooling(
    inputs: FeatureMap, outputs: FeatureMap, taps: int, *, average: bool = False, stored: int = 0
) -> Part:  # fmt: skip
    """Return a pooling.

    Parameters
    ----------
    inputs, outputs, taps
        Its maps, and values of the first for each of the second.
    average
        Whether it takes the mean, not the maximum.
    stored
        As for `convolution`.
    """
    pooled = "average" if average else "maximum"
    return Part(
        elementwise=(
            Elementwise("pooling", "pooling", lambda at: at.tokens * (outputs.values * taps)),
            Elementwise("pooling", pooled, lambda at: at.tokens * outputs.values),
        ),
        activations_read=lambda _: inputs.values,
        residual_written=lambda _: outputs.values,
        live=inputs.values + outputs.values + stored,
        alone=True,
    )


def upsampling(inputs: FeatureMap, outputs: FeatureMap, *, stored: int = 0) -> Part:
    """Return a repetition of each value along both axes.

    Parameters
    ----------
    inputs, outputs
        Its maps.
    stored
        As for `convolution`.
    """
    return Part(
        elementwise=(Elementwise("pooling", "upsampling", lambda at: at.tokens * outputs.values),),
        activations_read=lambda _: inputs.values,
        residual_written=lambda _: outputs.values,
        live=inputs.values + outputs.values + stored,
        alone=True,
    )


def layer_norm(inputs: FeatureMap, *, stored: int = 0) -> Part:
    """Return a layer norm over the channels of each position.

    Parameters
    ----------
    inputs
        The map that is normed in place.
    stored
        As for `convolution`.
    """
    return Part(
        elementwise=(Elementwise("norm", "layernorm", lambda at: at.tokens * inputs.values),),
        stored=(("other", 2 * inputs.channels),),
        activations_read=lambda _: inputs.values,
        residual_written=lambda _: inputs.values,
        live=inputs.values + stored,
        alone=True,
    )


def residual_sum(outputs: FeatureMap, activation: str | None, *, stored: int = 0) -> Part:
    """Return the sum of a branch and its shortcut, and the activation function behind it.

    Parameters
    ----------
    outputs
        The map of either.
    activation, stored
        As for `convolution`.
    """
    work = [Elementwise("residual", "residual", lambda at: at.tokens * outputs.values)]
    if activation is not None:
        work.append(Elementwise("activation_function", activation, lambda at: at.tokens * outputs.values))
    return Part(
        elementwise=tuple(work),
        activations_read=lambda _: 2 * outputs.values,
        residual_written=lambda _: outputs.values,
        live=2 * outputs.values + stored,
        alone=True,
    )


def classifier(
    inputs: int, outputs: int, *, bias: bool = True, activation: str | None = None, stored: int = 0
) -> Part:  # fmt: skip
    """Return a fully connected layer in full precision.

    Parameters
    ----------
    inputs, outputs, bias
        Its features; whether it has a bias.
    activation, stored
        As for `convolution`.
    """
    kind = MatmulKind.FULL_PRECISION
    work = [Elementwise("activation_function", activation, lambda at: at.tokens * outputs)] if activation else []
    return Part(
        matmuls=(Linear("classifier", inputs, outputs, bias, 1, kind, stored_as="lm_head"),),
        elementwise=tuple(work),
        live=inputs + outputs + stored,
        alone=True,
    )
