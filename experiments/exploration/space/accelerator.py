"""An array of a platform with the sizes of a configuration of the accelerator, which bounds what can be built."""

from collections.abc import Mapping
from typing import Any

from bitjoule.energy_models.inputs.changes import Change, ImpossibleError
from bitjoule.rtl.config import AcceleratorConfig, ConfigError

INSTANCES = "instances"
KEYS = (INSTANCES, "lanes", "columns", "tokens", "max_k", "weight_bus_bits", "pipeline")  # not what an array computes


def array_changes(config: AcceleratorConfig, array: str, changes: Mapping[str, Any]) -> dict[str, Change]:
    """Return the changes that give a platform's array the sizes of a configuration.

    Parameters
    ----------
    config
        The configuration.
    array
        Name of the array.
    changes
        Values of `KEYS` that differ; ``instances`` is the number of such accelerators side by side.

    Raises
    ------
    ImpossibleError
        No accelerator can be built with these values.
    """
    own = {key: value for key, value in changes.items() if key != INSTANCES}
    instances = changes.get(INSTANCES, 1)
    if not isinstance(instances, int) or instances < 1:
        raise ImpossibleError(f"accelerator.instances: got {instances}")
    try:
        config = AcceleratorConfig.from_mapping({**config.as_mapping(), **own})
    except ConfigError as error:
        raise ImpossibleError("; ".join(f"accelerator.{fault.key}: {fault.wrong}" for fault in error.faults)) from None
    values = {
        "lanes": config.lanes,
        "columns": config.columns * instances,
        "instances": instances,
        "weight_registers.load_bits_per_cycle": float(config.weight_bus_bits * instances),
        "accumulators.depth": config.tokens,
        "accumulators.bits": config.accumulator_bits,
        "pipeline_cycles": config.latency_cycles,
    }
    return {f"arrays.{array}.{key}": Change(value=value) for key, value in values.items()}
