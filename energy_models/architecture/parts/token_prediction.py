"""Modules that predict further tokens (multi-token prediction, MTP), each a layer over the states of the one before.

A module takes a token's state and the embedding of the next token, each normed, projects them together to the width
of the residual stream, and has a layer and a last norm of its own. Embedding and LM head are the model's.

References
----------
DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv:2412.19437, section 2.2.
"""

from collections.abc import Sequence

from bitjoule.energy_models.architecture.block import Block, Elementwise, Linear, Part
from bitjoule.energy_models.architecture.parts import transformer


def modules(hidden: int, vocabulary: int, norm: transformer.Norm, layer: Sequence[Part], repeats: int) -> Block:
    """Return the modules of a model.

    Parameters
    ----------
    hidden, vocabulary
        Size of the embedding.
    norm
        The model's norms.
    layer
        Parts of the layer inside.
    repeats
        How many modules there are.
    """
    first = Part(
        matmuls=(Linear("mtp_proj", 2 * hidden, hidden, False, 1),),
        elementwise=(
            Elementwise("embedding", "embedding", lambda at: at.tokens * hidden),
            Elementwise("norm", norm.kind, lambda at: at.tokens * 2 * hidden),
            Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * 2 * hidden * at.quantises),
        ),
        stored=(("other", 2 * norm.values(hidden)),),
        embedded=hidden,
        activations_read=lambda _: 2 * hidden,
        residual_written=lambda _: hidden,
        inputs_written=lambda _: 2 * hidden,
        live=3 * hidden,
    )
    last = transformer.head(hidden, vocabulary, norm=norm, tied=True)
    return Block((first, *layer, last), repeats)
