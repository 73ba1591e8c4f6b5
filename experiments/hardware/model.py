"""The model of a hardware experiment: looked up, opened and checked before any weight is read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import unknown_name
from bitjoule.experiments.hardware.schema import DEFAULT_IDS, DEFAULT_MODEL, DEFAULT_PROMPT, RtlExperiment
from bitjoule.rtl.config import COMMAND_M_BITS
from bitjoule.sim.llm.checkpoints.loading import open_model
from bitjoule.sim.llm.checkpoints.weights import Warn
from bitjoule.sim.llm.model import Model, check_positions, checked_ids
from bitjoule.sim.llm.synthetic import check_random, random_model
from bitjoule.sim.llm.tokenizer import IdTokenizer, Tokenizer, UnknownTextError
from bitjoule.sim.llm.trained import shipped_models

SCHEMES = {"ternary": "bitnet-b1.58", "binary": "bitnet", "float": "fp16"}
MAX_PROMPT = (1 << COMMAND_M_BITS) - 1  # tokens of one matmul


class SelectedModel(NamedTuple):
    """The model of a run.

    Parameters
    ----------
    name, scheme, shape
        Its name, the scheme of its weights, its dimensions.
    tokenizer, stop
        Text to ids and back; the ids that end a text.
    prompt
        The ids that are run first.
    positions
        Context length of the model, if its configuration has one.
    read
        Makes the model, or reads its weights; receives a function that takes warnings about them.
    files
        Its files, by name in the manifest.
    """

    name: str
    scheme: str
    shape: ModelShape
    tokenizer: Tokenizer
    stop: tuple[int, ...]
    prompt: list[int]
    positions: int | None
    read: Callable[[Warn], Model]
    files: Mapping[str, Path]

    @property
    def multiplies_integers(self) -> bool:
        """Whether any of its matmuls runs on the hardware."""
        return self.scheme != SCHEMES["float"]


def select_model(experiment: RtlExperiment, document: Document) -> SelectedModel:
    """Return the model of an experiment, with its prompt.

    Parameters
    ----------
    experiment, document
        The experiment, and where it is written.

    Raises
    ------
    InputError
        There is no such model, a file is wrong (weights apart, which are read later), or it cannot run the prompt.
    """
    run = experiment.rtl
    name = run.model or DEFAULT_MODEL
    shipped = shipped_models()
    if run.random_weights is not None:
        return _random(experiment, document, name)
    folder = shipped[name] if name in shipped else document.folder(("rtl", "model")) / name
    if name not in shipped and "/" not in name and not folder.exists():
        raise InputError([document.problem(("rtl", "model"), *unknown_name("model", name, shipped))])
    opened = open_model(folder, name, run.weights)
    within = Path(name).parent if folder.is_file() else name
    return SelectedModel(
        name if name in shipped else folder.resolve().name.removesuffix(".gguf"),
        SCHEMES[opened.config.weights],
        opened.config.shape,
        opened.tokenizer,
        opened.config.stop,
        _prompt(experiment, document, opened.tokenizer, opened.config.shape),
        opened.config.positions,
        lambda warn: opened.read(warn=warn),
        {f"{within}/{path.name}": path for path in opened.files},
    )


def _random(experiment: RtlExperiment, document: Document, name: str) -> SelectedModel:
    """Return a model with random weights in the shape of a preset or of a bundled model."""
    shipped = shipped_models()
    zero_share = experiment.rtl.random_weights or 0.0
    at = ("rtl", "model")
    if name not in presets() and name not in shipped:
        raise InputError([document.problem(at, *unknown_name("model", name, [*presets(), *shipped]))])
    shape = presets()[name] if name in presets() else read_config(shipped[name])
    try:
        check_random(shape, zero_share)
    except ValueError as error:
        raise InputError([document.problem(at, str(error), "a dense model's shape")]) from None
    tokenizer = IdTokenizer("random weights know no words")
    prompt = _prompt(experiment, document, tokenizer, shape)

    def make(_: Warn) -> Model:
        return random_model(shape, zero_share, experiment.rtl.seed)

    return SelectedModel(name, SCHEMES["ternary"], shape, tokenizer, (), prompt, None, make, {})


def _prompt(experiment: RtlExperiment, document: Document, tokenizer: Tokenizer, shape: ModelShape) -> list[int]:
    run = experiment.rtl
    default = DEFAULT_IDS if isinstance(tokenizer, IdTokenizer) else DEFAULT_PROMPT
    expected = "text or ids that the model's vocabulary holds"
    try:
        ids = checked_ids(shape, tokenizer.encode(default if run.prompt is None else run.prompt))
        expected = "fewer tokens"
        check_positions(shape, len(ids), run.new_tokens)
        if len(ids) > MAX_PROMPT:
            raise ValueError(f"is {len(ids)} tokens long, more than the hardware's limit of {MAX_PROMPT}")
    except UnknownTextError as error:
        raise InputError([document.problem(("rtl", "prompt"), *error.args)]) from None
    except ValueError as error:
        raise InputError([document.problem(("rtl", "prompt"), str(error), expected)]) from None
    return ids
