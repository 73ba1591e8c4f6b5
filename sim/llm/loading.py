"""Models from a Hugging Face folder: ``config.json`` and safetensors.

What is read, as transformers 5 means it:

* ``model_type`` ``bitnet`` (b1.58 2B4T: SubLN, gated FFN) and ``llama`` (LLaMA-style b1.58; with ``weight_bits`` 1,
  as 1bitLLM wrote it, with SubLN under its names).
* ``quantization_config`` of ``bitnet``. ``offline``: packed uint8 (`unpack`), or trits written out as floats
  (``autobitlinear`` alone), with a ``weight_scale``, which ``autobitlinear`` multiplies and ``bitlinear`` divides by.
  ``online`` (``autobitlinear``): float weights, quantised on load. ``use_rms_norm``: a norm before each linear.
* None of these: float weights, which no engine multiplies, unless ``"bitjoule": {"weights": "ternary" | "binary"}``
  is in the file, or `load_model` is called with it: packed uint8 with a factor, or floats, quantised on load.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.block import Linear as LinearShape
from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.sim.llm.checkpoint import BYTES, FLOATS, Checkpoint
from bitjoule.sim.llm.engines import MatmulWeights
from bitjoule.sim.llm.layers import DecoderLayer, LinearLayer, Norm
from bitjoule.sim.llm.model import RESIDENT_TRITS, ArrayTable, Blocks, EmbeddingTable, Model
from bitjoule.sim.llm.model_config import ModelConfig, Weights, read_model_config
from bitjoule.sim.llm.tokenizer import Tokenizer, read_tokenizer
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.matmul import Codes
from bitjoule.sim.reference.quantisation import Kind, QuantisedWeights, absmean_ternary, sign_binary

# Buffers that transformers once saved, and a head that is the embedding.
_IGNORED = re.compile(r".*\.rotary_emb\.inv_freq")
_IGNORED_TIED = re.compile(rf"{_IGNORED.pattern}|lm_head\.weight")
_ROWS = 4096  # of a table at a time
_RESIDENT_VALUES = 2**24  # float32 values of a table that is kept: 64 MiB
_PLACES = {
    "q_proj": "self_attn.q_proj", "k_proj": "self_attn.k_proj", "v_proj": "self_attn.v_proj",
    "o_proj": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


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


@dataclass(frozen=True, eq=False)
class StoredTable:
    """A table that stays in its file.

    Parameters
    ----------
    checkpoint, name
        The tensor, checked.
    """

    checkpoint: Checkpoint
    name: str

    @property
    def rows(self) -> int:
        """The vocabulary."""
        return self.checkpoint.shape(self.name)[0]

    def block(self, start: int, stop: int) -> Float32s:
        """Return rows `start` to `stop`; see `EmbeddingTable.block`."""
        return self.checkpoint.float_rows(self.name, start, stop)


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
    """

    config: ModelConfig
    tokenizer: Tokenizer
    checkpoint: Checkpoint

    def read(self, resident: int = RESIDENT_TRITS) -> Model:
        """Return the model; every tensor is checked before this returns.

        Parameters
        ----------
        resident
            As for `Blocks`: larger models are read again, block by block, in each pass.

        Raises
        ------
        InputError
            A tensor is damaged or not finite.
        """
        config, reader = self.config, _Reader(self.config, self.checkpoint)
        blocks = Blocks(reader.block, config.shape, resident)
        for index in range(config.shape.layers):
            blocks(index)
        table = reader.table("model.embed_tokens.weight")
        norm = reader.norm("model.norm", config.shape.hidden)
        return Model(config.shape, blocks, table, norm, reader.head(), config.rope_theta)


def open_model(folder: Path, file: str | None = None, weights: Weights | None = None) -> OpenedModel:
    """Read a model's folder without the tensors' values.

    Parameters
    ----------
    folder
        Holds config.json and the safetensors.
    file
        Its name in messages; default: `folder`.
    weights
        How to quantise float weights, whatever config.json says; packed weights must be of this kind. ``float`` is
        refused for a quantised model.

    Raises
    ------
    InputError
        A file or tensor is missing, cut short, of a wrong type or shape, or the architecture is unknown.
    """
    file = file or str(folder)
    if not folder.is_dir():
        raise whole_file(file, "is not a directory", "a directory with config.json and safetensors")
    config = read_model_config(folder, file, weights)
    checkpoint = Checkpoint(folder, file)
    _Reader(config, checkpoint).check_headers()
    return OpenedModel(config, read_tokenizer(folder, config.tokenizer, config.shape.vocabulary, file), checkpoint)


def load_model(
    folder: Path, file: str | None = None, weights: Weights | None = None, resident: int = RESIDENT_TRITS
) -> LoadedModel:
    """Read a model; every tensor is checked before this returns.

    Parameters
    ----------
    folder, file, weights
        As for `open_model`.
    resident
        As for `OpenedModel.read`.

    Raises
    ------
    InputError
        As of these two.
    """
    opened = open_model(folder, file, weights)
    return LoadedModel(opened.read(resident), opened.tokenizer, opened.config)


def unpack(packed: NDArray[np.uint8], out_features: int) -> Codes:
    """Return the codes of packed weights: int8, shape (out_features, in_features), −1 to 2, where 2 is no trit.

    Byte (r, c) holds rows r, r + R, r + 2R and r + 3R of column c, R the packed rows, two bits each from the lowest
    up: code + 1. It is transformers' order.

    Parameters
    ----------
    packed
        uint8, shape (ceil(out_features / 4), in_features).
    out_features
        Rows to return; what pads them to a multiple of 4 is dropped.
    """
    rows, columns = packed.shape
    codes = np.empty((4, rows, columns), np.int8)
    for place in range(4):
        codes[place] = (packed >> np.uint8(2 * place)) & np.uint8(3)
    codes -= 1
    return codes.reshape(4 * rows, columns)[:out_features]


@dataclass(frozen=True)
class _Reader:
    """Makes the parts of a model from its tensors."""

    config: ModelConfig
    checkpoint: Checkpoint

    def check_headers(self) -> None:
        """Refuse missing and unknown tensors, wrong types and shapes before any is read."""
        shape = self.config.shape
        self.checkpoint.check("model.embed_tokens.weight", (shape.vocabulary, shape.hidden), FLOATS)
        for index in range(shape.layers):
            for linear in shape.linears:
                self._check_linear(f"model.layers.{index}.{_PLACES[linear.component]}", linear)
            for name, width in self._norm_names(index).values():
                self.checkpoint.check(f"{name}.weight", (width,), FLOATS)
        self.checkpoint.check("model.norm.weight", (shape.hidden,), FLOATS)
        if self.config.quantised("lm_head"):
            self._check_linear("lm_head", self._head_shape)
        elif not shape.tied_embedding:
            self.checkpoint.check("lm_head.weight", (shape.vocabulary, shape.hidden), FLOATS)
        self.checkpoint.refuse_others(_IGNORED_TIED if shape.tied_embedding else _IGNORED)

    def block(self, index: int) -> DecoderLayer:
        shape = self.config.shape
        linears = {
            linear.component: self.linear(index, linear, f"model.layers.{index}.{_PLACES[linear.component]}")
            for linear in shape.linears
        }
        norms = {place: self.norm(*name_and_width) for place, name_and_width in self._norm_names(index).items()}
        return DecoderLayer(linears, norms, shape.heads, shape.kv_heads, shape.head_dim, shape.activation)

    def head(self) -> EmbeddingTable | LinearLayer | None:
        shape = self.config.shape
        if self.config.quantised("lm_head"):
            return self.linear(-1, self._head_shape, "lm_head")
        if shape.tied_embedding:
            return None
        return self.table("lm_head.weight")

    def table(self, name: str) -> EmbeddingTable:
        """Return a table after reading all of it once."""
        rows, width = self.config.shape.vocabulary, self.config.shape.hidden
        self.checkpoint.check(name, (rows, width), FLOATS)
        if rows * width <= _RESIDENT_VALUES:
            return ArrayTable(self.checkpoint.floats(name, (rows, width)))
        for start in range(0, rows, _ROWS):
            self.checkpoint.float_rows(name, start, min(start + _ROWS, rows))
        return StoredTable(self.checkpoint, name)

    def norm(self, name: str, width: int, epsilon: float | None = None) -> Norm:
        return Norm(self.checkpoint.floats(f"{name}.weight", (width,)), epsilon or self.config.norm_epsilon)

    def linear(self, layer: int, linear: LinearShape, name: str) -> LinearLayer:
        self._check_linear(name, linear)
        quantised = self.config.quantised(name)
        factor = np.float32(1)
        weights: MatmulWeights | Float32s
        if not quantised:
            values = self.checkpoint.floats(f"{name}.weight", (linear.out_features, linear.in_features))
            weights = np.ascontiguousarray(values.T)
        else:
            matrix = self._quantised(linear, name)
            weights = MatmulWeights(matrix)
            # transformers' AutoBitLinear multiplies the bias, too, by the stored scale
            factor = matrix.scale[0] if self.config.scheme.bias_is_scaled else factor
        bias = self.checkpoint.floats(f"{name}.bias", (linear.out_features,)) * factor if linear.bias else None
        norm = None
        if quantised and self.config.scheme.norm_epsilon is not None:
            norm = self.norm(f"{name}.rms_norm", linear.in_features, self.config.scheme.norm_epsilon)
        return LinearLayer(layer, linear.component, weights, bias, norm)

    @property
    def _kind(self) -> Kind:
        """The codes' kind for the layers: ±1 count as trits where activations are quantised as with ternary weights."""
        return "binary" if self.config.scheme.activations == "absmax_binary" else "ternary"

    @property
    def _head_shape(self) -> LinearShape:
        return LinearShape("lm_head", self.config.shape.hidden, self.config.shape.vocabulary, bias=False, uses=1)

    def _norm_names(self, index: int) -> dict[str, tuple[str, int]]:
        shape, layer = self.config.shape, f"model.layers.{index}"
        names = {
            "attention": (f"{layer}.input_layernorm", shape.hidden),
            "ffn": (f"{layer}.post_attention_layernorm", shape.hidden),
        }
        if shape.sub_norm:
            attention, ffn = self.config.sub_norms
            names["attention_sub"] = f"{layer}.self_attn.{attention}", shape.heads * shape.head_dim
            names["ffn_sub"] = f"{layer}.mlp.{ffn}", shape.ffn
        return names

    def _check_linear(self, name: str, linear: LinearShape) -> None:
        rows = linear.out_features
        dtypes: tuple[str, ...] = FLOATS
        if self.config.quantised(name):
            dtypes = self._dtypes()
            if self._is_packed(name, dtypes):
                rows, dtypes = -(-rows // 4), BYTES
            if self._has_scale(name):
                scale = f"{name}.weight_scale"
                self.checkpoint.check(scale, () if self.checkpoint.shape(scale) == () else (1,), FLOATS)
            if self.config.scheme.norm_epsilon is not None:
                self.checkpoint.check(f"{name}.rms_norm.weight", (linear.in_features,), FLOATS)
        self.checkpoint.check(f"{name}.weight", (rows, linear.in_features), dtypes)
        if linear.bias:
            self.checkpoint.check(f"{name}.bias", (linear.out_features,), FLOATS)

    def _dtypes(self) -> tuple[str, ...]:
        stored = self.config.scheme.stored
        return {"packed": BYTES, "offline": BYTES + FLOATS, "online": FLOATS, "any": BYTES + FLOATS}[stored]

    def _is_packed(self, name: str, dtypes: tuple[str, ...]) -> bool:
        return "U8" in dtypes and self.checkpoint.dtype(f"{name}.weight") == "U8"

    def _has_scale(self, name: str) -> bool:
        stored = self.config.scheme.stored
        return stored in ("packed", "offline") or (stored == "any" and self._is_packed(name, BYTES))

    def _quantised(self, linear: LinearShape, name: str) -> QuantisedWeights:
        kind: Kind = self.config.scheme.kind
        weight, shape = f"{name}.weight", (linear.out_features, linear.in_features)
        if not self._has_scale(name):
            quantise = absmean_ternary if kind == "ternary" else sign_binary
            matrix = quantise(self.checkpoint.floats(weight, shape).T)
            return QuantisedWeights(matrix.codes, matrix.scale, self._kind)
        scale = self._scale(f"{name}.weight_scale")
        if self._is_packed(name, self._dtypes()):
            codes = unpack(self.checkpoint.bytes(weight, (-(-shape[0] // 4), shape[1])), shape[0])
            if codes.max() > 1:
                at = np.argwhere(codes > 1)[0].tolist()
                raise self.checkpoint.error(weight, f"has the code 3 at {at}", "the codes 0, 1 and 2, two bits each")
        else:
            values = self.checkpoint.floats(weight, shape)
            codes = np.clip(np.rint(values), -1, 1).astype(np.int8)
            if (codes != values).any():
                at = np.argwhere(codes != values)[0].tolist()
                wrong = f"has {values[tuple(at)]} at {at} and a weight_scale"
                raise self.checkpoint.error(weight, wrong, "trits: −1, 0 and 1")
        if kind == "binary" and not codes.all():
            at = np.argwhere(codes == 0)[0].tolist()
            raise self.checkpoint.error(weight, f"has a zero at {at}", "binary weights: −1 and 1")
        return QuantisedWeights(codes.T, scale, self._kind)

    def _scale(self, name: str) -> Float32s:
        scale = self.checkpoint.floats(name, self.checkpoint.shape(name)).reshape(1)
        with np.errstate(divide="ignore", over="ignore"):
            factor = 1 / scale if self.config.scheme.divides else scale
        if scale[0] < 0 or not np.isfinite(factor[0]):
            expected = "a positive divisor" if self.config.scheme.divides else "a factor of at least 0"
            raise self.checkpoint.error(name, f"is {scale[0]}", expected)
        return factor.astype(np.float32)
