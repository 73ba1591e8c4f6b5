"""Costs of what a whole BitLinear has around its array: units for each element, and memories between them."""

import math
from typing import NamedTuple

from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.functions import unit_work
from bitjoule.energy_models.prices.memories import memories
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.accesses import buffer_price
from bitjoule.energy_models.system.platform.platforms import Buffer
from bitjoule.rtl.arithmetic.floating_point import normalised_bits
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.units import UNITS as UNITS
from bitjoule.sim.accelerator.cycles import MatmulShape

ELEMENT = "element"  # a unit's own price; without one it costs `mul` and `add`
READ, WRITE = "memory_read", "memory_write"
MACRO = "sram"
MEMORIES = ("tokens", "codes", "scales", "norm", "sums")


class Cost(NamedTuple):
    """One kind of action of a matmul.

    Parameters
    ----------
    operand, action, format
        For the long table.
    times
        Operations, bits moved, or cycles of leakage or static power.
    price, key
        Of one, in pJ; see `bitjoule.energy_models.prices.keys`.
    """

    operand: str
    action: str
    format: str
    times: float
    price: Price
    key: str


class Inside(NamedTuple):
    """What happens around the array in one BitLinear.

    Parameters
    ----------
    elements
        Elements that pass each unit.
    memories
        Of each memory: bytes, bits read and bits written.
    """

    elements: dict[str, float]
    memories: dict[str, tuple[float, float, float]]


def inside(linear: LinearConfig, shape: MatmulShape, commands: int) -> Inside:
    """Return what passes the units, and goes through the memories between them.

    Once a token, and left out: its division, in the norm also those of mean and root, and the folding of lanes.

    Parameters
    ----------
    linear
        The BitLinear.
    shape
        Tokens, in_features and out_features of all commands together.
    commands
        How many share the out_features; each takes and quantises all activations again.
    """
    array, (m, k, n) = linear.array, shape
    beats, k_tiles = -(-k // linear.lanes), -(-k // array.lanes)
    tiles = commands * -(-(n // commands) // array.columns)
    tokens, taken = m * commands, m * commands * beats * linear.bus_bits
    padded = k_tiles * array.lanes
    code_bits, scale_bits = padded * array.activation_bits, normalised_bits(FP32)
    elements = {"rms_norm": tokens * k} if linear.normed else {}
    elements |= {"absmax": tokens * k, "quantise": tokens * k, "rescale": m * n}
    token_bytes = linear.beats * linear.bus_bits / 8
    kept = 2 * array.tokens  # one block in use, one being filled
    code_bytes = kept * linear.tiles * array.lanes * array.activation_bits / 8
    stored: dict[str, tuple[float, float, float]] = {
        "tokens": (2 * token_bytes, tokens * padded * linear.form.bits, taken),
        "codes": (code_bytes, m * tiles * code_bits, tokens * code_bits),
        "scales": (kept * scale_bits / 8, m * tiles * linear.result_beats * scale_bits, tokens * scale_bits),
    }  # fmt: skip
    if linear.normed:
        stored["norm"] = (2 * token_bytes, 2 * taken, taken + commands * beats * linear.bus_bits)
    if linear.holds_results:
        sums = m * tiles * array.columns * array.accumulator_bits
        stored["sums"] = ((array.tokens + 1) * array.columns * array.accumulator_bits / 8, sums, sums)
    return Inside({name: float(count) for name, count in elements.items()}, stored)


def linear_costs(machine: Machine, linear: LinearConfig, shape: MatmulShape, commands: int = 1) -> list[Cost]:
    """Return the costs of units and memories around the array.

    A unit has the technology's own price, or else that of the operations that `functions.yaml` assumes for it. A memory
    is a macro of its size, in banks no larger than those of the platform's buffer of activations; one below the sizes
    that are priced is the smallest of these, one above is banks of the largest.

    Parameters
    ----------
    machine
        Where it runs.
    linear, shape, commands
        As of `inside`.

    Raises
    ------
    UnpricedError
        The technology prices neither a unit nor its operations.
    """
    around, form = inside(linear, shape, commands), linear.format
    costs = []
    for unit, elements in around.elements.items():
        own = machine.technology.has_price(unit, form)
        work = {unit: 1.0} if own else unit_work(unit)
        for action, times in work.items():
            price, key = machine.operation(action, form), machine.operation_key(action, form)
            costs.append(Cost(unit, ELEMENT if own else action, form, times * elements, price, key))
    for name, (size_bytes, read_bits, written_bits) in around.memories.items():
        price, key = _memory_price(machine, size_bytes)
        costs += [Cost(name, READ, "bits", read_bits, price, key), Cost(name, WRITE, "bits", written_bits, price, key)]
    return costs


def _memory_price(machine: Machine, size_bytes: float) -> tuple[Price, str]:
    technology = machine.technology
    own = [memory for memory in technology.memories if memory.kind == MACRO]
    sizes = [
        memory.capacity_bytes
        for memory in own or memories()
        if memory.kind == MACRO and memory.capacity_bytes and (own or memory.node_nm == technology.node_nm)
    ] or [math.ceil(size_bytes)]
    around = list(machine.platform.buffers.values())[machine.buffer("activations")]
    banks = [around.size_bytes // around.banks] if around.memory == MACRO else []
    macro = min(max(math.ceil(min([size_bytes, *banks])), min(sizes)), max(sizes))
    buffer = Buffer(holds=["activations"], size_bytes=macro, width_bits=1, memory=MACRO)
    return machine.at_volts(*buffer_price(buffer, True, technology, ""))
