"""Which array runs a matmul, and what its MACs cost: a price of the whole MAC, or those of its operations."""

from collections.abc import Mapping
from typing import Protocol

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.hardware.templates import Formats
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.array_schema import Array, Macs
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.energy_models.system.work.steps import StepPrice

SHOWN_PLATFORMS = 3  # of each array that a message suggests


class PricesOperations(Protocol):
    """A machine: what it is built in, and what an operation costs there."""

    @property
    def technology(self) -> Technology:
        """Its technology."""

    @property
    def platform(self) -> Platform:
        """Its platform."""

    def operation(self, action: str, number_format: str) -> Price:
        """Return the price of an operation."""

    def operation_key(self, action: str, number_format: str) -> str:
        """Return the price key of an operation."""

    def at_volts(self, price: Price, key: str) -> tuple[Price, str]:
        """Return the price of what switches on the chip at its operating point, and its key."""


def first_array(platform: Platform, name: str, required: Formats, role: str) -> tuple[Array, Macs]:
    """Return the array that runs a matmul, and which of its MACs.

    Parameters
    ----------
    platform, name
        The platform, and its name for messages.
    required, role
        Formats of the matmul; its role.

    Raises
    ------
    UnpricedError
        No array computes its formats.
    """
    for array in platform.arrays.values():
        macs = array.macs_for(required.weights, required.activations)
        if macs is not None:
            return array, macs
    computed = dict.fromkeys(
        f"{w} x {a}"
        for array in platform.arrays.values()
        for macs in array.macs
        for w in macs.weights
        for a in macs.activations
    )
    pair = f"{required.weights} x {required.activations}"
    parts = {"linear": "linears", "head": "LM head", "full_precision": "first and last layers"}
    part = (parts | {"adapter": "low-rank adapters"}).get(role, role)
    raise UnpricedError(
        f"no array of platform {name} computes {pair}, the {part} of the scheme",
        f"{', '.join(computed)}; or a line in `macs` of one of its arrays; or {_suggested(required)}",
    )


def _suggested(required: Formats) -> str:
    """Return the arrays of known platforms that compute the formats of a matmul, each with its platforms."""
    names: dict[str, list[str]] = {}
    plain_first = sorted(platforms().items(), key=lambda item: item[1].overheads is not None)  # then measured machines
    for platform_name, platform in plain_first:
        for array_name, array in platform.arrays.items():
            if array.macs_for(required.weights, required.activations) is not None:
                names.setdefault(array_name, []).append(platform_name)
    pair = f"{required.weights} x {required.activations}"
    if not names:
        return f"a platform of your own, since no platform has an array for {pair}"
    texts = []
    for array_name, of in names.items():
        more = f", ... ({len(of)} in all)" if len(of) > SHOWN_PLATFORMS else ""
        plainest = sorted(of, key=len)[:SHOWN_PLATFORMS]  # variants have longer names than what they vary
        texts.append(f"{array_name} of {', '.join(plainest)}{more}")
    return f"an array that takes {pair}: {'; '.join(texts)}"


def mac_lines(
    machine: PricesOperations, array: Array, macs: Macs, required: Formats, key: str
) -> Mapping[tuple[str, str], StepPrice]:
    """Return what a MAC of an array costs, by operand and action.

    Parameters
    ----------
    machine
        Where it runs.
    array, macs
        The array, and which of its MACs.
    required
        Formats of the matmul.
    key
        Price key of the MAC's own energy, where the platform gives one.

    Raises
    ------
    UnpricedError
        The technology does not price an operation.
    """
    technology, actions = machine.technology, array.actions(macs, machine.platform.accumulate)
    measured = technology.mac_of_actions(required.weights, actions)
    lines: dict[tuple[str, str], StepPrice] = {}
    if measured is not None:
        trits = formats()[required.weights].kind == "ternary"
        price = measured.price(array.lanes, array.columns, technology.zero_share if trits else 0.0)
        mac_key = technology.mac_key(measured, array.lanes, array.columns, trits)
        lines["weights", "mac"] = StepPrice(1.0, required.activations, *machine.at_volts(price, mac_key))
        load = machine.at_volts(price_of(measured.load_pj), technology.load_key(measured))
        loaded = StepPrice(1.0, required.weights, *load)
        return {**lines, ("weights", "register_write"): loaded}
    if macs.energy_pj is not None:
        lines["weights", "mac"] = StepPrice(1.0, required.activations, *machine.at_volts(price_of(macs.energy_pj), key))
    for text in actions:
        action, number_format = text.split()
        price = machine.operation(action, number_format)
        operand = "weights" if action == "mul" else "partial_sums"
        lines[operand, action] = StepPrice(1.0, number_format, price, machine.operation_key(action, number_format))
    return lines
