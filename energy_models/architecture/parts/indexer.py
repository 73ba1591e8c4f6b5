"""The indexer of sparse attention (DeepSeek-V3.2): small heads that score all tokens before a query and choose some.

A query attends to the chosen tokens alone. Its layer's cache holds the indexer's key of each token, too; a layer may
take the choice of another.

References
----------
DeepSeek-AI, "DeepSeek-V3.2: Pushing the Frontier of Open Large Language Models", arXiv:2512.02556, section 2.1.
"""

from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, MatmulSizes, Product
from bitjoule.energy_models.system.work.steps import MatmulKind


class Indexer(NamedTuple):
    """An indexer.

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
            Product("index_scores", MatmulKind.SCORES, self._scores, over_context=False),
        )

    def _scores(self, at: At) -> MatmulSizes:
        m = at.queries * self.heads
        return MatmulSizes(m, np.full_like(m, self.width), at.context, at.repeats * at.batch)

    def _pairs(self, at: At) -> Floats:
        return at.batch * at.queries * at.repeats * at.context

    @property
    def work(self) -> tuple[Elementwise, ...]:
        """The sum over its heads, the choice, the norm and the rotations."""
        values = (self.heads + 1) * self.width
        return (
            Elementwise("index_choice", "index_weight", lambda at: self._pairs(at) * self.heads),
            Elementwise("index_choice", "index_top", self._pairs),
            Elementwise("norm", "layernorm", lambda at: at.tokens * self.width),
            Elementwise("rotary", "rotary", lambda at: at.tokens * values),
        )

    @property
    def stored(self) -> int:
        """Values of the norm of its keys."""
        return 2 * self.width
