"""Effect of each assumption of the system accounting on the energy of one request.

Run: ``python benchmarks/assumptions.py [FILE]`` (seconds), then ``make docs-numbers``. Writes assumptions.csv, which
docs/accounting.md shows: the energy of prefill and of decode without an assumption, or with another, in joules and
relative to the energy with the defaults.
"""

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bitjoule.energy_models.architecture.components import names
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.prices.memories import memories
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.machine import Machine
from bitjoule.energy_models.system.platforms import Platform, StorePrices
from bitjoule.energy_models.system.static_power import StaticPower
from bitjoule.experiments.energy.resolve import Resolved, read_experiment
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.energy.runner import run

REQUEST = """\
name: assumptions
accounting: system
models: [bitnet-b1.58-2b-4t]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: 512, new_tokens: 128}
"""
ELEMENT_WISE = names(hue="element-wise")
Change = Callable[[Platform], Platform]


def with_platform(resolved: Resolved, change: Change) -> Result:
    """Run with every machine changed."""
    machines = {
        name: {scheme: (machine, change(platform)) for scheme, (machine, platform) in by_scheme.items()}
        for name, by_scheme in resolved.platforms.items()
    }
    return run(replace(resolved, platforms=machines))


def registers(factor: float) -> Change:
    """Return a change of the energy of registers and accumulators, which the platforms price at each node."""

    def changed(part: StorePrices | None) -> StorePrices | None:
        if part is None:
            return None
        ends = ("read_pj_per_bit", "write_pj_per_bit")
        prices = {end: getattr(part, end) for end in ends}
        scaled = {end: price_of(price, factor).nominal_pj for end, price in prices.items() if price is not None}
        return part.model_copy(update=scaled)

    def change(platform: Platform) -> Platform:
        nodes = {
            name: node.model_copy(
                update={key: changed(getattr(node, key)) for key in ("weight_registers", "accumulators")}
            )
            for name, node in platform.nodes.items()
        }
        return platform.model_copy(update={"nodes": nodes})

    return change


def buffers(factor: float) -> Change:
    """Return a change of the buffers' sizes, in more banks of the same size."""

    def change(platform: Platform) -> Platform:
        changed = {
            name: buffer.model_copy(
                update={"size_bytes": int(buffer.size_bytes * factor), "banks": int(buffer.banks * factor)}
            )
            for name, buffer in platform.buffers.items()
        }
        return platform.model_copy(update={"buffers": changed})

    return change


def array_shape(platform: Platform) -> Platform:
    """Return a platform whose arrays have twice the lanes and half the columns."""
    arrays = {
        name: array.model_copy(update={"lanes": 2 * array.lanes, "columns": array.columns // 2})
        for name, array in platform.arrays.items()
    }
    return platform.model_copy(update={"arrays": arrays})


def static_power(part: str, watts: float) -> Change:
    """Return a change of the watts that flow when nothing toggles: one part in place of all but the chip's leakage."""

    def change(platform: Platform) -> Platform:
        return platform.model_copy(update={"static": StaticPower.model_validate({part: watts})})

    return change


def clock(factor: float) -> Change:
    """Return a change of the clock at every node."""

    def change(platform: Platform) -> Platform:
        nodes = {
            name: node.model_copy(update={"clock_mhz": node.clock_mhz * factor})
            for name, node in platform.nodes.items()
        }
        return platform.model_copy(update={"nodes": nodes})

    return change


def counting(**keys: object) -> Change:
    """Return a change of what a platform counts."""

    def change(platform: Platform) -> Platform:
        return platform.model_copy(update=keys)

    return change


def with_scheme(resolved: Resolved, **changes: str) -> Result:
    """Run with every scheme changed."""
    changed = {name: scheme.model_copy(update=changes) for name, scheme in resolved.schemes.items()}
    return run(replace(resolved, schemes=changed))


def with_vocabulary(resolved: Resolved, vocabulary: int) -> Result:
    """Run with every model's vocabulary changed."""
    changed = {
        name: shape.model_copy(update={"vocabulary": vocabulary})
        for name, shape in resolved.models.items()
        if isinstance(shape, ModelShape)
    }
    return run(replace(resolved, models=changed))


def off_chip(end: str) -> Change:
    """Return a change of the off-chip memory's price to one end of its band."""
    row = next(memory for memory in memories() if memory.name == "lpddr4")
    price = getattr(row.energy, end) / row.access_bits

    def change(platform: Platform) -> Platform:
        prices = {"memory": None, "read_pj_per_bit": price, "write_pj_per_bit": price}
        return platform.model_copy(update={"off_chip": platform.off_chip.model_copy(update=prices)})

    return change


def wires(platform: Platform) -> Platform:
    """Return a platform whose buffers cost the high end of their band: a millimetre of wire each."""
    row = {m.capacity_bytes: m.energy for m in memories() if m.kind == "sram" and m.node_nm == 7}[1 << 20]
    wire_pj = (row.high_pj - row.nominal_pj) / 64
    machine = Machine(schemes()["fp16"], platform, technologies()["7nm"], "")
    changed = {}
    for name, buffer in platform.buffers.items():
        price = machine.access("buffer_read", buffer.holds[0])[0].nominal_pj + wire_pj
        prices = {"memory": None, "read_pj": price * buffer.width_bits, "write_pj": price * buffer.width_bits}
        changed[name] = buffer.model_copy(update=prices)
    return platform.model_copy(update={"buffers": changed})


def joules(result: Result) -> list[float]:
    """Return the energy of each scheme and phase."""
    summary = result.summary[result.summary["phase"] != "request"]
    return [float(value) for value in summary["energy_j"]]


def share(result: Result, components: tuple[str, ...]) -> list[float]:
    """Return the fraction of each scheme's and phase's energy that remains without some components."""
    long = result.results
    remaining = long[~long["component"].isin(components)]
    case = ["scheme", "phase"]
    part, total = (rows.groupby(case, observed=True, sort=False)["energy_pj"].sum() for rows in (remaining, long))
    return [float(value) for value in (part / total)]


def main(file: Path) -> None:
    """Run and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.yaml"
        path.write_text(REQUEST)
        resolved = read_experiment(path)
        path.write_text(re.sub(r"bitnet-b1.58(?=[\]:])", "bitnet-b1.58-5in8", REQUEST))
        packed = read_experiment(path)
    base = run(resolved)
    nominal = joules(base)

    def over(result: Result) -> list[float]:
        return [value / was for value, was in zip(joules(result), nominal, strict=True)]

    rows: list[tuple[str, list[float]]] = [
        ("element-wise parts left out", share(base, ELEMENT_WISE)),
        ("static power left out", share(base, ("static",))),
        ("LPDDR4 in standby alone: 35 mW", over(with_platform(resolved, static_power("dram", 0.035)))),
        ("static power of 0.1 W", over(with_platform(resolved, static_power("board", 0.1)))),
        ("static power of 1 W", over(with_platform(resolved, static_power("board", 1)))),
        ("a clock of half the frequency", over(with_platform(resolved, clock(0.5)))),
        ("products added at their own width", over(with_platform(resolved, counting(accumulate="paper")))),
        ("products added in FP32 and INT32", over(with_platform(resolved, counting(accumulate="accumulator")))),
        ("LM head left out", share(base, ("lm_head",))),
        ("LM head in INT8", over(with_scheme(resolved, lm_head="int8"))),
        ("LM head in INT4", over(with_scheme(resolved, lm_head="int4"))),
        ("a vocabulary of 32000", over(with_vocabulary(resolved, 32000))),
        ("KV cache traffic left out", share(base, names(hue="cache"))),
        ("all pairs of the prompt's square", over(with_platform(resolved, counting(skips_masked_pairs=False)))),
        ("scores and values one after the other", over(with_platform(resolved, counting(attention="separate")))),
        ("registers and accumulators free", over(with_platform(resolved, registers(0)))),
        ("registers and accumulators three times as dear", over(with_platform(resolved, registers(3)))),
        ("buffers of half the size", over(with_platform(resolved, buffers(0.5)))),
        ("buffers of 64 times the size: activations stay on chip", over(with_platform(resolved, buffers(64)))),
        ("LPDDR4 at the high end, DDR4's price", over(with_platform(resolved, off_chip("high_pj")))),
        ("a millimetre of wire at each buffer", over(with_platform(resolved, wires))),
        ("arrays of twice the lanes and half the columns", over(with_platform(resolved, array_shape))),
        ("no traffic of what lies between the linears", share(base, ("spilled_activations",))),
        ("trits five a byte", over(run(packed))),
    ]
    cases = [(scheme, phase) for scheme in ("FP16", "b1.58") for phase in ("prefill", "decode")]
    table = pd.DataFrame(
        [
            (name, *case, value * joule, value)
            for name, values in [("defaults", [1.0] * len(cases)), *rows]
            for case, value, joule in zip(cases, values, nominal, strict=True)
        ],
        columns=["change", "scheme", "phase", "energy_j", "relative"],
    )
    table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".csv"))
