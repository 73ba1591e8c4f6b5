"""Whether the accelerator's generator can build the adder arrays of a platform."""

from collections.abc import Iterator
from typing import Any

from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.rtl.config import MAX_K, AcceleratorConfig, ConfigError
from bitjoule.rtl.faults import Fault

KEYS = {
    "lanes": "lanes", "columns": "columns", "tokens": "accumulators.depth", "max_k": "accumulators.bits",
    "activation_bits": "macs", "weight_bus_bits": "weight_registers.load_bits_per_cycle",
}  # fmt: skip


def unbuildable(platform: Platform) -> Iterator[str]:
    """Yield what keeps the adder arrays of a platform from being built, one line each.

    Parameters
    ----------
    platform
        The platform. Arrays that multiply are not the generator's, and are left out.
    """
    for name, array in platform.arrays.items():
        if all(macs.actions and not any(action.startswith("mul") for action in macs.actions) for macs in array.macs):
            for fault in _faults(array):
                each = f" (each of {array.instances})" if array.instances > 1 else ""
                yield f"arrays.{name}.{fault.key}{each}: {fault.wrong}; the generator builds {fault.expected}"


def store_faults(array: Array) -> Iterator[Fault]:
    """Yield what of an array's registers the generator does not build.

    Parameters
    ----------
    array
        Of any kind.
    """
    if array.accumulators.per == "pe":
        yield Fault("accumulators.per", "got pe", "one accumulator per column")
    if array.weight_registers.weights > 1:
        yield Fault("weight_registers.weights", f"got {array.weight_registers.weights}", "one weight per PE")


def sizes(array: Array) -> dict[str, Any]:
    """Return the sizes of one instance of an array as a configuration has them, not all of which can be built.

    Parameters
    ----------
    array
        Of any kind.

    Returns
    -------
    dict
        Lanes, columns, tokens and bus, by key.
    """
    bus_bits = array.weight_registers.load_bits_per_cycle / array.instances
    return {
        "lanes": array.lanes,
        "columns": array.columns // array.instances,
        "weight_bus_bits": int(bus_bits) if bus_bits.is_integer() else bus_bits,
        "tokens": array.accumulators.depth,
    }


def held_k(array: Array, activation_bits: int) -> int:
    """Return the largest K whose exact sums the accumulators of an adder array hold.

    Parameters
    ----------
    array, activation_bits
        The array, and the bits of its activations.
    """
    return min(MAX_K[-1], ((1 << (array.accumulators.bits - 1)) - 1) >> (activation_bits - 1))


def _faults(array: Array) -> Iterator[Fault]:
    yield from store_faults(array)
    bits = max(width_bits(name) for macs in array.macs for name in macs.activations)
    longest = held_k(array, bits)
    if not longest:
        yield Fault("accumulators.bits", f"got {array.accumulators.bits}", f"more than the {bits} bits of an input")
    try:
        AcceleratorConfig(
            **sizes(array),
            max_k=max(longest, 1),
            activation_bits=bits,
            weight_encoding="ternary2" if any("ternary" in macs.weights for macs in array.macs) else "binary1",
        )
    except ConfigError as error:
        yield from (fault._replace(key=KEYS[fault.key]) for fault in error.faults)
