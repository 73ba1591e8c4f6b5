"""Binary floating-point formats, as data: no hardware language is needed for them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A binary interchange format.

    Parameters
    ----------
    exponent_bits, fraction_bits
        Widths of the fields below the sign.
    """

    exponent_bits: int
    fraction_bits: int

    @property
    def bits(self) -> int:
        """Bits of a number."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def bias(self) -> int:
        """The exponent field of a normal number minus its exponent."""
        return (1 << (self.exponent_bits - 1)) - 1


FP16, BF16, FP32 = Format(5, 10), Format(8, 7), Format(8, 23)
FLOATS = {"fp16": FP16, "bf16": BF16, "fp32": FP32}
