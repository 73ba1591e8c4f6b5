"""Configurations of the accelerator in YAML: the shipped ones, and a user's, with every complaint's line."""

from pathlib import Path

import bitjoule.rtl
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.errors import InputError, choices, suggestion, whole_file
from bitjoule.rtl.config import AcceleratorConfig, ConfigError


def shipped_configurations() -> dict[str, Path]:
    """Return the shipped configurations' files by name."""
    folder = Path(bitjoule.rtl.__file__).parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_configuration(source: str) -> Path:
    """Return a configuration's file.

    Parameters
    ----------
    source
        A YAML file, or the name of a shipped configuration.

    Raises
    ------
    InputError
        It is neither.
    """
    shipped = shipped_configurations()
    path = Path(source)
    if source in shipped and not path.is_file():
        return shipped[source]
    if not path.suffix and not path.exists():
        expected = choices(shipped) + suggestion(source, shipped)
        raise whole_file(source, "is neither a file nor a shipped configuration", expected)
    return path


def read_configuration(source: str) -> AcceleratorConfig:
    """Read a configuration.

    Parameters
    ----------
    source
        A YAML file, or the name of a shipped configuration.

    Raises
    ------
    InputError
        There is no such file or name, or a value is not allowed; each problem names line and key.
    """
    path = find_configuration(source)
    document = read_document(path, source)
    if not isinstance(document.data, dict):
        raise InputError(
            [
                document.problem(
                    (), "is not a mapping", "keys and values, as `bitjoule show accelerator tiny_8x4` prints"
                )
            ]
        )
    try:
        return AcceleratorConfig.from_mapping(document.data)
    except ConfigError as error:
        fields = list(AcceleratorConfig.__dataclass_fields__)
        raise InputError(
            document.problem(
                (fault.key,),
                fault.wrong,
                fault.expected + (suggestion(fault.key, fields) if fault.key not in fields else ""),
            )
            for fault in error.faults
        ) from None
