"""DRAM devices: what activating, reading, writing and waiting take, from the currents of their data sheets.

The energy of a command is V (I - I of standby) t, summed over the supplies, as what flows in standby flows anyway:

========== =============================================================================================
activation V (IDD0 tRC - IDD3N tRAS - IDD2N (tRC - tRAS)), of a whole row
read       V (IDD4R - IDD3N) over the bits of a second, core and I/O
write      V (IDD4W - IDD3N) over the bits of a second, core and I/O
standby    V IDD3N with open rows, V IDD2N without, in W
refresh    V (IDD5 - IDD2N) tRFC / tREFI, in W
========== =============================================================================================

The currents of a data sheet hold for its pattern of data; where a slope over the toggle rate is known it is applied.
A device whose currents are not public gives these energies themselves. What flows outside the device, in the controller
and its PHY, or in pins that the currents leave out, is an energy of a bit beside them.
"""

from abc import abstractmethod
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.amounts import Amount, Band, price_of
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate, wrong_value

DRAMS_FILE = DATA / "drams.yaml"
RANDOM = 0.5  # toggle rate of random data
W_PER_MW = 1e-3


class Supply(Strict):
    """Currents at one supply, in mA.

    Parameters
    ----------
    volts
        Its voltage.
    idd0
        One bank activated and precharged again and again.
    idd2n, idd3n
        Standby without open rows, and with.
    idd4r, idd4w
        Reading and writing without pause.
    idd5
        Refreshing without pause.
    io
        Whether it supplies the data pins.
    """

    volts: float = Field(gt=0)
    idd0: float = Field(ge=0)
    idd2n: float = Field(ge=0)
    idd3n: float = Field(ge=0)
    idd4r: float = Field(ge=0)
    idd4w: float = Field(ge=0)
    idd5: float = Field(ge=0)
    io: bool = False


class Interface(Strict):
    """What a bit takes in one part of the link between device and chip.

    Parameters
    ----------
    read_pj_per_bit, write_pj_per_bit
        Low, nominal and high.
    source, where
        Citation keys, or ``assumption``; the place in them.
    """

    read_pj_per_bit: Amount
    write_pj_per_bit: Amount
    source: str
    where: str


class Dram(Strict):
    """One channel of a DRAM device.

    Parameters
    ----------
    channel_bits, gb_per_s_pin
        Data pins, and Gb/s of each.
    row_bytes
        Of a row of the channel.
    lockstep
        Channels that open their rows together and share each access, as the chips of a module do.
    pins, phy
        Data pins and their termination, where the device's own energies leave them out; controller and PHY.
    source, where, note
        Citation keys, the place in them, remarks.
    """

    channel_bits: int = Field(gt=0)
    gb_per_s_pin: float = Field(gt=0)
    row_bytes: int = Field(gt=0)
    lockstep: int = Field(default=1, ge=1)
    pins: Interface | None = None
    phy: Interface | None = None
    source: str
    where: str
    note: str = ""

    @property
    def gb_per_s(self) -> float:
        """Peak bandwidth of the channel in GB/s."""
        return self.channel_bits * self.gb_per_s_pin / 8

    @abstractmethod
    def burst_pj_per_bit(self, reads: bool, toggle_rate: float = RANDOM, io: bool | None = None) -> Price:
        """Return what a bit that is read or written takes of the device, from an open row.

        Parameters
        ----------
        reads
            Or writes.
        toggle_rate
            Share of transfers at which a data pin changes.
        io
            Of the data pins alone, of all but these, or (none) of both.
        """

    @property
    @abstractmethod
    def activate_pj(self) -> Price:
        """Activation and precharge of a row."""

    @abstractmethod
    def standby_w(self, open_rows: bool) -> Price:
        """Return the standby of the channel in W.

        Parameters
        ----------
        open_rows
            Whether rows are open.
        """

    @property
    @abstractmethod
    def refresh_w(self) -> Price:
        """Refresh of the channel in W, beyond standby."""

    def activate_pj_per_bit(self, contiguous_bytes: float) -> Price:
        """Return the share of a row's activation of a bit.

        Parameters
        ----------
        contiguous_bytes
            Moved of a row each time it is opened, such as a whole row of streamed weights, or one head's keys of a
            token; more than a row counts as one.
        """
        bits = 8 * min(contiguous_bytes, self.row_bytes)
        return Price(*(end / bits for end in self.activate_pj))

    def opened_bytes(self, run_bytes: Any) -> Any:
        """Return the bytes that each row gives when a run of bytes is moved that begins at the beginning of a row.

        A run opens ``lockstep x ceil(run / (lockstep x row))`` rows.

        Parameters
        ----------
        run_bytes
            Contiguous bytes of an access, a number or an array; 0 of a run without bytes.
        """
        groups = np.ceil(run_bytes / (self.lockstep * self.row_bytes))
        return run_bytes / np.maximum(self.lockstep * groups, 1)

    def pj_per_bit(self, reads: bool, contiguous_bytes: float, toggle_rate: float = RANDOM) -> Price:
        """Return what a bit takes of the device beyond standby and refresh: its burst and its share of an activation.

        Parameters
        ----------
        reads, toggle_rate
            As for `burst_pj_per_bit`.
        contiguous_bytes
            As for `activate_pj_per_bit`.
        """
        return total([self.burst_pj_per_bit(reads, toggle_rate), self.activate_pj_per_bit(contiguous_bytes)])

    def waiting_w(self, busy: bool) -> Price:
        """Return standby and refresh of the channel in W: rows are open while bits move, and closed otherwise.

        Parameters
        ----------
        busy
            Whether bits move.
        """
        return total([self.standby_w(open_rows=busy), self.refresh_w])


def total(prices: Iterable[Price]) -> Price:
    """Return the sum of prices, end by end.

    Parameters
    ----------
    prices
        In one unit.
    """
    return Price(*(sum(ends) for ends in zip(*prices, strict=True)))


class DramByCurrents(Dram):
    """A device whose currents are public.

    Parameters
    ----------
    supplies
        Currents.
    ras_ns, rc_ns, rfc_ns, refi_ns
        Time of an open row, of a row cycle, of a refresh, and between refreshes.
    toggle_slope
        How much more reads and writes take at toggle rate 1 than at 0, relative to 0; the currents are at 0 then.
    band
        Factors on every energy.
    """

    supplies: list[Supply] = Field(min_length=1)
    ras_ns: float = Field(gt=0)
    rc_ns: float = Field(gt=0)
    rfc_ns: float = Field(ge=0)
    refi_ns: float = Field(gt=0)
    toggle_slope: float = Field(default=0.0, ge=0)
    band: Band

    @model_validator(mode="after")
    def _pins_once(self) -> Self:
        if self.pins is not None and any(supply.io for supply in self.supplies):
            raise wrong_value("counts the data pins twice: a supply with `io: true` has them", "one of the two", "pins")
        return self

    def _banded(self, value: float) -> Price:
        return Price(value * self.band.low, value * self.band.nominal, value * self.band.high)

    def burst_pj_per_bit(self, reads: bool, toggle_rate: float = RANDOM, io: bool | None = None) -> Price:
        """Return what a bit that is read or written takes of the device, from an open row."""
        milliwatts = sum(
            supply.volts * ((supply.idd4r if reads else supply.idd4w) - supply.idd3n)
            for supply in self.supplies
            if io is None or supply.io == io
        )
        toggles = 1.0 + self.toggle_slope * toggle_rate
        return self._banded(milliwatts * toggles / (self.channel_bits * self.gb_per_s_pin))

    @property
    def activate_pj(self) -> Price:
        """Activation and precharge of a row."""
        closed_ns = self.rc_ns - self.ras_ns
        return self._banded(
            sum(
                supply.volts * (supply.idd0 * self.rc_ns - supply.idd3n * self.ras_ns - supply.idd2n * closed_ns)
                for supply in self.supplies
            )
        )

    def standby_w(self, open_rows: bool) -> Price:
        """Return the standby of the channel in W."""
        currents = ((supply.volts, supply.idd3n if open_rows else supply.idd2n) for supply in self.supplies)
        return self._banded(W_PER_MW * sum(volts * current for volts, current in currents))

    @property
    def refresh_w(self) -> Price:
        """Refresh of the channel in W, beyond standby."""
        milliwatts = sum(supply.volts * (supply.idd5 - supply.idd2n) for supply in self.supplies)
        return self._banded(W_PER_MW * milliwatts * self.rfc_ns / self.refi_ns)


class Energies(Strict):
    """Energies of a channel of a device, without their currents.

    Parameters
    ----------
    read_pj_per_bit, write_pj_per_bit
        Of a bit from or to an open row, data pins included.
    io_share
        Share of the data pins.
    activate_pj
        Activation and precharge of a row.
    open_w, closed_w, refresh_w
        Standby with open rows, and without; refresh.
    """

    read_pj_per_bit: Amount
    write_pj_per_bit: Amount
    io_share: float = Field(ge=0, le=1)
    activate_pj: Amount
    open_w: Amount
    closed_w: Amount
    refresh_w: Amount


class DramByEnergies(Dram):
    """A device whose currents are not public.

    Parameters
    ----------
    energies
        In place of currents.
    """

    energies: Energies

    @model_validator(mode="after")
    def _pins_once(self) -> Self:
        if self.pins is not None and self.energies.io_share:
            raise wrong_value("counts the data pins twice: `io_share` has them", "one of the two", "pins")
        return self

    def burst_pj_per_bit(
        self,
        reads: bool,
        toggle_rate: float = RANDOM,  # noqa: ARG002 (its energies hold for any data)
        io: bool | None = None,
    ) -> Price:
        """Return what a bit that is read or written takes of the device; the same at any toggle rate."""
        amount = self.energies.read_pj_per_bit if reads else self.energies.write_pj_per_bit
        share = self.energies.io_share
        return price_of(amount, {None: 1.0, True: share, False: 1.0 - share}[io])

    @property
    def activate_pj(self) -> Price:
        """Activation and precharge of a row."""
        return price_of(self.energies.activate_pj)

    def standby_w(self, open_rows: bool) -> Price:
        """Return the standby of the channel in W."""
        return price_of(self.energies.open_w if open_rows else self.energies.closed_w)

    @property
    def refresh_w(self) -> Price:
        """Refresh of the channel in W, beyond standby."""
        return price_of(self.energies.refresh_w)


def _form(value: Any) -> str:
    by_energies = isinstance(value, DramByEnergies) or (isinstance(value, dict) and "energies" in value)
    return "energies" if by_energies else "currents"


class _Drams(Strict):
    """The file data/drams.yaml."""

    drams: dict[
        str,
        Annotated[
            Annotated[DramByCurrents, Tag("currents")] | Annotated[DramByEnergies, Tag("energies")],
            Discriminator(_form),
        ],
    ]


@cache
def drams() -> dict[str, Dram]:
    """Return every device of drams.yaml, by name.

    Raises
    ------
    InputError
        A device is wrong.
    """
    return {**validate(_Drams, read_document(DRAMS_FILE)).drams}
