"""Walsh-Hadamard rotations of the inputs of linears, which spread outliers over all values before these are quantised.

A fast transform of a power of two is log2 n passes of n additions. Other widths n = K 2^k take the smallest K for
which there is a Hadamard matrix: k passes, then the product with a K x K matrix of signs, K - 1 additions for each
value. The division by sqrt(n) joins the scales.

References
----------
Ashkboos et al., "QuaRot: Outlier-Free 4-Bit Inference in Rotated LLMs", arXiv:2404.00456, section 3 and appendix;
Tseng et al., "QuIP#: Even Better LLM Quantization with Hadamard Incoherence and Lattice Codebooks", arXiv:2402.04396,
section 3; Kharaghani and Tayfeh-Rezaie, "A Hadamard matrix of order 428", Journal of Combinatorial Designs 13 (2005):
every multiple of 4 below 668 is the order of a Hadamard matrix.
"""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part
from bitjoule.energy_models.inputs.validation import Strict

FIRST_UNKNOWN_ORDER = 668
# Linears that take the same values: these are rotated once, however many experts take them.
SHARED_INPUTS = {
    "q_proj": "attention", "k_proj": "attention", "v_proj": "attention", "in_proj": "attention", "ffn_gate": "ffn",
    "ffn_up": "ffn",
}  # fmt: skip


def hadamard_additions(width: int) -> int | None:
    """Return the additions of one rotation, or none if no Hadamard matrix of that order is known.

    Parameters
    ----------
    width
        Values that are rotated together.
    """
    passes = (width & -width).bit_length() - 1  # of a fast transform, if the rest is 1
    order = width >> passes
    if order > 1:
        if passes < 2 or 4 * order >= FIRST_UNKNOWN_ORDER:
            return None
        order, passes = 4 * order, passes - 2
    return width * (passes + order - 1)


class Hadamard(Strict):
    """Rotations of the inputs of a layer's linears.

    Parameters
    ----------
    on
        Components of these linears.
    block
        Values that are rotated together; 0 for all inputs of a linear.
    """

    on: list[str] = Field(min_length=1)
    block: int = Field(default=0, ge=0, le=10**7)

    def rotated(self, part: Part) -> Iterator[tuple[str, int, int]]:
        """Yield each vector of a token that is rotated: the component that takes it, its width, and how many there are.

        Parameters
        ----------
        part
            Of a layer.
        """
        seen = set()
        for matmul in part.matmuls:
            if not isinstance(matmul, Linear) or matmul.component not in self.on:
                continue
            shared = SHARED_INPUTS.get(matmul.component)
            if shared is None:
                yield matmul.component, matmul.in_features, matmul.uses
            elif (shared, matmul.in_features) not in seen:
                seen.add((shared, matmul.in_features))
                yield matmul.component, matmul.in_features, 1

    def additions(self, width: int) -> int | None:
        """Return the additions for a vector, or none if it cannot be rotated.

        Parameters
        ----------
        width
            Of the vector.
        """
        block = self.block or width
        each = hadamard_additions(block)
        return None if each is None or width % block else each * (width // block)

    def of(self, part: Part) -> Part:
        """Return a part with its rotations.

        Parameters
        ----------
        part
            Of a layer.
        """
        vectors = [(width, count) for _, width, count in self.rotated(part)]
        if not vectors:
            return part
        values = sum(width * count for width, count in vectors)
        additions = sum((self.additions(width) or 0) * count for width, count in vectors)
        work = (
            Elementwise("rotation", "hadamard_add", lambda at: at.tokens * additions),
            Elementwise("rotation", "hadamard_pass", lambda at: at.tokens * values),
        )
        return replace(part, elementwise=(*part.elementwise, *work))
