"""Whether the accelerator's generator can build the adder arrays of a platform."""

from collections.abc import Iterator

from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.rtl.config import MAX_K, AcceleratorConfig, ConfigError, Fault

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


def _faults(array: Array) -> Iterator[Fault]:
    sums, registers = array.accumulators, array.weight_registers
    if sums.per == "pe":
        yield Fault("accumulators.per", "got pe", "one accumulator per column")
    if registers.weights > 1:
        yield Fault("weight_registers.weights", f"got {registers.weights}", "one weight per PE")
    bits = max(width_bits(name) for macs in array.macs for name in macs.activations)
    bus_bits = registers.load_bits_per_cycle / array.instances
    try:
        AcceleratorConfig(
            lanes=array.lanes,
            columns=array.columns // array.instances,
            max_k=min(MAX_K[-1], ((1 << (sums.bits - 1)) - 1) >> (bits - 1)),  # what the accumulators hold
            weight_bus_bits=int(bus_bits) if bus_bits.is_integer() else bus_bits,  # type: ignore[arg-type]
            tokens=sums.depth,
            activation_bits=bits,
            weight_encoding="ternary2" if any("ternary" in macs.weights for macs in array.macs) else "binary1",
        )
    except ConfigError as error:
        yield from (fault._replace(key=KEYS[fault.key]) for fault in error.faults)
