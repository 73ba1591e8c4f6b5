"""Inputs of each layer by itself (Gemma 4, Gemma 3n): a second embedding with a row of all layers for each token.

References
----------
The modeling module of Gemma 4 in transformers, wolf2020transformers.
"""

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part
from bitjoule.energy_models.architecture.parts.transformer import Norm


def embedding(hidden: int, vocabulary: int, layers: int, width: int, norm: Norm) -> Part:
    """Return the second embedding, and the projection of the first that joins it.

    Parameters
    ----------
    hidden, vocabulary, layers
        Width of the residual stream; rows of the table; layers.
    width
        Of an input of one layer.
    norm
        Of the projected inputs, with one gain for all layers.
    """
    every = layers * width
    return Part(
        matmuls=(Linear("layer_input_proj", hidden, every, False, 1),),
        elementwise=(
            Elementwise("embedding", "embedding", lambda at: at.tokens * every),
            Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * hidden * at.quantises),
            Elementwise("norm", norm.kind, lambda at: at.tokens * every),
            Elementwise("residual", "residual", lambda at: at.tokens * every),
        ),
        stored=(("embedding", vocabulary * every), ("other", norm.values(width))),
        embedded=every,
        activations_read=lambda _: hidden + every,
        inputs_written=lambda _: hidden,
        residual_written=lambda _: every,
        live=hidden + 2 * every,
    )


def layer(hidden: int, width: int, activation: str, norm: Norm) -> Part:
    """Return what a layer does with its input, behind its feed-forward network.

    Parameters
    ----------
    hidden, width
        Widths of the residual stream and of the input.
    activation
        The function of the gate.
    norm
        Of the result.
    """
    return Part(
        matmuls=(
            Linear("layer_input_gate", hidden, width, False, 1),
            Linear("layer_input_proj", width, hidden, False, 1),
        ),
        elementwise=(
            Elementwise("activation_function", activation, lambda at: at.tokens * width),
            Elementwise("activation_function", "gate", lambda at: at.tokens * width),
            Elementwise(
                "activation_quantisation", "quantisation", lambda at: at.tokens * (hidden + width) * at.quantises
            ),
            Elementwise("norm", norm.kind, lambda at: at.tokens * hidden),
            Elementwise("residual", "residual", lambda at: at.tokens * hidden),
        ),
        stored=(("other", norm.values(hidden)),),
        activations_read=lambda _: 2 * hidden + 2 * width,
        residual_written=lambda _: hidden,
        inputs_written=lambda _: hidden + width,
        live=2 * hidden + 2 * width,
    )
