"""The error of a key of a config that describes no layers."""


class PatternError(ValueError):
    """A key of a config that describes no layers.

    Parameters
    ----------
    key
        Of the config.
    wrong, expected
        As for `bitjoule.energy_models.inputs.errors.Problem`.
    """

    def __init__(self, key: str, wrong: str, expected: str) -> None:
        super().__init__(f"{key}: {wrong}; expected {expected}")
        self.key, self.wrong, self.expected = key, wrong, expected
