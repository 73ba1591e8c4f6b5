"""Off-chip memory of a platform: a price of a bit, or channels of a DRAM device."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.formats.toggles import RANDOM, toggle_rate
from bitjoule.energy_models.inputs.amounts import MAX_PRICE
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, wrong_value
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.memories import memories

MAX_CHANNELS = 1 << 20
STORED = "stored"
RunBytes = Annotated[float, Field(ge=1, le=MAX_PRICE)]


class Contiguous(Strict):
    """Contiguous bytes of an access to a device, instead of what follows from models and formats."""

    weights: RunBytes | None = Field(default=None, description="of a matrix; default: all of it, one expert's alone")
    keys_values: RunBytes | None = Field(
        default=None, description="of the KV cache; default: reads, one head's of a token; writes, all heads'"
    )
    activations: RunBytes | None = Field(default=None, description="that leave the chip; default: whole rows")
    embedding: RunBytes | None = Field(default=None, description="of the embedding; default: one token's")


def _run_kind(value: Any) -> str:
    return "operands" if isinstance(value, dict | Contiguous) else "number"


class OffChip(Strict):
    """The memory that holds the model."""

    memory: str | None = Field(
        default=None, description="name of a memory in memories.csv, or of a device in drams.yaml"
    )
    contiguous_bytes: (
        Annotated[Annotated[RunBytes, Tag("number")] | Annotated[Contiguous, Tag("operands")], Discriminator(_run_kind)]
        | None
    ) = Field(
        default=None,
        description="bytes moved each time a device opens a row; with `device` also by operand. Default: a row; with "
        "`device`, what the access pattern of each operand gives",
    )
    read_pj_per_bit: float | None = Field(
        default=None, ge=0, le=MAX_PRICE, description="energy per bit, instead of memory"
    )
    write_pj_per_bit: float | None = Field(default=None, ge=0, le=MAX_PRICE)
    device: str | None = Field(
        default=None, description="name of a device in drams.yaml, counted part by part; instead of memory"
    )
    channels: int | None = Field(
        default=None, ge=1, le=MAX_CHANNELS, description="channels of the device; default: the fewest for the bandwidth"
    )
    ranks: int = Field(default=1, ge=1, le=MAX_CHANNELS, description="dies on each channel, all of which wait")
    toggle_rate: (
        Annotated[
            Annotated[float, Field(ge=0, le=1), Tag("number")] | Annotated[Literal["stored"], Tag("text")],
            Discriminator(lambda value: "text" if isinstance(value, str) else "number"),
        ]
        | None
    ) = Field(
        default=None,
        description="share of transfers at which a data pin of a device changes; `stored`: that of the data that are "
        "stored, by their format and packing; default: random data",
    )
    bandwidth_gb_per_s: float = Field(ge=1e-6, le=1e9, description="peak")
    achieved_share: float = Field(
        default=1.0, ge=1e-6, le=1, description="bandwidth that is reached, relative to the peak"
    )
    capacity_bytes: int | None = Field(
        default=None, gt=0, le=1 << 60, description="a run warns of models that need more"
    )

    @model_validator(mode="after")
    def _toggles(self) -> Self:
        if self.toggle_rate is not None:
            device = drams().get(self.device or self.memory or "")
            if getattr(device, "toggle_slope", 0.0) == 0:
                known = [name for name, each in drams().items() if getattr(each, "toggle_slope", 0.0)]
                wrong = "energies of this memory hold for any data"
                raise wrong_value(wrong, f"a device whose slope is known: {', '.join(known)}", "toggle_rate")
        return self

    def toggles(self, stored: str) -> float:
        """Return the toggle rate of data.

        Parameters
        ----------
        stored
            Name of their storage or format.
        """
        if self.toggle_rate == STORED:
            return toggle_rate(stored)
        return RANDOM if self.toggle_rate is None else float(self.toggle_rate)

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.device is not None:
            self._check_device()
            return self
        missing = {self.read_pj_per_bit is None, self.write_pj_per_bit is None}
        if missing != {self.memory is not None}:
            raise wrong_value("requires memory, or read_pj_per_bit and write_pj_per_bit", "one of the two ways")
        names = [memory.name for memory in memories() if memory.kind == "dram"]
        if self.memory is not None and self.memory not in (*names, *drams()):
            raise wrong_value(*unknown_name("memory", self.memory, dict.fromkeys([*names, *drams()])), "memory")
        if self.contiguous_bytes is not None and self.memory not in drams():
            raise wrong_value("rows are known of devices alone", f"memory: {' or '.join(drams())}", "contiguous_bytes")
        for key, given in (
            ("contiguous_bytes", isinstance(self.contiguous_bytes, Contiguous)),
            ("channels", self.channels is not None),
            ("ranks", self.ranks > 1),
        ):
            if given:
                wrong = "parts of a device" if key == "contiguous_bytes" else "channels of a device"
                raise wrong_value(f"{wrong} without `device`", "device, instead of memory", key)
        return self

    def _check_device(self) -> None:
        """Reject a device that is not there, other prices beside it, and too few channels."""
        if self.device not in drams():
            raise wrong_value(*unknown_name("device", str(self.device), drams()), "device")
        for key in ("memory", "read_pj_per_bit", "write_pj_per_bit"):
            if getattr(self, key) is not None:
                raise wrong_value(f"device and {key} both price a bit", "one of them; null removes a key", key)
        device = drams()[self.device]
        count = self.channel_count
        if count % device.lockstep:
            wrong = f"{count} channels of {self.device}, of which {device.lockstep} share each access"
            raise wrong_value(wrong, f"a multiple of {device.lockstep}", "channels")
        peak = count * device.gb_per_s
        if self.bandwidth_gb_per_s > peak:
            wrong = f"{self.bandwidth_gb_per_s:g} GB/s of {count} channels that have {device.gb_per_s:g} GB/s each"
            raise wrong_value(wrong, f"at most {peak:g}, or more channels", "bandwidth_gb_per_s")

    @property
    def channel_count(self) -> int:
        """Channels of the device, 0 without one."""
        if self.device is None:
            return 0
        device = drams()[self.device]
        together = device.lockstep * device.gb_per_s
        return self.channels or device.lockstep * math.ceil(self.bandwidth_gb_per_s / together)

    @property
    def reached_gb_per_s(self) -> float:
        """Bandwidth that is reached."""
        return self.bandwidth_gb_per_s * self.achieved_share
