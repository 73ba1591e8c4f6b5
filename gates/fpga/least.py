"""What an array takes at the least, from its configuration: what cannot fit is refused before it is synthesised."""

from bitjoule.gates.fpga.devices import Device
from bitjoule.gates.fpga.families import FAMILIES, Family, sum_blocks
from bitjoule.gates.fpga.placement import check_capacity
from bitjoule.rtl.config import AcceleratorConfig

# That a table can take away: four inputs and one output are three, and wider multiplexers are free.
INPUTS_PER_TABLE = 5


def least_use(config: AcceleratorConfig, family: Family, pins: int) -> dict[str, int]:
    """Return lower bounds of tables, flip-flops, block RAM and pins.

    Parameters
    ----------
    config
        The array as it is built.
    family
        Of the device.
    pins
        Of the wrapper, which is not counted otherwise.

    Notes
    -----
    Flip-flops hold the tile in use, the beats of the next but its last, a token's activations, and running sums where
    the family has no other place for them. Tables: with ``carry_chain``, every bit of every partial sum is the output
    of one; otherwise each column's sum depends on all its weights and activations, and each table makes one bit of a
    few.
    """
    return {
        "LUTs": config.columns * _column_tables(config),
        "flip-flops": _held_bits(config) + (0 if config.sums_in_memory else _sum_bits(config, family)),
        "block RAM": _block_ram(config) if family.sums_in_block_ram else 0,
        "pins": pins,
    }


def _column_tables(config: AcceleratorConfig) -> int:
    if config.datapath == "carry_chain" and not config.scaled:
        return _tree_bits(config.lanes, config.activation_bits) + config.accumulator_bits
    inputs = config.lanes * config.activation_bits + config.tile_bits // config.columns
    return (inputs - 1) // INPUTS_PER_TABLE


def _tree_bits(words: int, bits: int) -> int:
    """Return the bits of all sums of a binary tree of adders, of which each level is a bit wider."""
    total = 0
    while words > 1:
        bits += 1
        total += words // 2 * bits
        words -= words // 2
    return total


def _held_bits(config: AcceleratorConfig) -> int:
    lines = 2 if not config.multiplies and config.encoding.zero else 1
    lanes = config.lanes - config.stored_decoders  # a memory holds the word that it reads
    weights = lanes * config.columns * (config.encoding.bits if config.multiplies else lines)
    early = (config.tile_beats - 1) * config.weight_bus_bits
    return weights + early + config.lanes * config.activation_bits


def _sum_bits(config: AcceleratorConfig, family: Family) -> int:
    """Return the bits of running sums that are in flip-flops, where there is no LUT RAM for them."""
    several = family.sums_in_block_ram and config.tokens > 1
    return config.tokens * config.columns * config.accumulator_bits if several else 0


def _block_ram(config: AcceleratorConfig) -> int:
    decoders = config.stored_decoders * -(-config.columns // config.encoding.trits)
    return decoders + (sum_blocks(config) if config.sums_in_memory else 0)


def check_least(config: AcceleratorConfig, device: Device, pins: int) -> None:
    """Make sure that a device contains what an array takes at the least.

    Parameters
    ----------
    config
        The array as it is built.
    device
        The device.
    pins
        Of the wrapper.

    Raises
    ------
    InputError
        It does not.
    """
    check_capacity(device, least_use(config, FAMILIES[device.family], pins), "at least ")
