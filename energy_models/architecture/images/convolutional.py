"""A convolutional network as data: its layers in the order they run, with branches and routes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, PositiveInt, model_validator

from bitjoule.energy_models.architecture.block import Block, Part, stored_values
from bitjoule.energy_models.architecture.images import convolution
from bitjoule.energy_models.architecture.images.convolution import FeatureMap, Window
from bitjoule.energy_models.architecture.layers import MAX_DIMENSION, Dimension
from bitjoule.energy_models.inputs.errors import choices, suggestion
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

MAX_PARAMETERS = 10**18  # as of `ModelShape`
MAX_LAYERS = 10_000
Activation = Literal["relu", "relu2", "leaky_relu", "gelu", "silu", "tanh"]
Size = Annotated[PositiveInt, Field(le=10_000)]


class LayerError(Exception):
    """A layer that its inputs do not fit: what is wrong, what was expected, and the keys that lead there."""

    def __init__(self, wrong: str, expected: str, *at: str | int) -> None:
        super().__init__(wrong, expected, at)
        self.wrong, self.expected, self.at = wrong, expected, at

    def inside(self, *at: str | int) -> "LayerError":
        """Return it as seen from further outside."""
        return LayerError(self.wrong, self.expected, *at, *self.at)


class Around(NamedTuple):
    """What a layer meets.

    Parameters
    ----------
    inputs
        The map before it.
    stored
        Values of other maps that are needed later.
    saved
        Maps with names.
    quantises
        Whether its inputs are scaled to integers for it.
    """

    inputs: FeatureMap
    stored: int
    saved: Mapping[str, FeatureMap]
    quantises: bool = True


class Run(NamedTuple):
    """The parts of a layer, and the map behind it."""

    parts: tuple[Part, ...]
    outputs: FeatureMap


class Layer(Strict):
    """What all layers have.

    Parameters
    ----------
    save
        A name for the map behind it, which `concat` and `take` use.
    """

    save: str = Field(default="", max_length=100)


class Conv(Layer):
    """A convolution.

    Parameters
    ----------
    channels, kernel, stride, dilation, groups
        Of its outputs; its height and width; its steps; the distance of two taps; groups of channels.
    padding
        Rows and columns added at each edge; default: so many that the map keeps its size at stride 1.
    batch_norm, bias, layer_scale
        Whether a batch norm follows; whether it has a bias (default: without batch norm); whether a learned factor for
        each channel follows.
    activation
        The function behind it, if there is one.
    full_precision
        Whether it stays as the scheme's LM head is, as first and last layers of networks of few bits do.
    """

    kind: Literal["conv"]
    channels: Dimension = Field(le=MAX_DIMENSION)
    kernel: Size = 1
    stride: Size = 1
    padding: int | None = Field(default=None, ge=0, le=10_000)
    dilation: Size = 1
    groups: Dimension = Field(default=1, le=MAX_DIMENSION)
    batch_norm: bool = True
    bias: bool | None = None
    layer_scale: bool = False
    activation: Activation | None = None
    full_precision: bool = False

    def run(self, around: Around) -> Run:
        """Return its part."""
        inputs = around.inputs
        for name, channels in (("inputs", inputs.channels), ("outputs", self.channels)):
            if channels % self.groups:
                wrong = f"groups ({self.groups}) do not divide the {channels} channels of the {name}"
                raise LayerError(wrong, "a divisor of both", "groups")
        padding = self.dilation * (self.kernel - 1) // 2 if self.padding is None else self.padding
        window = Window(self.kernel, self.stride, self.dilation, padding)
        if inputs.channels // self.groups * self.kernel**2 > MAX_DIMENSION:
            wrong = f"a kernel of {self.kernel} x {self.kernel} over {inputs.channels} channels"
            raise LayerError(wrong, f"at most {MAX_DIMENSION} weights for an output", "kernel")
        outputs = _moved(window, inputs, self.channels)
        part = convolution.convolution(
            inputs, outputs, window, groups=self.groups, bias=not self.batch_norm if self.bias is None else self.bias,
            batch_norm=self.batch_norm, layer_scale=self.layer_scale, activation=self.activation,
            full_precision=self.full_precision, quantises=around.quantises, stored=around.stored,
        )  # fmt: skip
        return Run((part,), outputs)


class Pool(Layer):
    """A pooling.

    Parameters
    ----------
    function
        The maximum or the mean.
    kernel, stride, padding
        As of `Conv`; without `kernel` the whole map; `stride` is `kernel` by default.
    padding_after
        Rows and columns added at the lower and right edge besides.
    """

    kind: Literal["pool"]
    function: Literal["maximum", "average"]
    kernel: Size | None = None
    stride: Size | None = None
    padding: int = Field(default=0, ge=0, le=10_000)
    padding_after: int = Field(default=0, ge=0, le=10_000)

    def run(self, around: Around) -> Run:
        """Return its part."""
        inputs, average = around.inputs, self.function == "average"
        if self.kernel is None:
            whole = FeatureMap(inputs.channels, 1, 1)
            part = convolution.pooling(inputs, whole, inputs.positions, average=average, stored=around.stored)
            return Run((part,), whole)
        window = Window(self.kernel, self.stride or self.kernel, 1, self.padding, self.padding_after)
        outputs = _moved(window, inputs, inputs.channels)
        part = convolution.pooling(inputs, outputs, self.kernel**2, average=average, stored=around.stored)
        return Run((part,), outputs)


class LayerNorm(Layer):
    """A layer norm over the channels of each position."""

    kind: Literal["layernorm"]

    def run(self, around: Around) -> Run:
        """Return its part."""
        return Run((convolution.layer_norm(around.inputs, stored=around.stored),), around.inputs)


class Upsample(Layer):
    """A repetition of each value along both axes, `factor` times."""

    kind: Literal["upsample"]
    factor: Size = 2

    def run(self, around: Around) -> Run:
        """Return its part."""
        channels, height, width = around.inputs
        outputs = FeatureMap(channels, height * self.factor, width * self.factor)
        return Run((convolution.upsampling(around.inputs, outputs, stored=around.stored),), outputs)


class Take(Layer):
    """A step back to a saved map."""

    kind: Literal["take"]
    map: str

    def run(self, around: Around) -> Run:
        """Return that map; nothing is computed."""
        return Run((), _saved(around, self.map, "map"))


class Concat(Layer):
    """The channels of saved maps behind those of the map before: one place in memory, nothing is computed."""

    kind: Literal["concat"]
    maps: list[str] = Field(min_length=1, max_length=100)

    def run(self, around: Around) -> Run:
        """Return the joint map."""
        inputs, channels = around.inputs, around.inputs.channels
        for i, name in enumerate(self.maps):
            other = _saved(around, name, "maps", i)
            if other[1:] != inputs[1:]:
                raise LayerError(f"{name} is {other}, the map before is {inputs}", "maps of one size", "maps", i)
            channels += other.channels
        return Run((), FeatureMap(channels, inputs.height, inputs.width))


class Classifier(Layer):
    """A fully connected layer in full precision, over all values of the map before."""

    kind: Literal["classifier"]
    outputs: Dimension = Field(le=MAX_DIMENSION)
    bias: bool = True
    activation: Activation | None = None

    def run(self, around: Around) -> Run:
        """Return its part."""
        features = around.inputs.values
        if features > MAX_DIMENSION:
            raise LayerError(f"a classifier of {features} features", f"at most {MAX_DIMENSION}; a pool before it")
        part = convolution.classifier(
            features, self.outputs, bias=self.bias, activation=self.activation, stored=around.stored
        )
        return Run((part,), FeatureMap(self.outputs, 1, 1))


class Residual(Layer):
    """A branch of layers whose output is added to its input, or to that of the layers of a shortcut.

    Parameters
    ----------
    branch, shortcut
        Layers; without a shortcut the input itself is added.
    activation
        The function behind the sum, if there is one.
    repeats
        How often it follows itself.
    """

    kind: Literal["residual"]
    branch: list["AnyLayer"] = Field(min_length=1, max_length=MAX_LAYERS)
    shortcut: list["AnyLayer"] = Field(default_factory=list, max_length=MAX_LAYERS)
    activation: Activation | None = None
    repeats: Size = 1

    def run(self, around: Around) -> Run:
        """Return its parts; of one, if it is repeated."""
        inputs, stored = around.inputs, around.stored
        branch = _sequence(self.branch, around, "branch", held=inputs.values)
        beside = Around(inputs, stored + branch.outputs.values, {}, quantises=False)
        shortcut = _sequence(self.shortcut, beside, "shortcut", held=0)
        if branch.outputs != shortcut.outputs:
            wrong = f"the branch gives {branch.outputs}, the shortcut {shortcut.outputs}"
            raise LayerError(wrong, "maps of one size; a convolution in the shortcut", "shortcut")
        if self.repeats > 1 and branch.outputs != inputs:
            wrong = f"{inputs} becomes {branch.outputs}, and is repeated"
            raise LayerError(wrong, "repeats of layers that keep the map's size", "repeats")
        joined = convolution.residual_sum(branch.outputs, self.activation, stored=stored)
        return Run((*branch.parts, *shortcut.parts, joined), branch.outputs)


AnyLayer = Annotated[Conv | Pool | LayerNorm | Upsample | Take | Concat | Classifier | Residual, Discriminator("kind")]
Residual.model_rebuild()


def _moved(window: Window, inputs: FeatureMap, channels: int) -> FeatureMap:
    outputs = window.over(inputs, channels)
    if outputs.height < 1 or outputs.width < 1:
        wrong = f"a window of {window.dilation * (window.kernel - 1) + 1} does not fit a map of {inputs}"
        raise LayerError(wrong, "a smaller kernel, or padding", "kernel")
    return outputs


def _saved(around: Around, name: str, *at: str | int) -> FeatureMap:
    if name not in around.saved:
        wrong = f"no map {name!r} was saved before{suggestion(name, around.saved)}"
        raise LayerError(wrong, choices(around.saved) if around.saved else "a layer before it with `save`", *at)
    return around.saved[name]


def _sequence(layers: Sequence[Any], around: Around, key: str, held: int) -> Run:
    """Return what layers of a branch are; while those after the first run, `held` values stay besides."""
    parts: list[Part] = []
    inputs = around.inputs
    for i, layer in enumerate(layers):
        if layer.save or isinstance(layer, Take | Concat):
            wrong = "a map that is saved in a branch" if layer.save else "a route in a branch"
            raise LayerError(wrong, "routes between the layers of the network", key, i)
        stored = around.stored + (held if i else 0)
        try:
            run = layer.run(Around(inputs, stored, {}, around.quantises or i > 0))
        except LayerError as error:
            raise error.inside(key, i) from None
        parts += run.parts
        inputs = run.outputs
    return Run(tuple(parts), inputs)


class Image(Strict):
    """What the network takes."""

    channels: Dimension = Field(default=3, le=MAX_DIMENSION)
    height: Size
    width: Size


class ConvolutionalShape(Strict):
    """A convolutional network.

    Parameters
    ----------
    kind
        What tells it from other models.
    image
        What it takes.
    layers
        In the order they run.
    family, source, where, note
        As of `ModelShape`.
    """

    kind: Literal["convolutional"]
    image: Image
    layers: list[AnyLayer] = Field(min_length=1, max_length=MAX_LAYERS)
    family: str = ""
    source: str = ""
    where: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            parameters = self.parameters
        except LayerError as error:
            raise wrong_value(error.wrong, error.expected, "layers", *error.at) from None
        if parameters > MAX_PARAMETERS:
            raise wrong_value(f"a model of {parameters} parameters", f"at most {MAX_PARAMETERS}")
        return self

    @property
    def runs(self) -> tuple[Run, ...]:
        """Each layer's parts and the map behind it.

        Raises
        ------
        LayerError
            A layer does not fit the map before it.
        """
        inputs = FeatureMap(self.image.channels, self.image.height, self.image.width)
        uses = [{layer.map} if isinstance(layer, Take) else {*getattr(layer, "maps", ())} for layer in self.layers]
        last = {name: i for i, names in enumerate(uses) for name in names}
        saved: dict[str, FeatureMap] = {}
        result, newest = [], ""
        for i, layer in enumerate(self.layers):
            stored = sum(map_.values for name, map_ in saved.items() if name != newest and last.get(name, -1) >= i)
            try:
                run = layer.run(Around(inputs, stored, saved))
            except LayerError as error:
                raise error.inside(i) from None
            if layer.save in saved:
                raise LayerError(f"duplicate map {layer.save!r}", "each name once", i, "save")
            newest, inputs = layer.save, run.outputs
            if newest:
                saved[newest] = inputs
            result.append(run)
        return tuple(result)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the model consists of: a block for each layer that computes anything."""
        repeats = (getattr(layer, "repeats", 1) for layer in self.layers)
        return tuple(Block(run.parts, times) for run, times in zip(self.runs, repeats, strict=True) if run.parts)

    @property
    def parameters(self) -> int:
        """All trainable values: weights, biases, and factors and summands of norms."""
        return sum(stored_values(self.blocks).values())
