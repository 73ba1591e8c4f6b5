"""What is doubtful in a platform although it is valid: values that do not fit each other, or no machine."""

from collections.abc import Iterator

from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.platform.plausible import implausible


def doubts(name: str, platform: Platform) -> Iterator[str]:
    """Yield what is doubtful in a platform, one line each.

    Parameters
    ----------
    name, platform
        The platform.
    """
    for line in (*platform.unscaled, *implausible(platform)):
        yield f"platform {name}: {line}"
