"""What each step of a matmul costs on a machine: its array, registers, buffers, off-chip memory and wires."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.system.hardware.arrays import mac_lines
from bitjoule.energy_models.system.hardware.roles import scales_sums
from bitjoule.energy_models.system.hardware.unpacking import unpacking
from bitjoule.energy_models.system.work.steps import ABSENT, STEPS, MatmulKind, Step, StepPrice

if TYPE_CHECKING:
    from bitjoule.energy_models.system.hardware.machine import Machine


def step_lines(machine: "Machine", kind: MatmulKind, opened_bytes: float | None) -> Mapping[Step, StepPrice]:
    """Return what each step of a matmul costs; off-chip accesses with all their parts.

    Parameters
    ----------
    machine
        Where it runs.
    kind, opened_bytes
        As for `Machine.lines`.

    Raises
    ------
    UnpricedError
        A price is missing.
    """
    array, macs = machine.array(kind)
    required = machine.formats(kind)
    lines, technology = dict.fromkeys(STEPS, ABSENT), machine.technology
    name = machine.array_name(kind)

    def set_line(operand: str, action: str, line: StepPrice) -> None:
        step = next(s for s in STEPS if (s.operand, s.action) == (operand, action))
        lines[step] = line

    measured = technology.mac_of_actions(required.weights, array.actions(macs, machine.platform.accumulate))
    macs_key = machine.key("arrays", name, "macs", array.macs.index(macs), "energy_pj")
    for at, line in mac_lines(machine, array, macs, required, macs_key).items():
        set_line(*at, line)
    if kind.adds_biases:
        vector = machine.scheme.vector
        set_line(
            "biases",
            "add",
            StepPrice(1.0, vector, machine.operation("add", vector), machine.operation_key("add", vector)),
        )
    dense = machine.density(kind)
    work = unpacking(required, kind.rescaled, scales_sums(required, macs), machine.scheme.vector, dense.weights)
    for (action, number_format), times in work.items():
        price = machine.operation(action, number_format)
        set_line(
            "unpacking", action, StepPrice(times, number_format, price, machine.operation_key(action, number_format))
        )

    sums = array.accumulators
    for direction in ("read", "write"):
        per_bit, key = machine.register_price(name, "weight_registers", direction)
        if per_bit.high_pj and measured is None:
            set_line(
                "weights",
                f"register_{direction}",
                StepPrice(width_bits(required.weights), required.weights, per_bit, key),
            )
        per_bit, key = machine.register_price(name, "accumulators", direction)
        if per_bit.high_pj:
            set_line("partial_sums", f"register_{direction}", StepPrice(sums.bits, required.sums, per_bit, key))
    overheads = machine.platform.overheads
    own = overheads and overheads.unpack_pj(required.storage_name, required.storage.holds)
    if own and kind.operand == "weights":
        place, energy_pj = own
        key = machine.key("overheads", "unpack_pj_per_weight", place)
        unpacked = machine.at_volts(Price(energy_pj, energy_pj, energy_pj), key)
        set_line("weights", "register_write", StepPrice(1.0, required.weights, *unpacked))
    stored = {
        "weights": (required.storage.bits / dense.weights, required.storage_name),
        "activations": (required.activation_bits / dense.products, required.activations),
        "partial_sums": (sums.bits, required.sums),
        "outputs": (width_bits(required.outputs), required.outputs),
    }
    for operand, (bits, name) in stored.items():
        for step in STEPS:
            if step.operand == operand and step.action.startswith(("buffer", "off_chip")):
                is_weights = operand == "weights"
                price, key = machine.access(
                    step.action, "weights" if is_weights else "activations", opened_bytes if is_weights else None, name
                )
                lines[step] = StepPrice(bits, name, price, key)
        price, key = machine.access("wire", "weights" if operand == "weights" else "activations")
        if price.high_pj:  # partial sums go both ways
            set_line(operand, "wire", StepPrice(bits * (1 + (operand == "partial_sums")), name, price, key))
    return lines
