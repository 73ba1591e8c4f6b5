"""How trits become bits: the codes, their tables and their widths, once for hardware, benches and simulators.

A code word holds `trits` trits of neighbouring columns in `bits` bits.

``binary1``
    One bit, 1 = +1, 0 = -1.
``ternary2``
    Two bits, bit 0 = plus, bit 1 = minus; 00 and 11 are both zero, 00 is written. The bits are the select lines of
    the array: nothing has to be decoded.
``ternary5``
    Five trits a byte, a code chosen for its decoder. The byte is h = bits 7..6, l = bits 5..3, m = bits 2..0. `_pair`
    names the eight non-zero pairs of trits by three bits, of which the zero flags are one gate each. h = 0, 1, 2 is the
    fifth trit (0, +1, -1) with both pairs present; h = 3 says that a pair is (0, 0) and the freed field holds the fifth
    trit. 13 of the 256 bytes are second names of trits that another byte names; they decode, but are never written.

Weights that are multiplied need no code. ``int8``, ``int4`` and ``int2`` are two's complement; ``fp16`` is IEEE 754's
binary16, represented here as the integer with its bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

Trits = tuple[int, ...]


def _pair(code: int) -> tuple[int, int]:
    """Return the two trits, not both zero, that three bits name."""
    c0, c1, c2 = code & 1, code >> 1 & 1, code >> 2 & 1
    u = 0 if c2 and c1 else (-1 if (c0 if c2 else c1) else 1)
    v = 0 if c2 and not c1 else (-1 if c0 else 1)
    return u, v


def _trit(code: int) -> int:
    """Return the trit that two bits name: 0, +1, -1; 3 is a second name of 0."""
    return (0, 1, -1, 0)[code]


def _decode_ternary5(byte: int) -> Trits:
    h, low, m = byte >> 6, byte >> 3 & 7, byte & 7
    if h != 3:
        return (*_pair(low), *_pair(m), _trit(h))
    if low < 4:
        return (0, 0, *_pair(m), _trit(low & 3))
    if low < 7:
        return (*_pair(m), 0, 0, _trit(low & 3))
    return (0, 0, 0, 0, _trit(m & 3))


@dataclass(frozen=True)
class Encoding:
    """A code for trits, or plain words.

    Parameters
    ----------
    name
        As configurations name it.
    trits, bits
        Trits of a code word, and its width.
    decoded
        The trits of every code word, by its value; the first trit is the lowest column's. Empty: a code word is the
        weight.
    zero
        Whether the code can encode zero.
    """

    name: str
    trits: int
    bits: int
    decoded: tuple[Trits, ...]
    zero: bool
    encoded: dict[Trits, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        first = {trits: code for code, trits in reversed(list(enumerate(self.decoded)))}
        object.__setattr__(self, "encoded", first)

    def row_bits(self, columns: int) -> int:
        """Return the bits of one lane's trits.

        Parameters
        ----------
        columns
            Trits of the lane; the last code word is padded.
        """
        return -(-columns // self.trits) * self.bits

    def padding(self) -> int:
        """Return the trit that pads: zero, or where the code has none, the one of the code word 0."""
        return 0 if self.zero else self.decoded[0][0]

    def encode_row(self, trits: Sequence[int]) -> int:
        """Return one lane's code words, the lowest column's in the lowest bits.

        Parameters
        ----------
        trits
            The lane's trits or words.

        Raises
        ------
        ValueError
            The code cannot encode a value.
        """
        padded = [*trits, *[self.padding()] * (-len(trits) % self.trits)]
        row = 0
        for i in range(0, len(padded), self.trits):
            word = tuple(padded[i : i + self.trits])
            if self.decoded and word not in self.encoded:
                raise ValueError(f"{self.name} cannot encode {word}")
            code = self.encoded[word] if self.decoded else self._plain(word[0])
            row |= code << (i // self.trits * self.bits)
        return row

    def _plain(self, word: int) -> int:
        lowest = 0 if self.name == "fp16" else -(1 << (self.bits - 1))
        if not lowest <= word < lowest + (1 << self.bits):
            raise ValueError(f"{self.name} cannot encode {word}")
        return word & ((1 << self.bits) - 1)

    def decode_row(self, row: int, columns: int) -> Trits:
        """Return the trits of one lane; not of plain words.

        Parameters
        ----------
        row
            The lane's code words.
        columns
            How many trits.
        """
        words = (row >> shift & ((1 << self.bits) - 1) for shift in range(0, self.row_bits(columns), self.bits))
        return tuple(trit for word in words for trit in self.decoded[word])[:columns]


def _encodings() -> dict[str, Encoding]:
    binary1 = Encoding("binary1", 1, 1, ((-1,), (1,)), zero=False)
    ternary2 = Encoding("ternary2", 1, 2, ((0,), (1,), (-1,), (0,)), zero=True)
    ternary5 = Encoding("ternary5", 5, 8, tuple(_decode_ternary5(byte) for byte in range(256)), zero=True)
    if set(ternary5.encoded) != set(product((-1, 0, 1), repeat=5)):  # pragma: no cover
        raise AssertionError("ternary5 does not name all 243 groups of trits")
    return {encoding.name: encoding for encoding in (binary1, ternary2, ternary5)}


ENCODINGS = _encodings()
_WORD_BITS = {"int8": 8, "int4": 4, "int2": 2, "fp16": 16}
WORDS = {name: Encoding(name, 1, bits, (), zero=True) for name, bits in _WORD_BITS.items()}
