"""Indexers of sparse attention: small heads that score all tokens before a query and choose some, or blocks of them.

A query attends to the chosen tokens alone. Its layer's cache holds the indexer's key of each token, too; a layer may
take the choice of another.

References
----------
DeepSeek-AI, "DeepSeek-V3.2: Pushing the Frontier of Open Large Language Models", arXiv:2512.02556, section 2.1; for
blocks the modeling module of MiniMax-M3 in transformers, wolf2020transformers.
"""

from typing import NamedTuple

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, MatmulSizes, Product
from bitjoule.energy_models.inputs.validation import Strict
from bitjoule.energy_models.system.work.steps import MatmulKind

MOST = 10**7


def _scores(width: int, heads: int) -> Product:
    def sizes(at: At) -> MatmulSizes:
        m = at.queries * heads
        return MatmulSizes(m, np.full_like(m, width), at.context, at.repeats * at.batch)

    return Product("index_scores", MatmulKind.SCORES, sizes, over_context=False)


def _pairs(at: At) -> Floats:
    return at.batch * at.queries * at.repeats * at.context


class Indexer(NamedTuple):
    """An indexer that chooses tokens.

    Parameters
    ----------
    query_rank
        Width of the latent of queries that it takes.
    heads, width
        Its heads, which share one key for each token; their width.
    """

    query_rank: int
    heads: int
    width: int

    def matmuls(self, hidden: int) -> tuple[Linear | Product, ...]:
        """Return its projections, of queries, keys and weights of the heads, and its scores.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        """
        return (
            Linear("index_q_proj", self.query_rank, self.heads * self.width, False, 1),
            Linear("index_k_proj", hidden, self.width, False, 1, MatmulKind.KV_PROJECTION),
            Linear("index_q_proj", hidden, self.heads, False, 1),
            _scores(self.width, self.heads),
        )

    @property
    def work(self) -> tuple[Elementwise, ...]:
        """The sum over its heads, the choice, the norm and the rotations."""
        values = (self.heads + 1) * self.width
        return (
            Elementwise("index_choice", "index_weight", lambda at: _pairs(at) * self.heads),
            Elementwise("index_choice", "index_top", _pairs),
            Elementwise("norm", "layernorm", lambda at: at.tokens * self.width),
            Elementwise("rotary", "rotary", lambda at: at.tokens * values),
        )

    @property
    def stored(self) -> int:
        """Values of the norm of its keys."""
        return 2 * self.width


class BlockIndexer(Strict):
    """An indexer that chooses blocks of keys, one choice for each of its heads (MiniMax-M3).

    Parameters
    ----------
    heads, width
        Its heads, which share one key for each token, and choose for a share of the heads of keys and values each;
        their width.
    block, top
        Keys of a block; how many blocks a query attends to, its own among them.
    """

    heads: int = Field(ge=1, le=MOST)
    width: int = Field(ge=1, le=MOST)
    block: int = Field(ge=1, le=MOST)
    top: int = Field(ge=1, le=MOST)

    def matmuls(self, hidden: int) -> tuple[Linear | Product, ...]:
        """Return its projections, of queries and keys, and its scores.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        """
        return (
            Linear("index_q_proj", hidden, self.heads * self.width, False, 1),
            Linear("index_k_proj", hidden, self.width, False, 1, MatmulKind.KV_PROJECTION),
            _scores(self.width, self.heads),
        )

    def work(self, norm: str, rotary_share: float) -> tuple[Elementwise, ...]:
        """Return the maximum of each block, the choice, the norms and the rotations.

        Parameters
        ----------
        norm, rotary_share
            Kind of norm; share of each head that positions rotate.
        """
        values = (self.heads + 1) * self.width
        work = (
            Elementwise("index_choice", "pooling", lambda at: _pairs(at) * self.heads),
            Elementwise("index_choice", "index_top", lambda at: _pairs(at) * self.heads / self.block),
            Elementwise("norm", norm, lambda at: at.tokens * values),
        )
        rotations = Elementwise("rotary", "rotary", lambda at: at.tokens * (values * rotary_share))
        return (*work, rotations) if rotary_share else work
