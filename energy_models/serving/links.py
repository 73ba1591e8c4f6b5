"""Links between chips, and what collective operations move over them."""

from functools import cache
from typing import NamedTuple

from pydantic import Field

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.inputs.amounts import Amount, price_of
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate

BITS_PER_GB = 8e9
S_PER_US = 1e-6


class Link(Strict):
    """A link between chips.

    Parameters
    ----------
    energy_pj_per_bit
        Of a bit that crosses it, both ends together.
    bandwidth_gb_per_s
        Of a chip, in one direction.
    latency_us
        Of a message.
    source, where, note
        Citation key, the place in it, what was assumed.
    """

    energy_pj_per_bit: Amount
    bandwidth_gb_per_s: float = Field(ge=1e-6, le=1e9)
    latency_us: float = Field(default=0.0, ge=0, le=1e9)
    source: str = ""
    where: str = ""
    note: str = ""

    def __str__(self) -> str:
        """Return it as in the names of ways."""
        energy_pj = price_of(self.energy_pj_per_bit).nominal_pj
        return f"{energy_pj:g} pJ {self.bandwidth_gb_per_s:g} GB {self.latency_us:g} us"


class _Links(Strict):
    """The file data/links.yaml."""

    links: dict[str, Link]


@cache
def links() -> dict[str, Link]:
    """Return every link that ships, by name.

    Raises
    ------
    InputError
        data/links.yaml is wrong.
    """
    return validate(_Links, read_document(DATA / "links.yaml")).links


class Moved(NamedTuple):
    """What a collective operation moves.

    Parameters
    ----------
    bits
        Over all links together.
    seconds
        Until the last chip has its result.
    """

    bits: Floats
    seconds: Floats


def all_reduce(link: Link, chips: int, bits: Floats) -> Moved:
    """Return what a ring moves to add up a vector of every chip, and to give each the sum.

    Each chip sends 2 (chips - 1) / chips of the vector, in 2 (chips - 1) messages.

    Parameters
    ----------
    link, chips
        The ring.
    bits
        Of one chip's vector.
    """
    rounds = 2 * (chips - 1)
    return _in_rounds(link, rounds, chips, bits)


def all_gather(link: Link, chips: int, bits: Floats) -> Moved:
    """Return what a ring moves to give every chip a vector of which each has a part.

    Parameters
    ----------
    link, chips
        The ring.
    bits
        Of the whole vector.
    """
    return _in_rounds(link, chips - 1, chips, bits)


def _in_rounds(link: Link, rounds: int, chips: int, bits: Floats) -> Moved:
    sent = bits * rounds / chips  # by each chip
    seconds = sent / (link.bandwidth_gb_per_s * BITS_PER_GB) + rounds * link.latency_us * S_PER_US * (bits > 0)
    return Moved(sent * chips, seconds)


def send(link: Link, bits: Floats) -> Moved:
    """Return what it takes to send values from one chip to another.

    Parameters
    ----------
    link, bits
        The link, and what crosses it.
    """
    return Moved(bits, bits / (link.bandwidth_gb_per_s * BITS_PER_GB) + link.latency_us * S_PER_US * (bits > 0))
