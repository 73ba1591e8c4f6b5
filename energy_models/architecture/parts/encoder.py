"""What encoders have besides layers: segments, a pooler, a transform before the LM head (BERT).

References
----------
Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", arXiv:1810.04805.
"""

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part
from bitjoule.energy_models.architecture.parts.transformer import Norm
from bitjoule.energy_models.system.work.steps import MatmulKind


def segments(hidden: int, kinds: int) -> Part:
    """Return the embedding of the segment that a token belongs to.

    Parameters
    ----------
    hidden, kinds
        Size of its table.
    """
    return Part(
        elementwise=(Elementwise("embedding", "residual", lambda at: at.tokens * hidden),),
        stored=(("other", kinds * hidden),),
    )


def pooler(hidden: int) -> Part:
    """Return the linear and the tanh that make one vector of a sequence, from that of its first token.

    Parameters
    ----------
    hidden
        Width of the residual stream.
    """
    return Part(
        matmuls=(Linear("pooler", hidden, hidden, True, 1, MatmulKind.HEAD, stored_as="lm_head"),),
        elementwise=(Elementwise("activation_function", "tanh", lambda at: at.outputs * at.repeats * hidden),),
    )


def head_transform(hidden: int, norm: Norm, activation: str, *, bias: bool = True) -> Part:
    """Return the linear, the function and the norm before an LM head, of the tokens that the head runs for.

    Parameters
    ----------
    hidden
        Width of the residual stream.
    norm, activation
        Its norm; its function.
    bias
        Whether the linear has one.
    """
    return Part(
        matmuls=(Linear("head_transform", hidden, hidden, bias, 1, MatmulKind.HEAD, stored_as="lm_head"),),
        elementwise=(
            Elementwise("activation_function", activation, lambda at: at.outputs * at.repeats * hidden),
            Elementwise("norm", norm.kind, lambda at: at.outputs * at.repeats * hidden),
        ),
        stored=(("other", norm.values(hidden)),),
    )
