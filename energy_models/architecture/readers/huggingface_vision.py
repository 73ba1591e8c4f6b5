"""The shape of a vision model from its Hugging Face ``config.json``: ResNet, ConvNeXt, ViT."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bitjoule.energy_models.architecture.images.vision import VISION_SHAPES, VisionShape
from bitjoule.energy_models.architecture.readers.huggingface import ACTIVATIONS, OWN, read_config
from bitjoule.energy_models.architecture.readers.model_types import model_types
from bitjoule.energy_models.architecture.shape import AnyShape
from bitjoule.energy_models.inputs.documents import Document, read_document
from bitjoule.energy_models.inputs.errors import InputError, brief, choices
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate

IMAGE = 224  # of types whose config names no size: ImageNet's crop, for which they were published
LABELS = 2  # of a configuration class without id2label
LARGEST = 10**7
HEADS = {"ForImageClassification": True, "Model": False}  # by the end of the class's name: whether it classifies
REDUCTION = 4  # of a ResNet's bottleneck, whose width is not in its config
EXPANSION = 4  # of a ConvNeXt layer


class _VisionType(Strict):
    """One ``model_type``: defaults of the keys that decide its shape, and keys that do not."""

    defaults: dict[str, Any]
    without_effect: list[str]


class _VisionTypes(Strict):
    """The file data/huggingface_vision.yaml."""

    source: str
    where: str
    types: dict[str, _VisionType]


@cache
def vision_types() -> dict[str, _VisionType]:
    """Return the types of vision models that can be read.

    Raises
    ------
    InputError
        data/huggingface_vision.yaml is wrong.
    """
    return validate(_VisionTypes, read_document(DATA / "huggingface_vision.yaml")).types


def read_any_config(path: Path, file: str | None = None) -> AnyShape:
    """Read the ``config.json`` of a model of text or of images.

    Parameters
    ----------
    path, file
        As for `bitjoule.energy_models.architecture.readers.huggingface.read_config`.

    Raises
    ------
    InputError
        As for `read_config`.
    """
    config, named = path, file
    if path.is_dir():
        config, named = path / "config.json", f"{file or path}/config.json"
    document = read_json(config, named or str(config))
    name = document.data.get("model_type")
    if not isinstance(name, str) or name not in vision_types():
        return read_config(path, file, vision_types())
    return _read(document, name)


class _Config(NamedTuple):
    """A config with its type's defaults; wrong values are refused with their key."""

    document: Document
    defaults: Mapping[str, Any]

    def get(self, key: str) -> Any:
        return self.document.data.get(key, self.defaults[key])

    def wrong(self, key: str, expected: str) -> InputError:
        return InputError([self.document.problem((key,), f"got {brief(self.get(key))}", expected)])

    def integer(self, key: str) -> int:
        value = self.get(key)
        if type(value) is not int or not 0 < value <= LARGEST:
            raise self.wrong(key, f"a whole number from 1 to {LARGEST}")
        return value

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if type(value) is not bool:
            raise self.wrong(key, "true or false")
        return value

    def integers(self, key: str, count: int | None = None) -> list[int]:
        value = self.get(key)
        numbers = isinstance(value, list) and value and all(type(v) is int and 0 < v <= LARGEST for v in value)
        if not numbers or len(value) != (count or len(value)):
            raise self.wrong(key, f"a list of {count or 'whole'} numbers from 1 to {LARGEST}")
        return [int(v) for v in value]

    def sides(self, key: str) -> tuple[int, int]:
        """Return height and width."""
        if isinstance(self.get(key), list):
            height, width = self.integers(key, 2)
            return height, width
        return self.integer(key), self.integer(key)

    def side(self, key: str) -> int:
        height, width = self.sides(key)
        if height != width:
            raise self.wrong(key, "a square")
        return height

    def activation(self, key: str) -> str:
        name = self.get(key)
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise InputError([self.document.problem((key,), f"unknown activation {brief(name)}", choices(ACTIVATIONS))])
        return ACTIVATIONS[name]


def _read(document: Document, name: str) -> VisionShape:
    unknown = _check_keys(document, name)
    config = _Config(document, vision_types()[name].defaults)
    classifies = _classifies(document)
    shape = _READERS[name](config, _labels(document) if classifies else 0, classifies)
    note = f"read from a Hugging Face config.json of type {name}"
    if "image_size" not in config.defaults:
        note += f", which names no image size: images of {IMAGE} x {IMAGE}"
    shape["note"] = note + (f"; not known to change the shape: {', '.join(unknown)}" if unknown else "")
    try:
        return validate(VISION_SHAPES[shape["kind"]], Document(document.file, shape, {}))
    except InputError as error:
        whole = "image_size" if "image_size" in config.defaults else "model_type"
        raise InputError(
            document.problem((_KEYS.get(problem.key, whole),), problem.wrong, problem.expected)
            for problem in error.problems
        ) from None


_KEYS = {"heads": "num_attention_heads", "patch": "patch_size"}  # ours that the config's values may contradict


def _check_keys(document: Document, name: str) -> list[str]:
    """Refuse keys that decide the shape of other types; return those that no type knows."""
    mine = vision_types()[name]
    every = {key for keys in model_types().without_effect.values() for key in keys} | {*OWN, *mine.without_effect}
    known = every | {*mine.defaults}
    words = {key for other in vision_types().values() for key in other.defaults}
    words |= {key for other in model_types().types.values() for key in other.applied}
    problems, unknown = [], []
    if document.data.get("is_encoder_decoder") not in (None, False):
        problems.append(document.problem(("is_encoder_decoder",), "true is not supported", "false"))
    for key, value in document.data.items():
        if key in known:
            continue
        if key in words and value not in (None, False, 0, [], {}):
            wrong = f"is not known to be a key of model_type {name!r}"
            problems.append(document.problem((key,), wrong, f"keys of {name}: a model with this one is another type"))
        elif key not in words:
            unknown.append(key)
    if problems:
        raise InputError(problems)
    return unknown


def _classifies(document: Document) -> bool:
    names = document.data.get("architectures")
    if not names:
        return True
    name = names[0] if isinstance(names, list) else names
    ends = [end for end in HEADS if isinstance(name, str) and name.endswith(end)]
    if not ends:
        expected = f"a name that ends in {choices(HEADS)}"
        raise InputError([document.problem(("architectures",), f"unknown class {brief(name)}", expected)])
    return HEADS[max(ends, key=len)]


def _labels(document: Document) -> int:
    labels, count = document.data.get("id2label"), document.data.get("num_labels")
    if isinstance(labels, dict):
        return len(labels)
    return count if type(count) is int and 0 <= count <= LARGEST else LABELS


def _image(channels: int, sides: tuple[int, int]) -> dict[str, int]:
    return {"channels": channels, "height": sides[0], "width": sides[1]}


def _conv(channels: int, kernel: int, **keys: Any) -> dict[str, Any]:
    return {"kind": "conv", "channels": channels, "kernel": kernel, **keys}


def _head(labels: int) -> list[dict[str, Any]]:
    return [{"kind": "classifier", "outputs": labels}] if labels else []


def _resnet(config: _Config, labels: int, classifies: bool) -> dict[str, Any]:  # noqa: ARG001 (a reader)
    widths = config.integers("hidden_sizes")
    depths = config.integers("depths", len(widths))
    activation, first = config.activation("hidden_act"), config.integer("embedding_size")
    kind = config.get("layer_type")
    if kind not in ("basic", "bottleneck"):
        raise config.wrong("layer_type", "basic, bottleneck")
    early = config.flag("downsample_in_bottleneck")

    def branch(width: int, stride: int) -> list[dict[str, Any]]:
        if kind == "basic":
            return [_conv(width, 3, stride=stride, activation="relu"), _conv(width, 3)]
        inner = width // REDUCTION
        if not inner:
            raise config.wrong("hidden_sizes", f"at least {REDUCTION} channels in a bottleneck")
        strides = (stride, 1) if early else (1, stride)
        return [
            _conv(inner, 1, stride=strides[0], activation="relu"),
            _conv(inner, 3, stride=strides[1], activation="relu"),
            _conv(width, 1),
        ]

    layers = [
        _conv(first, 7, stride=2, activation=activation, full_precision=True),
        {"kind": "pool", "function": "maximum", "kernel": 3, "stride": 2, "padding": 1},
    ]
    before = first
    for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        stride = 2 if i or config.flag("downsample_in_first_stage") else 1
        shortcut = [_conv(width, 1, stride=stride)] if before != width or stride > 1 else []
        residual = {"kind": "residual", "activation": activation}
        layers.append({**residual, "branch": branch(width, stride), "shortcut": shortcut})
        if depth > 1:
            layers.append({**residual, "branch": branch(width, 1), "repeats": depth - 1})
        before = width
    layers += [{"kind": "pool", "function": "average"}, *_head(labels)]
    image = _image(config.integer("num_channels"), (IMAGE, IMAGE))
    return {"kind": "convolutional", "family": "resnet", "image": image, "layers": layers}


def _convnext(config: _Config, labels: int, classifies: bool) -> dict[str, Any]:  # noqa: ARG001 (a reader)
    stages = config.integer("num_stages")
    widths, depths = config.integers("hidden_sizes", stages), config.integers("depths", stages)
    patch, activation = config.side("patch_size"), config.activation("hidden_act")
    scale = config.get("layer_scale_init_value")
    if type(scale) not in (int, float):
        raise config.wrong("layer_scale_init_value", "a number")
    plain = {"batch_norm": False, "padding": 0}
    norm = {"kind": "layernorm"}
    layers = [_conv(widths[0], patch, stride=patch, full_precision=True, **plain), norm]
    for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if i:
            layers += [norm, _conv(width, 2, stride=2, **plain)]
        branch = [
            _conv(width, 7, groups=width, batch_norm=False),
            norm,
            _conv(EXPANSION * width, 1, activation=activation, batch_norm=False),
            _conv(width, 1, batch_norm=False, layer_scale=scale > 0),
        ]
        layers.append({"kind": "residual", "branch": branch, "repeats": depth})
    layers += [{"kind": "pool", "function": "average"}, norm, *_head(labels)]
    image = _image(config.integer("num_channels"), config.sides("image_size"))
    return {"kind": "convolutional", "family": "convnext", "image": image, "layers": layers}


def _vit(config: _Config, labels: int, classifies: bool) -> dict[str, Any]:
    hidden = config.integer("hidden_size")
    named = config.get("pooler_output_size") is not None
    pooler = 0 if classifies else config.integer("pooler_output_size") if named else hidden
    if config.get("pooler_act") != "tanh":
        raise config.wrong("pooler_act", "tanh")
    return {
        "kind": "vision_transformer", "family": "vit",
        "image": _image(config.integer("num_channels"), config.sides("image_size")),
        "patch": config.side("patch_size"), "layers": config.integer("num_hidden_layers"), "hidden": hidden,
        "heads": config.integer("num_attention_heads"), "ffn": config.integer("intermediate_size"),
        "activation": config.activation("hidden_act"), "qkv_bias": config.flag("qkv_bias"), "pooler": pooler,
        "outputs": labels,
    }  # fmt: skip


_READERS: dict[str, Callable[[_Config, int, bool], dict[str, Any]]] = {
    "resnet": _resnet,
    "convnext": _convnext,
    "vit": _vit,
}
