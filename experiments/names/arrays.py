"""The arrays of an experiment: shipped configurations of the accelerator, files, or inline ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitjoule.energy_models.inputs.documents import KeyPath, is_path
from bitjoule.energy_models.inputs.errors import suggestion
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.experiments.names.lookup import Entries, Lookup
from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.configurations import (
    read_configuration,
    read_design,
    shipped_configurations,
    shipped_linears,
)


def _read(path: Path) -> AcceleratorConfig:
    return read_configuration(str(path))


def _shipped() -> dict[str, AcceleratorConfig]:
    return {name: read_configuration(name) for name in shipped_configurations()}


def _read_design(path: Path) -> AcceleratorConfig | LinearConfig:
    return read_design(str(path))


def _shipped_designs() -> dict[str, AcceleratorConfig | LinearConfig]:
    return {name: read_design(name) for name in shipped_configurations() | shipped_linears()}


ARRAYS = Entries("accelerator", _shipped, _read, "an accelerator's YAML")
DESIGNS = Entries("accelerator", _shipped_designs, _read_design, ARRAYS.file)  # whole BitLinears, too


def read_array(lookup: Lookup, entry: str | Mapping[str, Any], at: KeyPath) -> AcceleratorConfig | None:
    """Return a configuration that keeps its array busy in each cycle, or none if there is a problem with it.

    Parameters
    ----------
    lookup
        Of the experiment.
    entry, at
        A name, a path, or a configuration's keys, and its place.
    """
    document, problems = lookup.document, lookup.problems
    if isinstance(entry, str):
        result = lookup.find(ARRAYS, entry, at)
        if result is None:
            return None
        config = result.value
        if not is_path(entry):
            lookup.inputs[entry] = fingerprint(shipped_configurations()[entry])
    else:
        try:
            config = AcceleratorConfig.from_mapping(dict(entry))
        except ConfigError as error:
            keys = list(AcceleratorConfig.__dataclass_fields__)
            for fault in error.faults:
                hint = suggestion(fault.key, keys) if fault.key not in keys else ""
                problems.append(document.problem((*at, fault.key), fault.wrong + hint, fault.expected))
            return None
    if config.tile_beats > config.tokens:
        wrong = f"a weight tile of {config.tile_bits} bits stalls on a bus of {config.weight_bus_bits}"
        expected = f"weight_bus_bits: {config.tile_bits}, or tokens of at least {config.tile_beats}"
        problems.append(document.problem(at, wrong, expected))
    return config
