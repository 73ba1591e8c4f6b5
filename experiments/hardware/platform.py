"""The platform of an accelerator's configuration: an edge device with this array in place of the shipped one."""

from typing import Any

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.rtl.config import AcceleratorConfig

BASE, ADDERS, HELPER = "ternary-edge", "adders", "float"
NAME = "accelerator"
FP16 = "fp16"


def platform_of(
    config: AcceleratorConfig, name: str, clock_mhz: float | None = None, placed: str = ""
) -> dict[str, Any]:
    """Return a platform file's keys and values: `BASE` with the configured array, clock and leakage following from it.

    Parameters
    ----------
    config
        Of any kind of array.
    name
        Of the configuration, for sources.
    clock_mhz
        The clock, where it is known; it replaces that of the arrays as synthesised at a node.
    placed
        Where that clock comes from, for sources.
    """
    shipped = platforms()[BASE].model_dump(mode="json", exclude_defaults=True)["arrays"]
    adders, helper = shipped[ADDERS], shipped[HELPER]
    registers = adders["weight_registers"] | {"weights": 1, "load_bits_per_cycle": config.weight_bus_bits}
    sums = adders["accumulators"] | {"per": "column", "depth": config.tokens, "bits": config.accumulator_bits}
    array = {
        "lanes": config.lanes,
        "columns": config.columns,
        "macs": macs_of(config),
        "weight_registers": registers,
        "accumulators": sums,
        "pipeline_cycles": config.latency_cycles,
    }
    by = f"configuration {name}"
    synthesised = f"{by}: of the arrays as synthesised at this node"
    return {
        "like": BASE,
        "description": f"{BASE} with the array of configuration {name} in place of its adders",
        "arrays": {ADDERS: None, HELPER: None, NAME: array, "helper": helper},
        "nodes": {node: {"clock_mhz": clock_mhz or "from_configuration"} for node in platforms()[BASE].nodes},
        "sources": {
            f"arrays.{NAME}": by,
            f"arrays.{NAME}.weight_registers.load_bits_per_cycle": f"{by}, weight_bus_bits",
            f"arrays.{NAME}.accumulators.depth": f"{by}, tokens",
            f"arrays.{NAME}.accumulators.bits": f"{by}, accumulator_bits",
            f"arrays.{NAME}.pipeline_cycles": f"{by}, latency_cycles",
            "arrays.helper": f"as `{HELPER}` of {BASE}",
            **{
                f"nodes.{node}.{key}": placed if clock_mhz and key == "clock_mhz" else synthesised
                for node in platforms()[BASE].nodes
                for key in ("clock_mhz", "leakage_w")
            },
        },
    }


def macs_of(config: AcceleratorConfig) -> list[dict[str, Any]]:
    """Return the MACs of an array: formats of weights and activations, and the operations that each is.

    Parameters
    ----------
    config
        Of any kind of array.
    """
    if config.weight_encoding == FP16:
        sums = "fp32" if config.accumulation == "fp32" else FP16
        return [{"weights": [FP16], "activations": [FP16], "actions": [f"mul {FP16}", f"add {sums}"]}]
    if config.multiplies:
        return [_product(config.weight_encoding, activations) for activations in _integers(config.activation_bits)]
    trits = ["ternary", "binary"] if config.encoding.zero else ["binary"]
    names = [FP16] if config.scaled else _integers(config.activation_bits)
    return [{"weights": trits, "activations": [number], "actions": [f"add {number}"]} for number in names]


def _integers(most_bits: int) -> list[str]:
    """Return the integers that activations of some bits hold, the widest first."""
    found = {name: each.bits for name, each in formats().items() if each.kind == "integer" and each.bits <= most_bits}
    return sorted(found, key=lambda name: -found[name])


def _product(weights: str, activations: str) -> dict[str, Any]:
    factors = weights if weights == activations else f"{weights}x{activations}"
    actions = [f"mul {factors}", "add int16"]
    return {"weights": [weights], "activations": [activations], "actions": actions}
