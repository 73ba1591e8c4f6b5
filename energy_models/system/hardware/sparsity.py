"""Products that a matmul takes besides, or less than, one for each weight: planes, and zeros that an array skips."""

from typing import NamedTuple

from bitjoule.energy_models.formats.storage import Storage
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem
from bitjoule.energy_models.system.platform.array_schema import Macs


class Density(NamedTuple):
    """Products of a matmul for each weight of the matrix and row of inputs.

    Parameters
    ----------
    weights
        Of its planes and, where an array skips them, without those of weights that are zero by construction.
    inputs
        Share of the inputs that the array computes with.
    """

    weights: float = 1.0
    inputs: float = 1.0

    @property
    def products(self) -> float:
        """Of both."""
        return self.weights * self.inputs

    def weight_share(self, rows: float) -> float:
        """Return the weights that a step reads, over those of the rows of inputs that one token has.

        A step reads a weight if its input is not zero in at least one of the step's rows, which are taken as
        independent: 1 - (1 - a)^m of them, where a row has a share a.

        Parameters
        ----------
        rows
            Of inputs.
        """
        return 1.0 if self.inputs == 1 else float((1 - (1 - self.inputs) ** max(rows, 1)) / self.inputs)

    def of(self, problem: MatmulProblem, rows: float) -> MatmulProblem:
        """Return a matmul in which a token's weights cost what the step's do.

        Parameters
        ----------
        problem
            With the costs of a token's weights.
        rows
            Of inputs.
        """
        share, costs = self.weight_share(rows), problem.costs
        moved = costs._replace(weight_fill_pj=costs.weight_fill_pj * share, weight_load_pj=costs.weight_load_pj * share)
        weights = problem.weights._replace(bits=problem.weights.bits * share)
        return problem._replace(weights=weights, costs=moved)


DENSE = Density()


def density(storage: Storage, active_inputs: float, macs: Macs) -> Density:
    """Return the products that an array computes.

    Parameters
    ----------
    storage
        How the weights are stored.
    active_inputs
        Share of the inputs that are not zero.
    macs
        Of the array.
    """
    nonzero = storage.nonzero if "weights" in macs.skips else 1.0
    return Density(storage.planes * nonzero, active_inputs if "inputs" in macs.skips else 1.0)
