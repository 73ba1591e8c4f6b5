"""One layer of a model as data: its keys, and the parts that they describe."""

from typing import Any, Literal, Self

from pydantic import (
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)

from bitjoule.energy_models.architecture.block import Part
from bitjoule.energy_models.architecture.layer_numbers import SPANS
from bitjoule.energy_models.architecture.parts import latent_attention, transformer
from bitjoule.energy_models.architecture.parts.adapters import Adapters
from bitjoule.energy_models.architecture.parts.indexer import BlockIndexer
from bitjoule.energy_models.architecture.parts.latent_attention import LatentAttention
from bitjoule.energy_models.architecture.parts.mixers import Mixer, NoMixer
from bitjoule.energy_models.architecture.parts.rotations import Hadamard
from bitjoule.energy_models.architecture.parts.state_space import Mamba2
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

Dimension = PositiveInt
MAX_DIMENSION = 10**7


class LayerShape(Strict):
    """A transformer layer: attention, then a feed-forward network or a mixture of them.

    Parameters
    ----------
    heads, kv_heads, head_dim, value_dim
        Query heads; key and value heads (default: `heads`); width of one head (default: hidden / heads), and of its
        values, 0 for the same.
    mixer, beside
        What stands in place of attention, which the keys above and below describe; a state space beside it, on the same
        normed input, whose output joins the same residual stream (Falcon-H1).
    window, chunked
        Tokens that a query attends to, its own included; 0 for all before it. Whether these are the tokens of its own
        chunk of so many.
    indexer
        Small heads that choose the blocks of keys which a query attends to.
    kv_cache
        Whether keys and values stay for later tokens, as an encoder's do not.
    kv_shared
        Whether attention reads the keys and values of a layer before it, and makes none.
    values_are_keys, value_norm
        Whether the projection of keys gives the values, too; whether these are normed.
    sinks
        Whether each head has a learned logit beside those of the keys.
    output_gate
        Whether the heads' outputs are multiplied with a gate of their own projection; with one value for each `head`.
    rotary_share
        Share of each head that rotary positions rotate; 0 for a layer without positions.
    qkv_bias, output_bias, ffn_bias
        Which linears have biases.
    pre_norm, sub_norm, post_norm, qk_norm, linear_norm
        Norms before attention and FFN; before the output and down projections (SubLN); after attention and FFN; on
        queries and keys, with one gain for all heads (true), over the `width` of all or `plain`, without gains; before
        every projection.
    attention_norm
        Whether the norm before attention is there, where layers have such norms.
    parallel
        Whether attention and FFN take the same normed input.
    feed_forward
        Whether there is a network behind the attention; one matrix in its place (`linear`).
    ffn, ffn_gated, activation
        Its inner width; whether there are three matrices (gate, up, down) instead of two; the function inside.
    experts, active_experts, expert_ffn
        FFNs of a mixture, how many of them a token uses, and their inner width (default: `ffn`).
    expert_latent
        Width of a latent that the experts take and give in place of the residual stream's; 0 for none.
    shared_ffn, shared_gate
        Inner width of the experts that every token uses, together; whether a gate of one output scales theirs.
    branch_norms
        Whether shared networks and experts have norms of their own, and the router scales (Gemma 4).
    router_bias
        Whether the router has one.
    hadamard, adapters
        Walsh-Hadamard rotations before some linears, and low-rank adapters beside some.
    """

    heads: Dimension = Field(le=MAX_DIMENSION)
    kv_heads: Dimension = Field(le=MAX_DIMENSION)
    head_dim: Dimension = Field(le=MAX_DIMENSION)
    value_dim: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    mixer: Mixer | None = None
    beside: Mamba2 | None = None
    window: int = Field(default=0, ge=0, le=10**9)
    chunked: bool = False
    indexer: BlockIndexer | None = None
    kv_cache: bool = True
    kv_shared: bool = False
    values_are_keys: bool = False
    value_norm: bool = False
    sinks: bool = False
    output_gate: bool | Literal["head"] = False
    rotary_share: float = Field(default=1.0, ge=0, le=1)
    feed_forward: bool | Literal["linear"] = True
    ffn: Dimension = Field(le=MAX_DIMENSION)
    ffn_gated: bool
    activation: Literal["relu", "relu2", "gelu", "silu"]
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    pre_norm: bool = True
    attention_norm: bool = True
    sub_norm: bool = False
    post_norm: bool = False
    qk_norm: bool | Literal["width", "plain"] = False
    linear_norm: bool = False
    parallel: bool = False
    experts: Dimension = Field(default=1, le=MAX_DIMENSION)
    active_experts: Dimension = Field(default=1, le=MAX_DIMENSION)
    expert_ffn: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    expert_latent: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    shared_ffn: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    shared_gate: bool = False
    branch_norms: bool = False
    router_bias: bool = False
    hadamard: Hadamard | None = None
    adapters: Adapters | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.heads % self.kv_heads:
            raise wrong_value(
                f"heads ({self.heads}) is not a multiple of kv_heads ({self.kv_heads})",
                "a divisor of heads",
                "kv_heads",
            )
        if self.active_experts > self.experts:
            raise wrong_value(
                f"{self.active_experts} of {self.experts} experts are active", "at most all", "active_experts"
            )
        if self.values_are_keys and self.value_dim not in (0, self.head_dim):
            raise wrong_value("values that are keys, of another width", "head_dim, or 0", "value_dim")
        for key in ("window", "kv_shared"):
            if self.indexer and getattr(self, key):
                raise wrong_value(f"a {key} of attention with an indexer", "one of the two", key)
        if self.chunked and not self.window:
            raise wrong_value("chunks without a width", "window, the tokens of a chunk", "chunked")
        if self.expert_latent and self.experts == 1:
            raise wrong_value("a latent of experts without experts", "experts, how many", "expert_latent")
        if self.shared_gate and not self.shared_ffn:
            raise wrong_value("a gate without shared experts", "shared_ffn, the width of these", "shared_gate")
        if self.mixer and self.mixer.kind not in ("none", "hgrn"):  # whose norms are keys of its own
            norms = {
                "pre_norm": True,
                "sub_norm": False,
                "post_norm": False,
                "linear_norm": False,
                "attention_norm": True,
            }
            other = next((key for key, value in norms.items() if getattr(self, key) != value), None)
            if other:
                raise wrong_value(f"{other} of a layer with {self.mixer.kind}", "one norm, before the mixer", other)
        for key in ("window", "kv_shared", "beside", "value_dim", "indexer"):
            if self.mixer and getattr(self, key):
                raise wrong_value(f"{key} of a layer with {self.mixer.kind}", "one of the two", key)
        return self

    def parts(self, hidden: int, norm: transformer.Norm, *, rotary: bool, causal: bool) -> tuple[Part, ...]:
        """Return the layer's parts, in the order they run.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            Its norms.
        rotary
            Whether positions are rotations of queries and keys.
        causal
            Whether a mask hides the tokens after a query's own.
        """
        share = self.rotary_share if rotary else 0.0
        norms: dict[str, Any] = {
            "norm": norm, "pre_norm": self.pre_norm, "sub_norm": self.sub_norm, "post_norm": self.post_norm,
            "linear_norm": self.linear_norm,
        }  # fmt: skip
        first = {**norms, "pre_norm": self.pre_norm and self.attention_norm}
        if isinstance(self.mixer, LatentAttention):
            mixer = latent_attention.attention(
                hidden, self.heads, self.mixer, norm=norm, qkv_bias=self.qkv_bias, output_bias=self.output_bias,
                rotary=share > 0, rotated=self._rotates("o_proj"),
            )  # fmt: skip
        elif isinstance(self.mixer, NoMixer):
            mixer = None
        elif self.mixer:
            mixer = self.mixer.part(hidden, norm)
        else:
            mixer = transformer.attention(
                hidden, self.heads, self.kv_heads, self.head_dim, **first, qkv_bias=self.qkv_bias,
                output_bias=self.output_bias, qk_norm=self.qk_norm, rotary_share=share, causal=causal,
                window=self.window, sinks=self.sinks, output_gate=self.output_gate,
                rotated=self._rotates("o_proj"), kv_cache=self.kv_cache, kv_shared=self.kv_shared, chunked=self.chunked,
                values_are_keys=self.values_are_keys, value_norm=self.value_norm, value_dim=self.value_dim,
                indexer=self.indexer,
            )  # fmt: skip
        beside = self.beside.part(hidden, None) if self.beside else None
        if not self.feed_forward:
            return self._complete(mixer, beside)
        if self.feed_forward == "linear":
            return self._complete(mixer, beside, transformer.replacement("ffn_down", hidden, norm, bias=self.ffn_bias))
        norms["pre_norm"] = self.pre_norm and not self.parallel
        inner = (self.expert_ffn or self.ffn) if self.experts > 1 else self.ffn
        ffn = transformer.feed_forward(
            hidden, inner, self.activation, gated=self.ffn_gated, **norms, bias=self.ffn_bias, experts=self.experts,
            latent=self.expert_latent, active=self.active_experts, shared=self.shared_ffn, shared_gate=self.shared_gate,
            router_bias=self.router_bias, rotated=self._rotates("ffn_down"), branch_norms=self.branch_norms,
        )  # fmt: skip
        return self._complete(mixer, beside, ffn)

    def _rotates(self, component: str) -> bool:
        return self.hadamard is not None and component in self.hadamard.on

    def _complete(self, *parts: Part | None) -> tuple[Part, ...]:
        """Return the parts that there are, with their rotations and adapters."""
        present = [part for part in parts if part is not None]
        if self.hadamard:
            present = [self.hadamard.of(part) for part in present]
        if self.adapters:
            present = [self.adapters.beside(part) for part in present]
        return tuple(present)


_OPTIONAL: dict[str, Any] = {
    name: (field.rebuild_annotation(), None) for name, field in LayerShape.model_fields.items()
}
_Changes = create_model("_Changes", __base__=Strict, **_OPTIONAL)


class LayerGroup(_Changes):
    """Layers that are alike: how many, and which of the keys of `LayerShape` are not the model's.

    Parameters
    ----------
    repeats
        How many.
    layer_numbers
        Which of the model's layers they are, from 0, e.g. ``0-4,6-10``; default: groups follow each other.
    """

    repeats: Dimension = Field(le=MAX_DIMENSION)
    layer_numbers: str = Field(default="", max_length=10_000)

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if not self.layer_numbers:
            return self
        if not SPANS.fullmatch(self.layer_numbers):
            raise wrong_value(f"got {brief(self.layer_numbers)}", "numbers and spans, e.g. 0-4,6-10", "layer_numbers")
        spans = [span.partition("-") for span in self.layer_numbers.split(",")]
        count = sum(int(last or first) - int(first) + 1 for first, _, last in spans)
        if count != self.repeats:
            raise wrong_value(f"{count} layers", f"as many as repeats, {self.repeats}", "layer_numbers")
        return self

    @model_serializer(mode="wrap")
    def _written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what was not given: it is the model's."""
        return {name: value for name, value in dump(self).items() if name in self.model_fields_set}

    def changes(self) -> dict[str, Any]:
        """Return the keys that differ from the model's."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"repeats", "layer_numbers"}}
