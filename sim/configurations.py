"""Configurations of the accelerator in YAML: the shipped ones, and a user's, with every complaint's line."""

from pathlib import Path

import bitjoule.rtl
from bitjoule.energy_models.documents import read_document
from bitjoule.energy_models.errors import InputError, choices, suggestion, whole_file
from bitjoule.rtl.config import AcceleratorConfig, ConfigError


def shipped_configurations() -> dict[str, Path]:
    """Return the shipped configurations' files by name."""
    folder = Path(bitjoule.rtl.__file__).parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_configuration(given: str) -> AcceleratorConfig:
    """Read a configuration.

    Parameters
    ----------
    given
        A YAML file, or the name of a shipped configuration.

    Raises
    ------
    InputError
        There is no such file or name, or a value is not allowed; each problem names line and key.
    """
    shipped = shipped_configurations()
    path = Path(given)
    if given in shipped and not path.exists():
        path = shipped[given]
    elif not path.suffix and not path.exists():
        raise whole_file(
            given, "is neither a file nor a shipped configuration", choices(shipped) + suggestion(given, shipped)
        )
    document = read_document(path, given)
    if not isinstance(document.data, dict):
        raise InputError(
            [document.problem((), "is not a mapping", "keys and values, as `bitjoule show rtl tiny_8x4` prints")]
        )
    try:
        return AcceleratorConfig.from_mapping(document.data)
    except ConfigError as error:
        known = list(AcceleratorConfig.__dataclass_fields__)
        raise InputError(
            document.problem(
                (fault.key,),
                fault.wrong,
                fault.expected + (suggestion(fault.key, known) if fault.key not in known else ""),
            )
            for fault in error.faults
        ) from None
