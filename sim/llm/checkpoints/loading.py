"""Models from a Hugging Face folder, ``config.json`` and safetensors, or from a GGUF file.

What is read of a folder, as transformers 5 means it:

* ``model_type`` ``bitnet`` (b1.58 2B4T: SubLN, gated FFN), ``llama`` (with ``weight_bits`` 1, as 1bitLLM wrote it, with
  SubLN under its names), ``mistral`` (windows), ``qwen2`` (biases of queries, keys and values) and ``qwen3`` (norms of
  queries and keys).
* ``quantization_config`` of ``bitnet``. ``offline``: packed uint8, or trits written out as floats (``autobitlinear``
  alone), with a ``weight_scale``, which ``autobitlinear`` multiplies and ``bitlinear`` divides by.
  ``online`` (``autobitlinear``): float weights, quantised on load. ``use_rms_norm``: a norm before each linear.
  Beyond transformers: one scale for each row.
* None of these: float weights, which no engine multiplies, unless ``"bitjoule": {"weights": "ternary" | "binary"}``
  is in the file, or `load_model` is called with it: packed uint8 with a factor, or floats. Floats that are trits times
  a scale keep it; others are quantised on load.
* A head beside the embedding to which ``tie_word_embeddings`` ties it: as it is stored, with a warning if it differs.

Of a GGUF file, linears whose types hold trits (TQ1_0, TQ2_0, Q1_0, ...) are multiplied as trits, with the scales of
their blocks; where these differ along a row, each block is a matmul of its own. Activations are quantised as elsewhere,
by token. Other types are dequantised: those linears are floats.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.energy_models.model_files.gguf_header import read_gguf
from bitjoule.sim.llm.checkpoints.checkpoint import Checkpoint
from bitjoule.sim.llm.checkpoints.gguf_config import gguf_model_config
from bitjoule.sim.llm.checkpoints.model_config import ModelConfig, read_model_config
from bitjoule.sim.llm.checkpoints.quantisation_config import Weights
from bitjoule.sim.llm.checkpoints.reader import ModelReader
from bitjoule.sim.llm.checkpoints.tensors import Tensors
from bitjoule.sim.llm.checkpoints.weights import Warn
from bitjoule.sim.llm.model import RESIDENT_TRITS, Blocks, Model
from bitjoule.sim.llm.tokenizer import IdTokenizer, Tokenizer, read_tokenizer


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model with its tokenizer and configuration.

    Parameters
    ----------
    model
        Checked to the last tensor.
    tokenizer
        Of its folder.
    config
        What its config.json says.
    """

    model: Model
    tokenizer: Tokenizer
    config: ModelConfig


@dataclass(frozen=True)
class OpenedModel:
    """A folder of which the configuration, the tokenizer and the tensors' headers have been read and checked.

    Parameters
    ----------
    config
        What its config.json says.
    tokenizer
        Of the folder.
    checkpoint
        Its tensors.
    files
        All files that were opened.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    checkpoint: Tensors
    files: tuple[Path, ...]

    def read(self, resident: int = RESIDENT_TRITS, warn: Warn = warnings.warn) -> Model:
        """Return the model; every tensor is checked before this returns.

        Parameters
        ----------
        resident
            As for `Blocks`: larger models are read again, block by block, in each pass.
        warn
            Receives what is unusual about the weights, once each.

        Raises
        ------
        InputError
            A tensor is damaged or not finite.
        """
        config, reader = self.config, ModelReader(self.config, self.checkpoint, _once(warn))
        blocks = Blocks(reader.block, config.shape, resident)
        for index in range(config.shape.layers):
            blocks(index)
        frequencies = config.rope.frequencies(config.shape.head_dim)
        return Model(config.shape, blocks, reader.embedding(), reader.norm(), reader.head(), frequencies)


def open_model(path: Path, file: str | None = None, weights: Weights | None = None) -> OpenedModel:
    """Read a model's folder or GGUF file without the tensors' values.

    Parameters
    ----------
    path
        A folder with config.json and the safetensors, or a GGUF file. Beside the latter, ``tokenizer.json`` is its
        tokenizer.
    file
        Its name in messages; default: `path`.
    weights
        How to quantise float weights, whatever config.json says; packed weights must be of this kind. ``float`` is
        refused for a quantised model.

    Raises
    ------
    InputError
        A file or tensor is missing, cut short, of a wrong type or shape, or the architecture is unknown.
    """
    file = file or str(path)
    if path.is_file() and path.suffix == ".gguf":
        return _open_gguf(path, file, weights)
    if not path.is_dir():
        raise whole_file(file, "is not a directory", "a directory with config.json and safetensors, or a GGUF file")
    config = read_model_config(path, file, weights)
    checkpoint = Checkpoint(path, file)
    ModelReader(config, checkpoint).check_headers()
    tokenizer = read_tokenizer(path, config.tokenizer, config.shape.vocabulary, file)
    files = sorted(part for part in path.iterdir() if part.suffix in {".json", ".safetensors"})
    return OpenedModel(config, tokenizer, checkpoint, tuple(files))


def _open_gguf(path: Path, file: str, weights: Weights | None) -> OpenedModel:
    config, checkpoint = gguf_model_config(read_gguf(path, file), weights)
    ModelReader(config, checkpoint).check_headers()
    beside, files = path.with_name("tokenizer.json"), checkpoint.paths
    if not beside.is_file():
        tokenizer: Tokenizer = IdTokenizer(f"the tokenizer in {file} is not read; a tokenizer.json beside it is")
        return OpenedModel(config, tokenizer, checkpoint, tuple(files))
    tokenizer = read_tokenizer(path.parent, None, config.shape.vocabulary, str(Path(file).parent))
    return OpenedModel(config, tokenizer, checkpoint, (*files, beside))


def load_model(
    path: Path, file: str | None = None, weights: Weights | None = None, resident: int = RESIDENT_TRITS
) -> LoadedModel:
    """Read a model; every tensor is checked before this returns.

    Parameters
    ----------
    path, file, weights
        As for `open_model`.
    resident
        As for `OpenedModel.read`.

    Raises
    ------
    InputError
        As of these two.
    """
    opened = open_model(path, file, weights)
    return LoadedModel(opened.read(resident), opened.tokenizer, opened.config)


def _once(warn: Warn) -> Warn:
    """Return a function that passes each text on once: blocks may be read many times."""
    told: set[str] = set()

    def warn_once(text: str) -> None:
        if text not in told:
            told.add(text)
            warn(text)

    return warn_once
