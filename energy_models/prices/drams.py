"""DRAM devices from the currents of their data sheets: what activating, reading, writing and waiting take.

The energy of a command is V (I - I of standby) t, summed over the supplies, as what flows in standby flows anyway:

========== =============================================================================================
activation V (IDD0 tRC - IDD3N tRAS - IDD2N (tRC - tRAS)), of a whole row
read       V (IDD4R - IDD3N) over the bits of a second, core and I/O
write      V (IDD4W - IDD3N) over the bits of a second, core and I/O
standby    V IDD3N with open rows, V IDD2N without, in W
refresh    V (IDD5 - IDD2N) tRFC / tREFI, in W
========== =============================================================================================

The currents of a data sheet hold for its pattern of data; where a slope over the toggle rate is known it is applied.
"""

from functools import cache

from pydantic import Field

from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate

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


class Dram(Strict):
    """One channel of a DRAM device.

    Parameters
    ----------
    channel_bits, gb_per_s_pin
        Data pins, and Gb/s of each.
    row_bytes
        Of a row of the channel.
    supplies
        Currents.
    ras_ns, rc_ns, rfc_ns, refi_ns
        Time of an open row, of a row cycle, of a refresh, and between refreshes.
    toggle_slope
        How much more reads and writes take at toggle rate 1 than at 0, relative to 0; the currents are at 0 then.
    band
        Factors on every energy.
    source, where, note
        Citation keys, the place in them, remarks.
    """

    channel_bits: int = Field(gt=0)
    gb_per_s_pin: float = Field(gt=0)
    row_bytes: int = Field(gt=0)
    supplies: list[Supply] = Field(min_length=1)
    ras_ns: float = Field(gt=0)
    rc_ns: float = Field(gt=0)
    rfc_ns: float = Field(ge=0)
    refi_ns: float = Field(gt=0)
    toggle_slope: float = Field(default=0.0, ge=0)
    band: Band
    source: str
    where: str
    note: str = ""

    @property
    def gb_per_s(self) -> float:
        """Peak bandwidth of the channel in GB/s."""
        return self.channel_bits * self.gb_per_s_pin / 8

    def _banded(self, value: float) -> Price:
        return Price(value * self.band.low, value * self.band.nominal, value * self.band.high)

    def burst_pj_per_bit(self, reads: bool, toggle_rate: float = RANDOM, io: bool | None = None) -> Price:
        """Return what a bit that is read or written takes from an open row.

        Parameters
        ----------
        reads
            Or writes.
        toggle_rate
            Share of transfers at which a data pin changes.
        io
            Of the data pins alone, of all but these, or (none) of both.
        """
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

    def pj_per_bit(self, reads: bool, contiguous_bytes: float, toggle_rate: float = RANDOM) -> Price:
        """Return what a bit takes beyond standby and refresh: its burst and its share of an activation.

        Parameters
        ----------
        reads, toggle_rate
            As for `burst_pj_per_bit`.
        contiguous_bytes
            As for `activate_pj_per_bit`.
        """
        parts = self.burst_pj_per_bit(reads, toggle_rate), self.activate_pj_per_bit(contiguous_bytes)
        return Price(*(sum(ends) for ends in zip(*parts, strict=True)))

    def standby_w(self, open_rows: bool) -> Price:
        """Return the standby of the channel in W.

        Parameters
        ----------
        open_rows
            Whether rows are open.
        """
        currents = ((supply.volts, supply.idd3n if open_rows else supply.idd2n) for supply in self.supplies)
        return self._banded(W_PER_MW * sum(volts * current for volts, current in currents))

    @property
    def refresh_w(self) -> Price:
        """Refresh of the channel in W, beyond standby."""
        milliwatts = sum(supply.volts * (supply.idd5 - supply.idd2n) for supply in self.supplies)
        return self._banded(W_PER_MW * milliwatts * self.rfc_ns / self.refi_ns)


class _Drams(Strict):
    """The file data/drams.yaml."""

    drams: dict[str, Dram]


@cache
def drams() -> dict[str, Dram]:
    """Return every device of drams.yaml, by name.

    Raises
    ------
    InputError
        A device is wrong.
    """
    return validate(_Drams, read_document(DRAMS_FILE)).drams
