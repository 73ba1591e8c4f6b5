"""Memory levels of a platform between its buffers and off-chip memory: caches, or further memories on the chip."""

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field, model_validator

from bitjoule.energy_models.inputs.amounts import MAX_PRICE
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, wrong_value
from bitjoule.energy_models.prices.memories import memories
from bitjoule.energy_models.system.platform.array_schema import MAX_SIZE

Held = Literal["weights", "keys_values", "activations"]
HELD: tuple[str, ...] = get_args(Held)


class Level(Strict):
    """A memory that off-chip bits of some operands pass on their way to the buffers and back."""

    holds: list[Held] = Field(
        min_length=1,
        description="what passes it: weights; keys_values, also recurrent states; activations, also partial sums and "
        "outputs. The rest goes past it",
    )
    size_bytes: int = Field(ge=0, le=MAX_SIZE, description="0: as if the level were not there")
    bandwidth_gb_per_s: float = Field(ge=1e-6, le=1e9, description="read, and also written, at the nominal clock")
    memory: str | None = Field(
        default=None, description="memory kind, e.g. sram; prices are interpolated log-log over size"
    )
    banks: int = Field(default=1, gt=0, le=MAX_SIZE, description="number of banks, each priced at size_bytes / banks")
    read_pj_per_bit: float | None = Field(
        default=None, ge=0, le=MAX_PRICE, description="energy per bit, instead of memory"
    )
    write_pj_per_bit: float | None = Field(default=None, ge=0, le=MAX_PRICE)

    @model_validator(mode="after")
    def _consistent(self) -> "Level":
        repeated = next((held for held in self.holds if self.holds.count(held) > 1), None)
        if repeated is not None:
            raise wrong_value(f"duplicate {repeated}", "each operand once", "holds")
        missing = {self.read_pj_per_bit is None, self.write_pj_per_bit is None}
        if missing != {self.memory is not None}:
            raise wrong_value("requires memory, or read_pj_per_bit and write_pj_per_bit", "one of the two ways")
        kinds = dict.fromkeys(memory.kind for memory in memories() if memory.capacity_bytes)
        if self.memory is not None and self.memory not in kinds:
            raise wrong_value(*unknown_name("memory", self.memory, kinds), "memory")
        if self.memory is not None and self.size_bytes == 0:
            raise wrong_value("0 bytes of memory have no price", "at least one byte, or null for the level",
                              "size_bytes")  # fmt: skip
        return self


def check_levels(levels: Mapping[str, Level]) -> None:
    """Reject a level that cannot include the one inside of it.

    Parameters
    ----------
    levels
        By name, from the buffers outwards.

    Raises
    ------
    WrongValueError
        A level is smaller than one inside of it that holds one of its operands.
    """
    inside: dict[str, tuple[str, int]] = {}
    for name, level in levels.items():
        for held in level.holds:
            inner, least = inside.get(held, ("", 0))
            if 0 < level.size_bytes < least:
                wrong = f"{level.size_bytes} bytes cannot include level {inner}, which holds {held}, too"
                raise wrong_value(wrong, f"at least {least} bytes: levels are written from the buffers outwards",
                                  "levels", name, "size_bytes")  # fmt: skip
            if level.size_bytes:
                inside[held] = (name, level.size_bytes)
