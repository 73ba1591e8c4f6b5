"""The shape of a transformer: what decides how many operations and bytes a pass takes."""

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, PositiveInt, model_validator

from bitjoule.energy_models.architecture import transformer
from bitjoule.energy_models.architecture.block import Block, Linear, stored_values
from bitjoule.energy_models.inputs.documents import Document, read_document
from bitjoule.energy_models.inputs.plugins import with_contributed
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate, wrong_value

Dimension = PositiveInt
MAX_DIMENSION = 10**7
MAX_PARAMETERS = 10**18  # below 2**63, and every count of operations a finite float64


def _defaults_are_optional(schema: dict[str, Any]) -> None:
    """Mark the two keys whose default depends on others as optional in the JSON Schema."""
    schema["required"] = [key for key in schema["required"] if key not in ("kv_heads", "head_dim")]


class ModelShape(Strict):
    """A decoder-only transformer's dimensions.

    Parameters
    ----------
    layers, hidden
        Number of blocks; width d of the residual stream.
    heads, kv_heads, head_dim
        Query heads; key and value heads (default: `heads`); width of one head (default: hidden / heads).
    ffn, ffn_gated
        Inner width; whether there are three matrices (gate, up, down) instead of two.
    activation
        The function inside the FFN.
    vocabulary, tied_embedding
        Rows of the embedding; whether the LM head is the same matrix.
    qkv_bias, output_bias, ffn_bias
        Which linears have biases.
    norm, sub_norm, post_norm, qk_norm
        Kind of norm; further norms before the output and down projections (SubLN), after attention and FFN, and on
        queries and keys.
    learned_positions
        Rows of a learned position table, 0 for rotary positions.
    causal
        Whether a token attends to those before it and itself only, so that machines may skip the other pairs.
    window
        Tokens that some layers attend to at most, 0 for all. Windows are not modelled: a run of a longer request warns.
    experts, active_experts
        FFNs in a block, and how many of them a token uses.
    family
        Models of one style and training; plots connect their points.
    source, where, note
        Citation key, the place in it, and what was inferred.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_defaults_are_optional)

    layers: Dimension = Field(le=MAX_DIMENSION)
    hidden: Dimension = Field(le=MAX_DIMENSION)
    heads: Dimension = Field(le=MAX_DIMENSION)
    kv_heads: Dimension = Field(le=MAX_DIMENSION)
    head_dim: Dimension = Field(le=MAX_DIMENSION)
    ffn: Dimension = Field(le=MAX_DIMENSION)
    ffn_gated: bool
    activation: Literal["relu", "relu2", "gelu", "silu"]
    vocabulary: Dimension = Field(le=MAX_DIMENSION)
    tied_embedding: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    sub_norm: bool = False
    post_norm: bool = False
    qk_norm: bool = False
    learned_positions: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    causal: bool = True
    window: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    experts: Dimension = Field(default=1, le=MAX_DIMENSION)
    active_experts: Dimension = Field(default=1, le=MAX_DIMENSION)
    family: str = ""
    source: str = ""
    where: str = ""
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _derived_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        hidden, heads = data.get("hidden"), data.get("heads")
        data.setdefault("kv_heads", heads)
        if "head_dim" not in data and type(hidden) is int and type(heads) is int and heads > 0:
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
        if self.parameters > MAX_PARAMETERS:
            raise wrong_value(f"a model of {self.parameters} parameters", f"at most {MAX_PARAMETERS}")
        return self

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the model consists of, in the order it runs."""
        embedding = transformer.embedding(self.hidden, self.vocabulary, self.learned_positions)
        attention = transformer.attention(
            self.hidden, self.heads, self.kv_heads, self.head_dim, norm=self.norm, qkv_bias=self.qkv_bias,
            output_bias=self.output_bias, sub_norm=self.sub_norm, post_norm=self.post_norm, qk_norm=self.qk_norm,
            rotary=not self.learned_positions, causal=self.causal,
        )  # fmt: skip
        ffn = transformer.feed_forward(
            self.hidden, self.ffn, self.activation, gated=self.ffn_gated, norm=self.norm, bias=self.ffn_bias,
            sub_norm=self.sub_norm, post_norm=self.post_norm, experts=self.experts, active=self.active_experts,
        )  # fmt: skip
        head = transformer.head(self.hidden, self.vocabulary, norm=self.norm, tied=self.tied_embedding)
        return Block((embedding,)), Block((attention, ffn), self.layers), Block((head,))

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


@cache
def presets() -> dict[str, ModelShape]:
    """Return every model that ships or that a package contributes (entry points ``bitjoule.models``), by name.

    Raises
    ------
    InputError
        A file of data/models is wrong.
    PluginError
        What a package contributes is wrong.
    """
    shapes: dict[str, ModelShape] = {}
    for path in sorted((DATA / "models").glob("*.yaml")):
        shapes |= _family(path)
    return with_contributed("bitjoule.models", "model", shapes, _family)


def _family(path: Path) -> dict[str, ModelShape]:
    """Return the models of a file, by name."""
    document = read_document(path)
    family = validate(_Family, document)
    cited = {"family": family.family, "source": family.source, "where": family.where, "note": family.note}
    return {
        name: shape_from(document, {**cited, **family.defaults, **dimensions}, ("models", name))
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
