"""Whether models fit the off-chip memory of the machines that they run on."""

from collections.abc import Iterator

import pandas as pd

from bitjoule.energy_models.inputs.wording import memory_size
from bitjoule.experiments.names.platforms import MachinesByPlatform


def too_large(by_platform: MachinesByPlatform, summary: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each model and scheme that needs more than its machine's memory holds.

    Parameters
    ----------
    by_platform
        Of the experiment.
    summary
        Of its run.
    """
    for platform, by_scheme in by_platform.items():
        for scheme, (machine, hardware) in by_scheme.items():
            capacity_bytes = hardware.off_chip.capacity_bytes
            if capacity_bytes is None:
                continue
            own = summary[(summary["platform"] == platform) & (summary["scheme"] == scheme)]
            for model, needed_bytes in own.groupby("model", sort=False, observed=True)["memory_bytes"].max().items():
                if needed_bytes > capacity_bytes:
                    needs, holds = map(memory_size, (needed_bytes, capacity_bytes))
                    yield f"platform {machine}: {model} in {scheme} needs {needs}; its off-chip memory holds {holds}"
