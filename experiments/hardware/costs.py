"""Costs of the matmuls of a hardware run on a machine: the system accounting, with the run's cycles and streams.

The accelerator replaces the platform's array. Its cycles and the beats of its streams replace those of the best mapping
in the system accounting; prices, memories, clock and leakage are the platform's.
"""

import math
from typing import NamedTuple

from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.counting.dram_parts import OFF_CHIP
from bitjoule.energy_models.system.counting.quantities import quantities
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.silicon import leakage_w
from bitjoule.energy_models.system.mappings.mapping import (
    K,
    M,
    Mapping,
    MatmulProblem,
    Moved,
    Tiles,
    Traffic,
    memory_time,
)
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.channels import ACTIVATE, PARTS, per_bit
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.platform.regulator import ACTION, OPERAND, UNREGULATED
from bitjoule.energy_models.system.platform.static_power import STATES, state_cycles
from bitjoule.energy_models.system.work.steps import ABSENT, MatmulKind
from bitjoule.experiments.hardware.linear_costs import Cost, linear_costs
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.accelerator.rtl_engine import streams


class RunCosts(NamedTuple):
    """Costs of a matmul.

    Parameters
    ----------
    actions
        Its actions.
    cycles
        Of the machine: the accelerator's own, or those of the slowest memory.
    """

    actions: list[Cost]
    cycles: int


def accelerator_machine(
    config: AcceleratorConfig,
    scheme: Scheme,
    platform: Platform,
    technology: Technology,
    name: str,
    clock_mhz: float | None = None,
) -> Machine:
    """Return a platform with the accelerator in place of the array that runs the scheme's linears.

    Parameters
    ----------
    config
        The accelerator.
    scheme
        The weights' scheme; they are stored as the accelerator's stream encodes them.
    platform, technology, name
        The machine; its name, for messages.
    clock_mhz
        Clock of the accelerator; default: the platform's.

    Raises
    ------
    UnpricedError
        The platform is not built at this technology, has no array for these formats, or one that multiplies; it has
        memory levels, which simulated matmuls do not pass.
    """
    if platform.levels:
        wrong = f"platform {name} has memory levels ({', '.join(platform.levels)}), which simulated matmuls do not pass"
        raise UnpricedError(wrong, "a platform without them, e.g. one with `levels: null`")
    weight_format = "ternary" if config.encoding.zero else "binary"
    stored = scheme.model_copy(update={"weights": weight_format, "weight_storage": config.weight_encoding})
    machine = Machine(stored, platform, technology, name)
    array, macs = machine.array(MatmulKind.LINEAR)
    if any(action.startswith("mul") for action in macs.actions or ()):
        wrong = f"platform {name} multiplies {weight_format} x {stored.activations}; the accelerator has no multiplier"
        raise UnpricedError(
            wrong, f"a platform with a line in `macs` that only adds {weight_format} x {stored.activations}"
        )
    built = array.model_copy(
        update={
            "lanes": config.lanes,
            "columns": config.columns,
            "weight_registers": array.weight_registers.model_copy(
                update={"weights": 1, "load_bits_per_cycle": float(config.weight_bus_bits)}
            ),
            "accumulators": array.accumulators.model_copy(
                update={"per": "column", "depth": config.tokens, "bits": config.accumulator_bits}
            ),
            "pipeline_cycles": config.latency_cycles,
        }
    )
    arrays = {key: built if candidate is array else candidate for key, candidate in platform.arrays.items()}
    low, nominal, high = leakage_w(platform, technology, machine.node.leakage_w)
    leakage = {"leakage_w": Band(low=low, nominal=nominal, high=high)}
    clock = {} if clock_mhz is None else {"clock_mhz": clock_mhz / machine.operating.clock, "clock_factor": 1.0}
    nodes = {**platform.nodes, technology.name: machine.node.model_copy(update={**leakage, **clock})}
    if technology.node in nodes:  # the leakage's key is that of the node
        nodes[technology.node] = nodes[technology.node].model_copy(update=leakage)
    machine = Machine(stored, platform.model_copy(update={"arrays": arrays, "nodes": nodes}), technology, name)
    for kind in (MatmulKind.STANDALONE, MatmulKind.LINEAR):
        machine.lines(kind)
    return machine


def matmul_costs(
    machine: Machine,
    design: AcceleratorConfig | LinearConfig,
    kind: MatmulKind,
    shape: MatmulShape,
    cycles: int,
    commands: int = 1,
) -> RunCosts:
    """Return the costs of one matmul, or of one whole BitLinear.

    Weights come from off-chip memory, once if the matmul's fit their buffer, else for each block of tokens. Inputs
    and results of a model's linear stay in the activations' buffer if they fit together; those of a bare matmul, and
    of a larger linear, cross the chip's edge. A whole BitLinear takes its inputs once, in its format, and reads their
    codes in a memory of its own instead; see `bitjoule.experiments.hardware.linear_costs`.

    Parameters
    ----------
    machine
        From `accelerator_machine`.
    design
        The accelerator, or the whole BitLinear.
    kind
        ``STANDALONE``, or ``LINEAR`` for one of a model.
    shape, cycles
        The matmul, and the cycles that the hardware took.
    commands
        Of a whole BitLinear: in how many the out_features were computed, one for each scale.

    Raises
    ------
    UnpricedError
        The technology has no price for what a whole BitLinear has around its array.
    """
    linear = design if isinstance(design, LinearConfig) else None
    config = design.array if isinstance(design, LinearConfig) else design
    problem, moved = _moved(machine, design, kind, shape, commands)
    off_chip_bits, slowest = memory_time(problem, moved)
    machine_cycles = math.ceil(
        max(cycles, round(float(slowest), 6))
    )  # the product of bits per value and values is an integer up to rounding
    blocks = (-(-shape.k // config.lanes), -(-shape.n // config.columns))
    tiles = Tiles(shape.m, *blocks, min(shape.m, config.tokens), 1, 1, M, K)  # tokens, then K, then N
    array, _ = machine.array(kind)
    mapping = Mapping(tiles, Traffic(*moved, off_chip_bits, cycles, machine_cycles))
    counts = dict(zip(QUANTITIES, quantities(array, problem, mapping).tolist(), strict=False))
    streamed_bits = {place: getattr(problem, place).bits for place in ("weights", "activations", "outputs")}
    actions = []
    opened = machine.opened_bytes(kind, shape.k, shape.n)
    for step, line in machine.lines(kind, opened).items():
        times, number_format = counts[step.quantity] * line.factor, line.format
        if step.operand in streamed_bits and step.action.startswith(("buffer", "off_chip")):
            times = float(round(counts[step.quantity] * streamed_bits[step.operand]))
            if linear:
                number_format = linear.format if step.operand != "weights" else number_format
            elif step.operand == "outputs":
                number_format = f"int{config.result_bits}"
        if times:
            cost = Cost(step.operand, step.action, number_format, times, line.price, line.key)
            actions += by_parts(machine, cost, opened if step.operand == "weights" else None)
    actions += linear_costs(machine, linear, shape, commands) if linear else []
    actions += _over_time(machine, cycles, off_chip_bits, machine_cycles)
    if machine.regulator is not ABSENT:
        through = [cost for cost in actions if cost.operand not in UNREGULATED]
        delivered_pj = float(round(sum(cost.times * cost.price.nominal_pj for cost in through)))
        actions.append(Cost(OPERAND, ACTION, "", delivered_pj, machine.regulator.price, machine.regulator.key))
    return RunCosts(actions, machine_cycles)


def by_parts(machine: Machine, cost: Cost, opened_bytes: float | None) -> list[Cost]:
    """Return an access to a DRAM device as its parts, anything else as it is.

    Parameters
    ----------
    machine, cost
        Where it happens, and what it costs as a whole.
    opened_bytes
        Bytes of each row that is opened; default: whole rows.
    """
    channels = machine.dram
    if channels is None or not cost.action.startswith(OFF_CHIP):
        return [cost]
    way = cost.action.removeprefix(OFF_CHIP)
    price, key = channels.core(way)
    costs = [cost._replace(price=price, key=key)]
    rows = cost.times * float(per_bit(opened_bytes or channels.opened_bytes("activations")))
    for part in PARTS:
        line = channels.part(way, part, cost.format)
        times = rows if part == ACTIVATE else cost.times
        costs.append(Cost(cost.operand, f"{way}_{part}", line.format, times * line.factor, line.price, line.key))
    return [part for part in costs if part.times]


def _over_time(machine: Machine, cycles: int, off_chip_bits: float, machine_cycles: int) -> list[Cost]:
    """Return leakage, or static power, of a matmul that computes for `cycles` of the machine's."""
    if machine.platform.power is None:
        return [Cost("chip", "leak", "", float(machine_cycles), machine.cycle_pj, machine.cycle_key)]
    kinds = state_cycles(machine_cycles, cycles, off_chip_bits / machine.off_chip_bits)
    drawn = [(state, line) for state, line in zip(STATES, machine.static, strict=True) if line is not ABSENT]
    costs = [Cost(s.part, s.state, "", float(kinds[s.cycles]), line.price, line.key) for s, line in drawn]
    return [cost for cost in costs if cost.times]


def _moved(
    machine: Machine, design: AcceleratorConfig | LinearConfig, kind: MatmulKind, shape: MatmulShape, commands: int
) -> tuple[MatmulProblem, Moved]:
    """Return the matmul, with values of the streams' widths, and the values that move."""
    m, k, n = shape
    linear = design if isinstance(design, LinearConfig) else None
    config = design.array if isinstance(design, LinearConfig) else design
    streamed = streams(design, m, k, n // commands)
    blocks, n_tiles = -(-m // config.tokens), -(-n // config.columns)
    passes, result_width = (commands, linear.form.bits) if linear else (n_tiles, config.result_bits)
    weight_bits = commands * streamed.weight_bits / (blocks * k * n)
    input_bits = commands * streamed.activation_bits / (m * k * passes)
    result_bits = commands * streamed.result_bits / (m * n)
    inner, outer = machine.buffer("weights"), machine.buffer("activations")
    size_bits = [buffer.size_bytes * 8 for buffer in machine.platform.buffers.values()]
    operand_bits = m * (k * input_bits + n * result_bits)
    resident = kind is not MatmulKind.STANDALONE and operand_bits <= size_bits[outer]
    block_bits = min(m, config.tokens) * (k * input_bits + config.columns * result_width)
    reserved_bits = operand_bits if resident else block_bits
    room_bits = size_bits[inner] - (reserved_bits if inner == outer else 0)
    problem = machine.problem(kind, m, k, n, resident, 0.0)
    problem = problem._replace(
        weights=problem.weights._replace(bits=weight_bits),
        activations=problem.activations._replace(bits=input_bits),
        outputs=problem.outputs._replace(bits=result_bits),
    )
    loads = 1 if k * n * weight_bits <= room_bits else blocks
    input_loads = 1 if block_bits <= size_bits[outer] else passes
    return problem, Moved(
        weight_fills=k * n * blocks,
        weight_loads=k * n * loads * (inner >= 0),
        activation_reads=m * k * passes,
        activation_loads=m * k * input_loads * problem.activations.off_chip,
        sum_spills=0,
        sum_unloads=0,
    )
