"""Keys of a platform for machines as people run them: times beside the counted work, and what a meter sees.

A platform without them counts as if they did not exist.
"""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.inputs.amounts import MAX_PRICE
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, wrong_value

MAX_US = 1e9
MAX_RATE = 1e18


class Overheads(Strict):
    """Times that no counted work explains, each 0 by default."""

    step_us: float = Field(default=0.0, ge=0, le=MAX_US, description="of each step, whatever it computes")
    request_us: float = Field(
        default=0.0, ge=0, le=MAX_US, description="of each sequence in each step: scheduling, sampling"
    )
    matmul_us: float = Field(
        default=0.0, ge=0, le=MAX_US,
        description="of each matrix of linears, routers and LM head: launch and synchronisation; the experts of a "
        "layer share a launch",
    )  # fmt: skip
    output_ns: float = Field(
        default=0.0, ge=0, le=MAX_US,
        description="of each output of linears, routers and LM head, over all cores: a dot product that is called for "
        "it, the sum of its vector of sums, its scale; in addition to products, bytes and unpacking",
    )  # fmt: skip
    unpack_weights_per_s: dict[str, float] = Field(
        default_factory=dict,
        description="weights that become operands in a second, by storage or by format of the weights; each time that "
        "a matmul is run",
    )
    unpack_in_turn: bool = Field(
        default=False,
        description="whether the units that unpack also compute, one after the other: a matmul takes at least the sum "
        "of both, so that unpacking gains less the more rows it has; otherwise at least the longer of them",
    )

    unpack_overlap: float | None = Field(
        default=None, ge=1, le=100,
        description="exponent p: a matmul takes (unpacking^p + the rest^p)^(1/p). 1: one after the other; default: the "
        "longer of the two, as if they overlapped perfectly",
    )  # fmt: skip
    unpack_pj_per_weight: dict[str, float] = Field(
        default_factory=dict,
        description="energy of a weight that becomes an operand, by storage or by format of the weights, in place of "
        "the array's price of writing a weight register",
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = dict.fromkeys([*storages(), *formats()])
        for name, rate in self.unpack_weights_per_s.items():
            if name not in known:
                raise wrong_value(*unknown_name("storage", name, known), "unpack_weights_per_s", name)
            if not 0 < rate <= MAX_RATE:
                raise wrong_value(f"got {rate:g}", "weights per second, above 0", "unpack_weights_per_s", name)
        for name, energy_pj in self.unpack_pj_per_weight.items():
            if name not in known:
                raise wrong_value(*unknown_name("storage", name, known), "unpack_pj_per_weight", name)
            if not 0 <= energy_pj <= MAX_PRICE:
                raise wrong_value(f"got {energy_pj:g}", "pJ, not negative", "unpack_pj_per_weight", name)
        return self

    def unpack_rate(self, storage: str, holds: str) -> float:
        """Return the weights that are unpacked in a second; infinite where no rate is given.

        Parameters
        ----------
        storage, holds
            Name of the storage, and the format of its values.
        """
        rates = self.unpack_weights_per_s
        return rates.get(storage, rates.get(holds, math.inf))

    def unpack_pj(self, storage: str, holds: str) -> tuple[str, float] | None:
        """Return the key and the energy of a weight that becomes an operand; none where it has no price of its own.

        Parameters
        ----------
        storage, holds
            As for `unpack_rate`.
        """
        prices = self.unpack_pj_per_weight
        return next(((name, prices[name]) for name in (storage, holds) if name in prices), None)


class Meter(Strict):
    """What a meter on the machine sees, where a measurement does not say."""

    scope: Literal["chip", "rail", "board", "battery"] = Field(
        default="board",
        description="chip, rail: without off-chip accesses and the static parts dram, host and board; board, battery: "
        "all of it",
    )
    idle: Literal["gross", "net"] = Field(default="gross", description="net: without idle_w")
    idle_w: float = Field(default=0.0, ge=0, le=1e6, description="watts with nothing to run, subtracted where net")
