"""What a machine's platform says of its rates and prices: its operating point, and its units."""

from abc import ABC, abstractmethod
from functools import cached_property

from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.measured import UNITS, Unit
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.platform.dvfs import Operating, scaled_key, times
from bitjoule.energy_models.system.platform.platforms import Platform

BITS_PER_GB_AND_MHZ = 8e3


class AtPoint(ABC):
    """A machine at the operating point of its platform; the nominal one changes nothing."""

    scheme: Scheme
    platform: Platform
    technology: Technology

    @property
    @abstractmethod
    def clock_mhz(self) -> float:
        """Its clock."""

    @cached_property
    def operating(self) -> Operating:
        """What the operating point of its platform multiplies."""
        return self.platform.operating

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Units of a BitLinear that elements are paid in, in the scheme's floating-point format."""
        if self.platform.elementwise != "units":
            return ()
        return tuple(unit for unit in UNITS if self.technology.has_price(unit, self.scheme.vector))

    def at_volts(self, price: Price, key: str) -> tuple[Price, str]:
        """Return the price of what switches on the chip, and its key.

        Parameters
        ----------
        price, key
            At the nominal point.
        """
        return times(price, self.operating.energy), scaled_key(key, self.operating.energy)

    def operation_key(self, action: str, number_format: str) -> str:
        """Return the price key of an operation.

        Parameters
        ----------
        action, number_format
            ``mul`` or ``add``, and its format.
        """
        return scaled_key(self.technology.price_key(action, number_format), self.operating.energy)

    @property
    def off_chip_gb_per_s(self) -> float:
        """Bandwidth that off-chip memory reaches."""
        return self.platform.off_chip.reached_gb_per_s * self.operating.memory

    @cached_property
    def off_chip_bits(self) -> float:
        """Bits per cycle that off-chip memory moves."""
        return self.off_chip_gb_per_s * BITS_PER_GB_AND_MHZ / self.clock_mhz
