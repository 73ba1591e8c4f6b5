"""The operations that bring a stored weight into the form that an array takes."""

from bitjoule.energy_models.formats.formats import add_only, scaled
from bitjoule.energy_models.system.hardware.templates import Formats


def unpacking(
    required: Formats, rescaled: bool, scales_sums: bool, vector: str, values: float = 1.0
) -> dict[tuple[str, str], float]:
    """Return the operations for each value between memory and array, by operation and format.

    Parameters
    ----------
    required
        Formats of the matmul.
    rescaled
        Whether its outputs are multiplied by the weights' scale.
    scales_sums
        Whether sums of products are multiplied by the scales of groups, instead of the weights.
    vector
        Format of the scales.
    values
        That the array takes for each weight: of every plane, without zeros that it skips.
    """
    operations: dict[tuple[str, str], float] = {}
    for text, times in required.storage.unpack.items():
        action, number_format = text.split()
        operations[action, number_format] = times / required.storage.values / values
    holds = required.storage.holds
    multiplied = required.storage.group > 0 or (scaled(holds) and not add_only(holds) and not rescaled)
    if multiplied and not (scaled(required.activations) or scales_sums):  # otherwise the scales are the sums'
        operations["mul", vector] = 1.0
    return operations
