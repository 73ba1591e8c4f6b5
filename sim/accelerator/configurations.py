"""Configurations of the accelerator in YAML: the shipped ones, and a user's, with every complaint's line."""

from pathlib import Path

import bitjoule.rtl
from bitjoule.energy_models.inputs.documents import Document, read_document
from bitjoule.energy_models.inputs.errors import InputError, choices, suggestion, whole_file
from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.rtl.linear.config import KEY, LinearConfig


def shipped_configurations() -> dict[str, Path]:
    """Return the shipped configurations' files by name."""
    folder = Path(bitjoule.rtl.__file__).parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def shipped_linears() -> dict[str, Path]:
    """Return the files of the shipped configurations of whole BitLinears by name."""
    folder = Path(bitjoule.rtl.__file__).parent / "configs" / "linear"
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
    shipped = shipped_configurations() | shipped_linears()
    path = Path(source)
    if source in shipped and not path.is_file():
        return shipped[source]
    if not source or (not path.suffix and not path.exists()):
        expected = choices(shipped) + suggestion(source, shipped)
        raise whole_file(source or "''", "is neither a file nor a shipped configuration", expected)
    return path


def read_configuration(source: str) -> AcceleratorConfig:
    """Read a configuration of the array.

    Parameters
    ----------
    source
        A YAML file, or the name of a shipped configuration.

    Raises
    ------
    InputError
        There is no such file or name, or a value is not allowed; each problem names line and key. Or it is that of a
        whole BitLinear.
    """
    config, document = _read(source)
    if isinstance(config, LinearConfig):
        wrong = "makes a whole BitLinear of it, which this cannot take"
        raise InputError([document.problem((KEY,), wrong, "an array without it; see rtl generate and rtl verify")])
    return config


def read_design(source: str) -> AcceleratorConfig | LinearConfig:
    """Read a configuration of the array alone, or, with a key ``linear``, of a whole BitLinear.

    Parameters
    ----------
    source
        A YAML file, or the name of a shipped configuration.

    Raises
    ------
    InputError
        There is no such file or name, or a value is not allowed; each problem names line and key.
    """
    return _read(source)[0]


def _read(source: str) -> tuple[AcceleratorConfig | LinearConfig, Document]:
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
        if KEY in document.data:
            return LinearConfig.from_mapping(document.data), document
        return AcceleratorConfig.from_mapping(document.data), document
    except ConfigError as error:
        fields = [*AcceleratorConfig.__dataclass_fields__, KEY]
        fields += [f"{KEY}.{name}" for name in LinearConfig.__dataclass_fields__]
        raise InputError(
            document.problem(
                tuple(fault.key.split(".")),
                fault.wrong,
                fault.expected + (suggestion(fault.key, fields) if fault.key not in fields else ""),
            )
            for fault in error.faults
        ) from None
