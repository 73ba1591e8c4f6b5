"""Effect of each assumption of the system accounting on the energy of one request.

Run: ``python benchmarks/assumptions.py [FILE]`` (seconds), then ``make docs-numbers``. Writes assumptions.csv, which
docs/assumptions.md shows: the energy of prefill and of decode without an assumption, or with another, in joules and
relative to the energy with the defaults. Assumptions of data/assumptions.yaml are varied as in every run with
``sensitivity: true``; the others are changed by the same means.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bitjoule.energy_models.architecture.components import names
from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.inputs.changes import Change
from bitjoule.energy_models.prices.memories import memories
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.resolve import Resolved, read_experiment
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.uncertainty.assumptions import Alternative, Where, assumptions, changed_experiment

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
REGISTERS = ("nodes.*.weight_registers.*_pj_per_bit", "nodes.*.accumulators.*_pj_per_bit")
SIZES = ("buffers.*.size_bytes", "buffers.*.banks")
TERNARY = Where(scheme={"weights": ["ternary"]})


def changing(scope: str, *keys: str, **change: object) -> Alternative:
    """Return the same change of some keys of all platforms, schemes or models."""
    return Alternative.model_validate({scope: dict.fromkeys(keys, change)})


def end(name: str, which: str) -> Alternative:
    """Return one end of an assumption of data/assumptions.yaml."""
    alternative: Alternative = getattr(assumptions()[name], which)
    return alternative


def off_chip(which: str) -> Alternative:
    """Return the off-chip memory's price at one end of its band."""
    row = next(memory for memory in memories() if memory.name == "lpddr4")
    price = getattr(row.energy, which) / row.access_bits
    return priced("off_chip", {"read_pj_per_bit": price, "write_pj_per_bit": price})


def by_parts(**keys: object) -> Alternative:
    """Return the off-chip memory as channels of LPDDR4, counted by their parts."""
    phy = platforms()["ternary-edge"].static
    assert phy is not None
    watts = {"busy": 0.0, "idle": Band.model_validate(phy.phy).model_dump()}  # busy, the device's own PHY draws them
    keys = {"off_chip.memory": None, "off_chip.device": "lpddr4-3200", "static.dram": None, "static.phy": watts, **keys}
    return Alternative.model_validate({"platform": {key: {"value": value} for key, value in keys.items()}})


def wires(resolved: Resolved) -> Alternative:
    """Return buffers at the high end of their band: a millimetre of wire each."""
    row = {m.capacity_bytes: m.energy for m in memories() if m.kind == "sram" and m.node_nm == 7}[1 << 20]
    wire_pj = (row.high_pj - row.nominal_pj) / 64
    by_scheme = next(iter(resolved.platforms.values()))
    (_, platform), scheme = by_scheme["fp16"], resolved.schemes["fp16"]  # the buffers of all edge machines are equal
    machine = Machine(scheme, platform, technologies()["7nm"], "")
    merged: dict[str, dict[str, Change]] = {"platform": {}}
    for name, buffer in platform.buffers.items():
        price = (machine.access("buffer_read", buffer.holds[0])[0].nominal_pj + wire_pj) * buffer.width_bits
        merged["platform"] |= priced(f"buffers.{name}", {"read_pj": price, "write_pj": price}).platform
    return Alternative.model_validate(merged)


def priced(part: str, prices: Mapping[str, float]) -> Alternative:
    """Return a memory with prices of its own."""
    changes = {f"{part}.{key}": {"value": value} for key, value in prices.items()}
    return Alternative.model_validate({"platform": {f"{part}.memory": {"value": None}, **changes}})


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
    base = run(resolved)
    nominal = joules(base)

    def over(alternative: Alternative, where: Where | None = None) -> list[float]:
        result = run(changed_experiment(resolved, alternative, where))
        return [value / was for value, was in zip(joules(result), nominal, strict=True)]

    rows: list[tuple[str, list[float]]] = [
        ("element-wise parts left out", share(base, ELEMENT_WISE)),
        ("static power left out", share(base, ("static",))),
        ("LPDDR4 in standby alone: 35 mW", over(changing("platform", "static", value={"dram": 0.035}))),
        ("static power of 0.1 W", over(changing("platform", "static", value={"board": 0.1}))),
        ("static power of 1 W", over(changing("platform", "static", value={"board": 1}))),
        ("a clock of half the frequency", over(end("clock", "low"))),
        ("products added at their own width", over(end("accumulate", "low"))),
        ("products added in FP32 and INT32", over(end("accumulate", "high"))),
        ("LM head left out", share(base, ("lm_head",))),
        ("LM head in INT8", over(changing("scheme", "lm_head", value="int8"))),
        ("LM head in INT4", over(end("LM head", "low"))),
        ("a vocabulary of 32000", over(changing("model", "vocabulary", value=32000))),
        ("KV cache traffic left out", share(base, names(hue="cache"))),
        ("all pairs of the prompt's square", over(end("skips_masked_pairs", "high"))),
        ("scores and values one after the other", over(end("attention", "high"))),
        ("registers and accumulators free", over(changing("platform", *REGISTERS, factor=0))),
        ("registers and accumulators three times as dear", over(changing("platform", *REGISTERS, factor=3))),
        ("buffers of half the size", over(end("buffer sizes", "low"))),
        ("buffers of 64 times the size: activations stay on chip", over(changing("platform", *SIZES, factor=64))),
        ("LPDDR4 at the high end, DDR4's price", over(off_chip("high_pj"))),
        ("LPDDR4 by its parts, two channels", over(by_parts())),
        (
            "LPDDR4 by its parts, 64 bytes of each opened row",
            over(by_parts(**{"off_chip.contiguous_bytes": 64.0})),
        ),
        ("80 % of the bandwidth reached", over(changing("platform", "off_chip.achieved_share", value=0.8))),
        ("a millimetre of wire at each buffer", over(wires(resolved))),
        ("arrays of twice the lanes and half the columns", over(end("array shape", "high"))),
        ("no traffic of what lies between the linears", share(base, ("spilled_activations",))),
        ("trits five a byte", over(end("weight packing", "low"), TERNARY)),
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
