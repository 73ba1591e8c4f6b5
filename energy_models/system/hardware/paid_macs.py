"""What experiments pay for a MAC at a measured technology: the price of a full array, by the sizes that are used."""

from collections.abc import Iterator
from typing import NamedTuple

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.measured import MeasuredMac
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.platform.platforms import Platform, platforms


class PaidMac(NamedTuple):
    """A MAC in an array of one size.

    Parameters
    ----------
    mac
        As measured.
    lanes, columns
        Of the full array.
    zero_share
        Of the weights, with which it is priced.
    price, load
        Of a MAC, and in addition of each weight that enters the array.
    payers
        Names of the built-in platforms whose arrays of this size compute it; empty for the technology's own size.
    """

    mac: MeasuredMac
    lanes: int
    columns: int
    zero_share: float
    price: Price
    load: Price
    payers: tuple[str, ...]


def paid_macs(technology: Technology) -> list[PaidMac]:
    """Return each MAC in an array of the technology's own size, and in those of built-in platforms.

    Parameters
    ----------
    technology
        One with MACs of whole arrays; those of the own size are what the papers' accounting pays where the technology
        is priced as MACs.
    """
    rows = []
    for mac in technology.macs:
        payers: dict[tuple[int, int], dict[str, None]] = {(technology.lanes, technology.columns): {}}
        for name, platform in sorted(platforms().items(), key=lambda item: len(item[0])):  # variants have longer names
            for size in _sizes(mac, platform, technology):
                payers.setdefault(size, {})[name] = None
        zero_share = technology.zero_share if formats()[mac.weights].kind == "ternary" else 0.0
        rows += [
            PaidMac(mac, *size, zero_share, mac.price(*size, zero_share), price_of(mac.load_pj), tuple(names))
            for size, names in payers.items()
        ]
    return rows


def _sizes(mac: MeasuredMac, platform: Platform, technology: Technology) -> Iterator[tuple[int, int]]:
    """Yield the sizes of a platform's arrays that pay a MAC."""
    if not {technology.name, technology.node} & set(platform.nodes):
        return
    for array in platform.arrays.values():
        for macs in array.macs:
            actions = array.actions(macs, platform.accumulate)
            if any(technology.mac_of_actions(weights, actions) is mac for weights in macs.weights):
                yield array.lanes, array.columns
