"""The channels of a platform's DRAM device: what each part of an access costs, and what waiting costs.

=================  =============================================  ======================================================
action             counted in                                     price
=================  =============================================  ======================================================
``off_chip_read``  bits                                           read from an open row, without data pins
``read_activate``  rows that are opened                           activation and precharge
``read_io``        bits                                           data pins of the device, termination included
``read_phy``       bits                                           memory controller and PHY of the chip
=================  =============================================  ======================================================

The same for writes. Together they are what a bit costs: nothing of one is in another, and the standby that the currents
of reads and writes contain is in the static power alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.drams import DRAMS_FILE, RANDOM, Dram, drams, total
from bitjoule.energy_models.system.platform.off_chip import Contiguous, OffChip
from bitjoule.energy_models.system.platform.static_power import clock_text, per_cycle
from bitjoule.energy_models.system.work.steps import ABSENT, MatmulKind, StepPrice

BITS_PER_BYTE = 8
ACTIVATE, IO, PHY = PARTS = ("activate", "io", "phy")  # besides the access itself
WAYS = ("read", "write")
PART_ACTIONS = tuple(f"{way}_{part}" for way in WAYS for part in PARTS)


@dataclass(frozen=True)
class Channels:
    """The channels of a device.

    Parameters
    ----------
    off_chip
        The memory of a platform, with `device`.
    """

    off_chip: OffChip

    @property
    def name(self) -> str:
        """Name of the device."""
        return str(self.off_chip.device)

    @cached_property
    def device(self) -> Dram:
        """The device."""
        return drams()[self.name]

    def key(self, *place: str) -> str:
        """Return a price key.

        Parameters
        ----------
        place
            As in `bitjoule.energy_models.prices.keys`.
        """
        return ":".join((DRAMS_FILE.name, self.name, *place))

    def opened_bytes(self, operand: str, run_bytes: Any = None) -> Any:
        """Return the bytes that each opened row gives.

        Parameters
        ----------
        operand
            A field of `Contiguous`.
        run_bytes
            Contiguous bytes of its accesses, a number or an array; default: whole rows.
        """
        given = self.off_chip.contiguous_bytes
        if isinstance(given, Contiguous):
            given = getattr(given, operand)
        if given is not None:  # what is written is what each opening gives, at most the rows that open together
            return self.device.opened_bytes(min(given, self.device.lockstep * self.device.row_bytes))
        return float(self.device.row_bytes) if run_bytes is None else self.device.opened_bytes(run_bytes)

    def core(self, way: str, stored: str = "") -> tuple[Price, str]:
        """Return the price of a bit from or to an open row, without its pins, and its key.

        Parameters
        ----------
        way
            ``read`` or ``write``.
        stored
            Storage or format of the bits; default: random data.
        """
        return self._burst(way, stored, "core")

    def _burst(self, way: str, stored: str, kind: str) -> tuple[Price, str]:
        rate = self.off_chip.toggles(stored)
        price = self.device.burst_pj_per_bit(way == "read", rate, io=kind == IO)
        return price, self.key(f"{kind}_{way}", *([] if rate == RANDOM else [f"{rate:.16g}"]))

    def part(self, way: str, part: str, number_format: str) -> StepPrice:
        """Return a part of an access, for each bit or row.

        Parameters
        ----------
        way, part
            ``read`` or ``write``; one of `PARTS`.
        number_format
            Of the bits that are moved.
        """
        if part == ACTIVATE:
            return StepPrice(1.0, "", self.device.activate_pj, self.key(ACTIVATE))
        interface = self.device.phy if part == PHY else self.device.pins
        if interface is not None:
            amount = f"{way}_pj_per_bit"
            price = price_of(getattr(interface, amount))
            key = self.key(f"{'phy' if part == PHY else 'pins'}.{amount}")
        elif part == IO:
            price, key = self._burst(way, number_format, IO)
        else:
            return ABSENT
        return StepPrice(1.0, number_format, price, key) if price.high_pj else ABSENT

    def price(self, way: str, opened_bytes: float, stored: str = "") -> Price:
        """Return what a bit costs, all parts together.

        Parameters
        ----------
        way
            ``read`` or ``write``.
        opened_bytes
            From `opened_bytes`.
        stored
            As for `core`.
        """
        bits = BITS_PER_BYTE * opened_bytes
        opening = Price(*(end / bits for end in self.device.activate_pj))
        return total([self.core(way, stored)[0], opening, *(self.part(way, part, stored).price for part in (IO, PHY))])

    def waiting(self, clock_mhz: float) -> Mapping[str, StepPrice]:
        """Return standby and refresh of all channels and ranks in a cycle: ``busy``, with rows open, and ``idle``.

        Parameters
        ----------
        clock_mhz
            Of the platform.
        """
        dies = self.off_chip.channel_count * self.off_chip.ranks
        lines = {}
        for state in ("busy", "idle"):
            watts = Price(*(end * dies for end in self.device.waiting_w(state == "busy")))
            key = self.key(state, f"{dies}@{clock_text(clock_mhz)}")
            lines[state] = StepPrice(1.0, "", per_cycle(watts, clock_mhz), key)
        return lines


def channels_of(off_chip: OffChip) -> Channels | None:
    """Return the channels of a platform's device, or none where it has a price of a bit.

    Parameters
    ----------
    off_chip
        Its memory.
    """
    return None if off_chip.device is None else Channels(off_chip)


def per_bit(opened_bytes: Any) -> Any:
    """Return the rows that are opened for each bit, 0 where no byte is moved.

    Parameters
    ----------
    opened_bytes
        From `Channels.opened_bytes`, a number or an array.
    """
    bits = BITS_PER_BYTE * np.asarray(opened_bytes, dtype=np.float64)
    return np.divide(1.0, bits, out=np.zeros_like(bits), where=bits > 0)


def run_of(kind: MatmulKind, k: Any, n: Any) -> tuple[str, Any]:
    """Return which bytes of a matmul are contiguous where its weights are, and how many values they are.

    Parameters
    ----------
    kind
        What the matmul is for.
    k, n
        Its sizes, numbers or arrays.

    Returns
    -------
    str, Any
        A field of `Contiguous`; a whole matrix, or one token's keys or values.
    """
    if kind.operand == "weights":
        return "weights", k * n
    return "keys_values", k if kind.operand == "keys" else n
