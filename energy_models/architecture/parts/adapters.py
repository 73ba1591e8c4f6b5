"""Low-rank adapters beside linears (LoRA): y = W x + s B A x, with two narrow matrices A and B.

References
----------
Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1.
"""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part, Product
from bitjoule.energy_models.inputs.validation import Strict
from bitjoule.energy_models.system.work.steps import MatmulKind


class Adapters(Strict):
    """Low-rank adapters of a layer. The scheme's `adapter` says how they are stored.

    Parameters
    ----------
    rank
        Outputs of A and inputs of B.
    on
        Components whose linears have them, or all of the layer but its router.
    """

    rank: PositiveInt = Field(le=10**6)
    on: Literal["all"] | Annotated[list[str], Field(min_length=1)] = "all"

    def chosen(self, linear: Linear | Product) -> bool:
        """Return whether a matmul has an adapter.

        Parameters
        ----------
        linear
            A matmul of the layer.
        """
        return (
            isinstance(linear, Linear)
            and linear.kind.role == "linear"
            and (self.on == "all" or linear.component in self.on)
        )

    def beside(self, part: Part) -> Part:
        """Return a part with its adapters.

        Each expert has its own. B's outputs join those of the linear on chip; only A's inputs are read once more.

        Parameters
        ----------
        part
            Of a layer.
        """
        chosen = [matmul for matmul in part.matmuls if isinstance(matmul, Linear) and self.chosen(matmul)]
        if not chosen:
            return part
        matmuls: list[Linear | Product] = []
        for matmul in part.matmuls:
            matmuls.append(matmul)
            if isinstance(matmul, Linear) and self.chosen(matmul):
                matmuls += self._pair(matmul)
        summed = sum(linear.out_features * linear.uses for linear in chosen)
        work = Elementwise("lora_sum", "adapter_sum", lambda at: at.tokens * summed)
        return replace(
            part,
            matmuls=tuple(matmuls),
            elementwise=(*part.elementwise, work),
            live=part.live + self.rank * max(linear.uses for linear in chosen),
        )

    def _pair(self, linear: Linear) -> tuple[Linear, Linear]:
        uses, copies = linear.uses, linear.copies
        return (
            Linear("lora_a", linear.in_features, self.rank, False, uses, MatmulKind.ADAPTER_DOWN, copies, "adapters"),
            Linear("lora_b", self.rank, linear.out_features, False, uses, MatmulKind.ADAPTER_UP, copies, "adapters"),
        )
