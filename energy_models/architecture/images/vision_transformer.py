"""A vision transformer: patches of an image as the tokens of an encoder without a mask, and a head on one of them."""

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from bitjoule.energy_models.architecture.block import (
    At,
    Block,
    Elementwise,
    Form,
    Linear,
    Part,
    Product,
    stored_values,
)
from bitjoule.energy_models.architecture.images import convolution
from bitjoule.energy_models.architecture.images.convolution import FeatureMap, Window
from bitjoule.energy_models.architecture.images.convolutional import MAX_PARAMETERS, Image
from bitjoule.energy_models.architecture.layers import MAX_DIMENSION, Dimension
from bitjoule.energy_models.architecture.parts import transformer
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

NORM = transformer.Norm("layernorm")


def of_images(part: Part, tokens: int) -> Part:
    """Return a part of an encoder as one of images: each is so many tokens, all of which attend to each other.

    Parameters
    ----------
    part
        Of a transformer.
    tokens
        Of an image.
    """

    def inside(at: At) -> At:
        rows = at.rows * tokens
        every = np.full_like(rows, tokens)
        return at._replace(rows=rows, context=every, queries=every, tokens=at.tokens * tokens)

    def of_image(form: Form) -> Form:
        return lambda at: np.asarray(form(inside(at))) * tokens

    def of_all(form: Form) -> Form:
        return lambda at: form(inside(at))

    def matmul_of(matmul: Linear | Product) -> Linear | Product:
        if isinstance(matmul, Linear):
            return matmul._replace(rows=tokens)
        return matmul._replace(sizes=lambda at: matmul.sizes(inside(at)))

    return replace(
        part,
        matmuls=tuple(map(matmul_of, part.matmuls)),
        elementwise=tuple(work._replace(elements=of_all(work.elements)) for work in part.elementwise),
        cached=part.cached * tokens,
        keeps=False,
        activations_read=of_image(part.activations_read),
        residual_written=of_image(part.residual_written),
        inputs_written=of_image(part.inputs_written),
        live=part.live * tokens,
    )


class VisionTransformerShape(Strict):
    """A vision transformer (ViT), an encoder over the patches of an image.

    Parameters
    ----------
    kind
        What tells it from other models.
    image, patch
        What it takes; height and width of a patch. Rows and columns that make no whole patch are left out.
    layers, hidden, heads, ffn, activation
        As of `ModelShape`; two matrices in the feed-forward network, norms before it and before attention.
    qkv_bias
        Whether queries, keys and values have biases; all other linears have.
    class_token
        Whether a learned token joins the patches.
    pooler
        Outputs of a fully connected layer with tanh on one token; 0 for none.
    outputs
        Of the classifier on one token; 0 for none.
    family, source, where, note
        As of `ModelShape`.
    """

    kind: Literal["vision_transformer"]
    image: Image
    patch: PositiveInt = Field(le=10_000)
    layers: Dimension = Field(le=10_000)
    hidden: Dimension = Field(le=MAX_DIMENSION)
    heads: Dimension = Field(le=MAX_DIMENSION)
    ffn: Dimension = Field(le=MAX_DIMENSION)
    activation: Literal["relu", "relu2", "gelu", "silu"] = "gelu"
    qkv_bias: bool = True
    class_token: bool = True
    pooler: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    outputs: int = Field(default=0, ge=0, le=MAX_DIMENSION)
    family: str = ""
    source: str = ""
    where: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.hidden % self.heads:
            wrong = f"hidden ({self.hidden}) is not a multiple of heads ({self.heads})"
            raise wrong_value(wrong, "a divisor of hidden", "heads")
        if self.patch > min(self.image.height, self.image.width):
            wrong = f"patches of {self.patch} in an image of {self.image.height} x {self.image.width}"
            raise wrong_value(wrong, "smaller patches", "patch")
        if self.image.channels * self.patch**2 > MAX_DIMENSION:
            wrong = f"patches of {self.image.channels} x {self.patch} x {self.patch} values"
            raise wrong_value(wrong, f"at most {MAX_DIMENSION}", "patch")
        if self.parameters > MAX_PARAMETERS:
            raise wrong_value(f"a model of {self.parameters} parameters", f"at most {MAX_PARAMETERS}")
        return self

    @property
    def tokens(self) -> int:
        """Tokens of an image: its patches, and the class token."""
        return self._patches.positions + self.class_token

    @property
    def _patches(self) -> FeatureMap:
        return Window(self.patch, self.patch).over(self._pixels, self.hidden)

    @property
    def _pixels(self) -> FeatureMap:
        return FeatureMap(self.image.channels, self.image.height, self.image.width)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the model consists of: embedding of the patches, encoder layers, norm and heads."""
        hidden, tokens = self.hidden, self.tokens
        window = Window(self.patch, self.patch)
        patches = convolution.convolution(self._pixels, self._patches, window, bias=True, full_precision=True)
        positions = Part(
            elementwise=(Elementwise("residual", "residual", lambda at: at.tokens * (tokens * hidden)),),
            stored=(("other", hidden * (tokens + self.class_token)),),
        )
        layer = (
            transformer.attention(
                hidden, self.heads, self.heads, hidden // self.heads, norm=NORM, qkv_bias=self.qkv_bias,
                output_bias=True, rotary_share=0.0, causal=False,
            ),
            transformer.feed_forward(hidden, self.ffn, self.activation, gated=False, norm=NORM, bias=True),
        )  # fmt: skip
        norm = Part(
            elementwise=(Elementwise("norm", NORM.kind, lambda at: at.tokens * hidden),),
            stored=(("other", NORM.values(hidden)),),
        )
        heads = [convolution.classifier(hidden, self.pooler, activation="tanh")] if self.pooler else []
        heads += [convolution.classifier(hidden, self.outputs)] if self.outputs else []
        return (
            Block((patches, positions)),
            Block(tuple(of_images(part, tokens) for part in layer), self.layers),
            Block((of_images(norm, tokens), *heads)),
        )

    @property
    def parameters(self) -> int:
        """All trainable values: linears, biases, norms, class token and positions."""
        return sum(stored_values(self.blocks).values())
