"""The parts of a model from its tensors: blocks, embedding and head, each tensor checked by name, type and shape."""

import re
import warnings
from dataclasses import dataclass

import numpy as np

from bitjoule.energy_models.architecture.block import Linear as LinearShape
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.sim.llm.checkpoints.model_config import ModelConfig
from bitjoule.sim.llm.checkpoints.tensors import FLOATS, Tensors
from bitjoule.sim.llm.checkpoints.weights import Warn, WeightReader
from bitjoule.sim.llm.engines import MatmulWeights
from bitjoule.sim.llm.layers import DecoderLayer
from bitjoule.sim.llm.linears import GroupedWeights, LinearLayer, Norm
from bitjoule.sim.llm.model import ArrayTable, EmbeddingTable
from bitjoule.sim.reference.checks import Float32s

_IGNORED = re.compile(r".*\.rotary_emb\.inv_freq")  # buffers that transformers once saved
_EMBEDDING, _HEAD = "model.embed_tokens", "lm_head"
_ROWS = 4096  # of a table at a time
_RESIDENT_VALUES = 2**24  # float32 values of a table that is kept: 64 MiB
_PLACES = {
    "q_proj": "self_attn.q_proj", "k_proj": "self_attn.k_proj", "v_proj": "self_attn.v_proj",
    "o_proj": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


def linear_names(shape: ModelShape) -> list[str]:
    """Return the full names of the linears of all blocks.

    Parameters
    ----------
    shape
        The model's.
    """
    return [f"model.layers.{i}.{_PLACES[linear.component]}" for i in range(shape.layers) for linear in shape.linears]


@dataclass(frozen=True, eq=False)
class StoredTable:
    """A table that stays in its file.

    Parameters
    ----------
    checkpoint, name
        The tensor, checked.
    """

    checkpoint: Tensors
    name: str

    @property
    def rows(self) -> int:
        """The vocabulary."""
        return self.checkpoint.shape(self.name)[0]

    def block(self, start: int, stop: int) -> Float32s:
        """Return rows `start` to `stop`; see `EmbeddingTable.block`."""
        return self.checkpoint.float_rows(self.name, start, stop)


@dataclass(frozen=True)
class ModelReader:
    """Makes the parts of a model from its tensors.

    Parameters
    ----------
    config
        What its config.json says.
    checkpoint
        Its tensors.
    warn
        Receives what is unusual about the weights.
    """

    config: ModelConfig
    checkpoint: Tensors
    warn: Warn = warnings.warn

    def check_headers(self) -> None:
        """Refuse missing and unknown tensors, wrong types and shapes before any is read.

        Raises
        ------
        InputError
            Names the file and the tensor.
        """
        shape = self.config.shape
        table = shape.vocabulary, shape.hidden
        for index in range(shape.layers):
            for linear in shape.linears:
                self._check_linear(f"model.layers.{index}.{_PLACES[linear.component]}", linear)
            for name, width in self._norm_names(index).values():
                self.checkpoint.check(f"{name}.weight", (width,), FLOATS)
        self.checkpoint.check(self._embedding_name, table, FLOATS)
        self.checkpoint.check("model.norm.weight", (shape.hidden,), FLOATS)
        if not shape.tied_embedding and f"{_HEAD}.weight" not in self.checkpoint:
            expected = "this tensor, or tie_word_embeddings: true in config.json"
            raise self.checkpoint.error(f"{_HEAD}.weight", "is missing", expected)
        if self.config.quantised(_HEAD):
            if not self._head_is_embedding:
                self._check_linear(_HEAD, self._head_shape)
            elif self.config.scheme.stored != "online":
                expected = (
                    f"this tensor, or {_HEAD} in modules_to_not_convert, which keeps the tied head in floating point"
                )
                raise self.checkpoint.error(f"{_HEAD}.weight", "is missing", expected)
        elif not self._head_is_embedding:
            self.checkpoint.check(f"{_HEAD}.weight", table, FLOATS)
        self.checkpoint.refuse_others(_IGNORED)

    def block(self, index: int) -> DecoderLayer:
        """Return a block.

        Parameters
        ----------
        index
            0 to layers − 1.

        Raises
        ------
        InputError
            A tensor is damaged or not finite.
        """
        shape = self.config.shape
        linears = {
            linear.component: self._linear(index, linear, f"model.layers.{index}.{_PLACES[linear.component]}")
            for linear in shape.linears
        }
        norms = {place: self._norm(*name_and_width) for place, name_and_width in self._norm_names(index).items()}
        sizes = shape.heads, shape.kv_heads, shape.head_dim
        return DecoderLayer(linears, norms, *sizes, shape.activation, self.config.windows[index])

    def embedding(self) -> EmbeddingTable:
        """Return the embedding of the tokens.

        Raises
        ------
        InputError
            A tensor is damaged or not finite.
        """
        return self._table(self._embedding_name)

    def norm(self) -> Norm:
        """Return the norm before the LM head.

        Raises
        ------
        InputError
            A tensor is damaged or not finite.
        """
        return self._norm("model.norm", self.config.shape.hidden)

    def head(self) -> EmbeddingTable | LinearLayer | None:
        """Return the LM head: a table, a linear, or None for the embedding itself.

        Raises
        ------
        InputError
            A tensor is damaged or not finite.
        """
        stored = f"{_HEAD}.weight"
        if self.config.shape.tied_embedding and not self._head_is_embedding and not self._same_as_embedding(stored):
            self.warn(
                f"{self.checkpoint.file}: {stored} differs from {_EMBEDDING}.weight, to which tie_word_embeddings ties "
                "it; the head is used as it is stored"
            )
        elif self.config.shape.tied_embedding and not self.config.quantised(_HEAD):
            return None
        if self.config.quantised(_HEAD):
            weight = self._embedding_name if self._head_is_embedding else stored
            return self._linear(-1, self._head_shape, _HEAD, weight)
        return self._table(stored)

    def _table(self, name: str) -> EmbeddingTable:
        """Return a table after reading all of it once."""
        rows, width = self.config.shape.vocabulary, self.config.shape.hidden
        self.checkpoint.check(name, (rows, width), FLOATS)
        if rows * width <= _RESIDENT_VALUES:
            return ArrayTable(self.checkpoint.floats(name, (rows, width)))
        for start in range(0, rows, _ROWS):
            self.checkpoint.float_rows(name, start, min(start + _ROWS, rows))
        return StoredTable(self.checkpoint, name)

    def _norm(self, name: str, width: int, epsilon: float | None = None) -> Norm:
        return Norm(self.checkpoint.floats(f"{name}.weight", (width,)), epsilon or self.config.norm_epsilon)

    def _linear(self, layer: int, linear: LinearShape, name: str, weight: str | None = None) -> LinearLayer:
        weights: MatmulWeights | GroupedWeights | Float32s
        norm, factor = None, np.ones(1, np.float32)
        if not self.config.quantised(name):
            values = self.checkpoint.floats(f"{name}.weight", (linear.out_features, linear.in_features))
            weights, zero = np.ascontiguousarray(values.T), not values.any()
        else:
            groups, stored = self._weights.read(name, linear, weight)
            parts = tuple(MatmulWeights(group) for group in groups)
            weights = parts[0] if len(parts) == 1 else GroupedWeights(parts)
            zero = not any(group.codes.any() and group.scale.any() for group in groups)
            # transformers' AutoBitLinear multiplies the bias, too, by the stored scale
            factor = stored if self.config.scheme.bias_is_scaled else factor
            if self.config.scheme.norm_epsilon is not None:
                norm = self._norm(f"{name}.rms_norm", linear.in_features, self.config.scheme.norm_epsilon)
        if zero:
            self.warn(f"{self.checkpoint.file}: {name}.weight is zero everywhere")
        bias = self.checkpoint.floats(f"{name}.bias", (linear.out_features,)) * factor if linear.bias else None
        return LinearLayer(layer, linear.component, weights, bias, norm)

    @property
    def _weights(self) -> WeightReader:
        return WeightReader(self.config.scheme, self.checkpoint)

    @property
    def _embedding_name(self) -> str:
        """The embedding, or a tied head that stands for it, as transformers ties them either way."""
        stored, head = f"{_EMBEDDING}.weight", f"{_HEAD}.weight"
        if not self.config.shape.tied_embedding or stored in self.checkpoint or head not in self.checkpoint:
            return stored
        return head if self.checkpoint.dtype(head) in FLOATS else stored

    @property
    def _head_is_embedding(self) -> bool:
        """Whether the head has no tensor of its own."""
        head = f"{_HEAD}.weight"
        return self.config.shape.tied_embedding and (head not in self.checkpoint or self._embedding_name == head)

    def _same_as_embedding(self, name: str) -> bool:
        if self.checkpoint.dtype(name) not in FLOATS:
            return False
        rows, read = self.config.shape.vocabulary, self.checkpoint.float_rows
        parts = [(start, min(start + _ROWS, rows)) for start in range(0, rows, _ROWS)]
        return all(np.array_equal(read(name, *part), read(self._embedding_name, *part)) for part in parts)

    @property
    def _head_shape(self) -> LinearShape:
        return LinearShape(_HEAD, self.config.shape.hidden, self.config.shape.vocabulary, bias=False, uses=1)

    def _norm_names(self, index: int) -> dict[str, tuple[str, int]]:
        shape, layer = self.config.shape, f"model.layers.{index}"
        names = {
            "attention": (f"{layer}.input_layernorm", shape.hidden),
            "ffn": (f"{layer}.post_attention_layernorm", shape.hidden),
        }
        if shape.qk_norm:
            names |= {place: (f"{layer}.self_attn.{place[0]}_norm", shape.head_dim) for place in ("query", "key")}
        if shape.sub_norm:
            attention, ffn = self.config.sub_norms
            names["attention_sub"] = f"{layer}.self_attn.{attention}", shape.heads * shape.head_dim
            names["ffn_sub"] = f"{layer}.mlp.{ffn}", shape.ffn
        return names

    def _check_linear(self, name: str, linear: LinearShape) -> None:
        if self.config.quantised(name):
            self._weights.check(name, linear)
        else:
            self.checkpoint.check(f"{name}.weight", (linear.out_features, linear.in_features), FLOATS)
        if linear.bias:
            self.checkpoint.check(f"{name}.bias", (linear.out_features,), FLOATS)
