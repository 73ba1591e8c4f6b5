"""A value in one line as YAML writes it, for messages of both the models and the hardware."""

import math


def as_yaml(value: object) -> str:
    """Return ``null``, ``true``, ``[1, .inf]``; text in quotation marks.

    Parameters
    ----------
    value
        Anything.

    Raises
    ------
    ValueError, RecursionError
        It is a whole number of over 4300 digits, or nested too deeply.
    """
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case float() if not math.isfinite(value):
            return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
        case dict():
            return "{" + ", ".join(f"{as_yaml(key)}: {as_yaml(held)}" for key, held in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(as_yaml, value)) + "]"
        case _:
            return repr(value)
