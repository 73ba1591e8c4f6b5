"""Entries of an experiment for a model, scheme, technology or platform: a name, a path, or an inline definition."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Discriminator, Field, Tag

from bitjoule.energy_models.architecture.images.convolutional import ConvolutionalShape
from bitjoule.energy_models.architecture.images.vision_transformer import VisionTransformerShape
from bitjoule.energy_models.architecture.shape import AnyShape, ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.validation import Strict
from bitjoule.energy_models.prices.measured import MeasuredTechnology
from bitjoule.energy_models.system.platform.platforms import Platform

MAX_VALUE = 10**9  # tokens, batch, matmul sizes: keeps every count of operations a finite float64
Count = Annotated[int, Field(ge=1, le=MAX_VALUE)]
CountOrNone = Annotated[int, Field(ge=0, le=MAX_VALUE)]


NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"


def entry_tag(value: Any) -> str:
    """Return the tag of an entry: ``named`` for a text, ``written`` for an inline definition.

    Parameters
    ----------
    value
        The entry.
    """
    return "named" if isinstance(value, str) else "written"


class NamedShape(ModelShape):
    """A model defined in the experiment."""

    instead: ClassVar[str] = "a name, a path to a config.json or a GGUF file, or "

    name: str = Field(pattern=NAME, max_length=100)

    def shape(self) -> ModelShape:
        """Return the shape without the name."""
        return ModelShape.model_validate(self.model_dump(exclude={"name"}))


class NamedFile(Strict):
    """A model's file with a name of the user's choice."""

    name: str = Field(pattern=NAME, max_length=100)
    config: str = Field(description="path of a config.json, of a GGUF file, or of the directory of one")


class NamedConvolutional(ConvolutionalShape):
    """A convolutional network defined in the experiment."""

    name: str = Field(pattern=NAME, max_length=100)

    def shape(self) -> ConvolutionalShape:
        """Return the shape without the name."""
        return ConvolutionalShape.model_validate(self.model_dump(exclude={"name"}))


class NamedVisionTransformer(VisionTransformerShape):
    """A vision transformer defined in the experiment."""

    name: str = Field(pattern=NAME, max_length=100)

    def shape(self) -> VisionTransformerShape:
        """Return the shape without the name."""
        return VisionTransformerShape.model_validate(self.model_dump(exclude={"name"}))


NamedModel = NamedShape | NamedConvolutional | NamedVisionTransformer


def named(name: str, shape: AnyShape) -> NamedModel:
    """Return a model as an experiment would define it.

    Parameters
    ----------
    name, shape
        The model.
    """
    data = {"name": name, **shape.with_defaults()}
    if isinstance(shape, ConvolutionalShape):
        return NamedConvolutional.model_validate(data)
    if isinstance(shape, VisionTransformerShape):
        return NamedVisionTransformer.model_validate(data)
    return NamedShape.model_validate(data)


class NamedScheme(Scheme):
    """A scheme defined in the experiment."""

    instead: ClassVar[str] = "a name, a path to a model's GGUF file, or "

    name: str = Field(pattern=NAME, max_length=100)


def _may_be_like(schema: dict[str, Any]) -> None:
    """Allow, in JSON Schema, an entry that gives only the differences from another one."""
    whole = dict(schema)
    like = {
        "description": "the entry that this one is like: a name, a path, or a mapping",
        "anyOf": [{"type": "string"}, {"type": "object"}],
    }
    differences = {
        "required": ["name", "like"],
        "properties": {**dict.fromkeys(whole["properties"], True), "name": whole["properties"]["name"], "like": like},
        "additionalProperties": False,
    }
    schema.clear()
    schema.update({"type": "object", "if": {"required": ["like"]}, "then": differences, "else": whole})


class NamedPlatform(Platform):
    """A platform defined in the experiment."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_may_be_like)

    instead: ClassVar[str] = "a name, a path to a platform's YAML, or "

    name: str = Field(pattern=NAME, max_length=100)


OnePlatform = Annotated[
    Annotated[str, Tag("named")] | Annotated[NamedPlatform, Tag("written")], Discriminator(entry_tag)
]


class NamedTechnology(MeasuredTechnology):
    """A measured technology defined in the experiment."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_may_be_like)

    instead: ClassVar[str] = "a name, a path to a technology's YAML, or "

    name: str = Field(pattern=NAME, max_length=100)


class PlatformSet(Strict):
    """Machines that are compared as one platform: each scheme runs on its own machine."""

    name: str = Field(pattern=NAME, max_length=100)
    by_scheme: dict[str, OnePlatform] = Field(
        min_length=1, description="platform of each scheme: a name, a path, or an inline platform"
    )


def _platform_kind(value: Any) -> str:
    if isinstance(value, PlatformSet) or (isinstance(value, dict) and "by_scheme" in value):
        return "set"
    return entry_tag(value)


class MatmulSize(Strict):
    """A bare matrix product (M, K) @ (K, N)."""

    m: Count = Field(description="number of tokens")
    k: Count = Field(description="in_features")
    n: Count = Field(description="out_features")


def _model_kind(value: Any) -> str:
    if isinstance(value, str):
        return "named"
    if isinstance(value, NamedFile) or (isinstance(value, dict) and "config" in value):
        return "file"
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if kind is None and not (isinstance(value, dict) and "kind" in value):
        return "text"
    return "vision_transformer" if "transformer" in str(kind) else "convolutional"


NameOrShape = Annotated[
    Annotated[str, Tag("named")]
    | Annotated[NamedShape, Tag("text")]
    | Annotated[NamedConvolutional, Tag("convolutional")]
    | Annotated[NamedVisionTransformer, Tag("vision_transformer")]
    | Annotated[NamedFile, Tag("file")],
    Discriminator(_model_kind),
]
NameOrScheme = Annotated[
    Annotated[str, Tag("named")] | Annotated[NamedScheme, Tag("written")], Discriminator(entry_tag)
]
NameOrTechnology = Annotated[
    Annotated[str, Tag("named")] | Annotated[NamedTechnology, Tag("written")], Discriminator(entry_tag)
]
NameOrPlatform = Annotated[
    Annotated[str, Tag("named")] | Annotated[NamedPlatform, Tag("written")] | Annotated[PlatformSet, Tag("set")],
    Discriminator(_platform_kind),
]
