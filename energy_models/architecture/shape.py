"""The shape of a transformer: what decides how many operations and bytes a pass takes."""

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from bitjoule.energy_models.architecture.block import Block, Linear, Part, stored_values
from bitjoule.energy_models.architecture.chosen_linears import check_components
from bitjoule.energy_models.architecture.images.vision import VISION_SHAPES, VisionShape
from bitjoule.energy_models.architecture.layer_numbers import layer_numbers, spans
from bitjoule.energy_models.architecture.layers import MAX_DIMENSION, Dimension, LayerGroup, LayerShape
from bitjoule.energy_models.architecture.parts import encoder, layer_inputs, token_prediction, transformer
from bitjoule.energy_models.inputs.documents import Document, read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.plugins import with_contributed
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, validate, wrong_value

MAX_PARAMETERS = 10**18  # below 2**63, and every count of operations a finite float64


OF_A_TRANSFORMER = ("heads", "ffn", "ffn_gated", "activation")  # that a model with a mixer need not write


def _defaults_are_optional(schema: dict[str, Any]) -> None:
    """Mark the keys whose default depends on others as optional in the JSON Schema."""
    derived = ("kv_heads", "head_dim", *OF_A_TRANSFORMER)
    schema["required"] = [key for key in schema["required"] if key not in derived]
    schema["anyOf"] = [{"required": ["mixer"]}, {"required": list(OF_A_TRANSFORMER)}]


class ModelShape(LayerShape):
    """A transformer's dimensions: those of the model, and those of its layers, which `LayerShape` describes.

    Parameters
    ----------
    layers, hidden
        Number of layers; width d of the residual stream.
    groups
        Layers that differ: how many repeat, and which of their keys are not the model's. Together they are all layers.
    vocabulary, tied_embedding, lm_head, head_bias
        Rows of the embedding; whether the LM head is the same matrix; whether there is one, and with a bias.
    norm, norm_bias, norm_gain, final_norm, embedding_norm
        Kind of norm; whether it adds a bias (default: of ``layernorm``), and multiplies by a gain; whether there is one
        before the LM head, and after the embedding.
    learned_positions
        Rows of a learned position table, 0 for rotary positions.
    token_types, pooler, head_transform
        Rows of a segment table; a linear over each sequence's first token; a linear, with a bias or `without_bias`, the
        `activation` and a norm before the LM head (encoders).
    layer_input, layer_input_vocabulary
        Width of an input of each layer by itself; rows of its embedding (default: `vocabulary`).
    mtp_layers
        Modules that predict further tokens; each has a layer like the last one.
    causal
        Whether a token attends to those before it and itself only, so that machines may skip the other pairs.
    family
        Models of one style and training; plots connect their points.
    source, where, note
        Citation key, the place in it, and what was inferred.
    hub
        Names of models on Hugging Face's hub that have these dimensions.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_defaults_are_optional)

    layers: Dimension = Field(le=MAX_DIMENSION)
    hidden: Dimension = Field(le=MAX_DIMENSION)
    groups: list[LayerGroup] = Field(default_factory=list, max_length=1000)
    vocabulary: Dimension = Field(le=MAX_DIMENSION)
    tied_embedding: bool = False
    lm_head: bool = True
    head_bias: bool = False
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    norm_bias: bool | None = None
    norm_gain: bool = True
    final_norm: bool = True
    embedding_norm: bool = False
    learned_positions: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    token_types: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    pooler: bool = False
    head_transform: bool | Literal["without_bias"] = False
    layer_input: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    layer_input_vocabulary: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    mtp_layers: int = Field(default=0, ge=0, le=1000)
    causal: bool = True
    family: str = ""
    source: str = ""
    where: str = ""
    note: str = ""
    hub: list[str] = Field(default_factory=list, exclude=True)  # says nothing about the shape: no file repeats it

    @model_validator(mode="before")
    @classmethod
    def _derived_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if data.get("mixer"):  # keys of attention and FFN that a model without them need not write
            network = {"feed_forward": "ffn" in data, "ffn": 1, "ffn_gated": False, "activation": "silu"}
            data = {"heads": 1, **network, **data}
        hidden, heads = data.get("hidden"), data.get("heads")
        counted = type(heads) is int and heads > 0
        data.setdefault("kv_heads", heads if counted else 1)  # heads is wrong: report only that
        if "head_dim" not in data and type(hidden) is int and counted:
            if hidden % heads:
                raise wrong_value(
                    f"hidden ({hidden}) is not a multiple of heads ({heads})",
                    "a divisor of hidden, or head_dim",
                    "heads",
                )
            data["head_dim"] = hidden // heads
        data.setdefault("head_dim", 1)  # hidden or heads is wrong: report only that
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        grouped = sum(group.repeats for group in self.groups)
        if self.groups and grouped != self.layers:
            raise wrong_value(f"groups of {grouped} layers in a model of {self.layers}", "all layers", "groups")
        numbered = [group for group in self.groups if group.layer_numbers]
        numbers = sorted(number for group in numbered for number in layer_numbers(group.layer_numbers))
        if numbered and numbers != list(range(self.layers)):
            expected = f"each of 0 to {self.layers - 1} in one group"
            raise wrong_value("layer_numbers are not those of all layers", expected, "groups")
        mixers = [layer.mixer or layer.beside or layer.indexer for layer, *_ in self._layers()]
        if not self.causal and any(mixers):
            raise wrong_value("a mixer without a causal mask", "attention in every layer", "causal")
        if self.head_transform and not self.lm_head:
            raise wrong_value("a transform before no LM head", "an LM head", "head_transform")
        shared = [layer.kv_shared for layer, *_ in self._layers()]
        if all(shared):
            raise wrong_value(
                "every layer reads the keys and values of another", "a layer that makes them", "kv_shared"
            )
        check_components([layer for layer, *_ in self._layers()], [g.changes() for g in self.groups], self.hidden)
        if self.parameters > MAX_PARAMETERS:
            raise wrong_value(f"a model of {self.parameters} parameters", f"at most {MAX_PARAMETERS}")
        return self

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the model consists of, in the order it runs; layers that are alike are one block."""
        norm = transformer.Norm(self.norm, gain=self.norm_gain, bias=self.norm_bias)
        first = transformer.embedding(
            self.hidden, self.vocabulary, self.learned_positions, norm if self.embedding_norm else None
        )
        layers = [
            Block(layer.parts(self.hidden, norm, rotary=not self.learned_positions, causal=self.causal), count, numbers)
            for layer, count, numbers in self._layers()
        ]
        if self.layer_input:
            rows = self.layer_input_vocabulary or self.vocabulary
            inputs = layer_inputs.embedding(self.hidden, rows, self.layers, self.layer_input, norm)
            own = layer_inputs.layer(self.hidden, self.layer_input, self.activation, norm)
            layers = [Block((*block.parts, own), block.repeats, block.layers) for block in layers]
            return Block((first, inputs)), *layers, Block((self._last(norm),))
        start = (first, encoder.segments(self.hidden, self.token_types)) if self.token_types else (first,)
        further: tuple[Block, ...] = ()
        if self.mtp_layers:
            modules = token_prediction.modules
            further = (modules(self.hidden, self.vocabulary, norm, layers[-1].parts, self.mtp_layers),)
        end = [encoder.pooler(self.hidden)] if self.pooler else []
        if self.head_transform:
            end.append(encoder.head_transform(self.hidden, norm, self.activation, bias=self.head_transform is True))
        return Block(start), *layers, *further, Block((*end, self._last(norm)))

    def _last(self, norm: transformer.Norm) -> Part:
        return transformer.head(
            self.hidden, self.vocabulary, norm=norm if self.final_norm else None, tied=self.tied_embedding,
            matrix=self.lm_head, bias=self.head_bias,
        )  # fmt: skip

    def _layers(self) -> list[tuple[LayerShape, int, str]]:
        """Return the layers, how many there are of each, and their numbers."""
        mine = {name: getattr(self, name) for name in LayerShape.model_fields}
        if not self.groups:
            return [(self, self.layers, spans(range(self.layers)))]
        shapes, before = [], 0
        for i, group in enumerate(self.groups):
            numbers = group.layer_numbers or spans(range(before, before + group.repeats))
            before += group.repeats
            try:
                shapes.append((LayerShape.model_validate({**mine, **group.changes()}), group.repeats, numbers))
            except ValidationError as error:
                context = error.errors()[0]["ctx"]  # each key by itself was checked when the group was read
                raise wrong_value(context["wrong"], context["expected"], "groups", i, *context["at"]) from None
        return shapes

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The weight matrices of one layer, in the order they run."""
        layer = self.blocks[1]
        return tuple(matmul for part in layer.parts for matmul in part.matmuls if isinstance(matmul, Linear))

    @property
    def parameters(self) -> int:
        """All trainable values: linears, biases, norms, positions, embedding, and the head unless it is tied."""
        return sum(stored_values(self.blocks).values())


class _Family(Strict):
    """One file of data/models."""

    family: str
    source: str
    where: str
    note: str = ""
    defaults: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]]


AnyShape = ModelShape | VisionShape


@cache
def presets() -> dict[str, ModelShape]:
    """Return the models of text among `all_presets`, by name."""
    return {name: shape for name, shape in all_presets().items() if isinstance(shape, ModelShape)}


@cache
def all_presets() -> dict[str, AnyShape]:
    """Return every model that ships or that a package contributes (entry points ``bitjoule.models``), by name.

    Raises
    ------
    InputError
        A file of data/models is wrong.
    PluginError
        What a package contributes is wrong.
    """
    shapes: dict[str, AnyShape] = {}
    for path in sorted((DATA / "models").glob("*.yaml")):
        shapes |= _family(path)
    return with_contributed("bitjoule.models", "model", shapes, _family)


@cache
def hub_names() -> dict[str, str]:
    """Return the preset of each model on Hugging Face's hub, by its name there in lower case (``qwen/qwen3-0.6b``).

    Raises
    ------
    InputError, PluginError
        As `presets`.
    """
    return {name.lower(): preset for preset, shape in presets().items() for name in shape.hub}


def _family(path: Path) -> dict[str, AnyShape]:
    """Return the models of a file, by name."""
    document = read_document(path)
    family = validate(_Family, document)
    cited = {"family": family.family, "source": family.source, "where": family.where, "note": family.note}
    return {
        name: any_shape_from(document, {**cited, **family.defaults, **dimensions}, ("models", name))
        for name, dimensions in family.models.items()
    }


def shape_from(document: Document, data: Any, at: tuple[str | int, ...]) -> ModelShape:
    """Return a shape written in a document.

    Parameters
    ----------
    document
        Where it was written.
    data
        Its keys.
    at
        Its path in the document.

    Raises
    ------
    InputError
        With a problem for each thing wrong.
    """
    return validate(ModelShape, document, data, at)


def any_shape_from(document: Document, data: dict[str, Any], at: tuple[str | int, ...]) -> AnyShape:
    """Return a shape of any kind written in a document; without ``kind`` it is one of text.

    Parameters
    ----------
    document, data, at
        As for `shape_from`.

    Raises
    ------
    InputError
        With a problem for each thing wrong.
    """
    if "kind" not in data:
        return shape_from(document, data, at)
    if data["kind"] not in VISION_SHAPES:
        raise InputError([document.problem((*at, "kind"), *unknown_name("kind", data["kind"], VISION_SHAPES))])
    return validate(VISION_SHAPES[data["kind"]], document, data, at)
