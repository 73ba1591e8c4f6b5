"""What bounds each phase of a way to serve, and the share of every peak that its chips and links use."""

from collections.abc import Iterator
from typing import Any

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.energy_models.serving.peaks import LIMITS, PEAKS
from bitjoule.energy_models.serving.requests import Served

BOUND_COLUMNS = tuple(f"bound_by_{limit}_s" for limit in LIMITS)
UTILISATION_COLUMNS = tuple(f"{peak}_utilisation" for peak in PEAKS)


def utilisation_rows(served: Served) -> Iterator[dict[str, Any]]:
    """Return a row for each phase: its seconds by what bounds them, and the shares of the peaks.

    Parameters
    ----------
    served
        What was served.
    """
    for phase, use in ((PREFILL, served.prefill_use), (DECODE, served.decode_use)):
        yield {
            "phase": phase, "chips": served.chips, "time_s": float(use.bound_s.sum()),
            "bound_by": LIMITS[int(use.bound_s.argmax())],
            **dict(zip(BOUND_COLUMNS, use.bound_s.tolist(), strict=True)),
            **dict(zip(UTILISATION_COLUMNS, use.shares(served.chips).tolist(), strict=True)),
        }  # fmt: skip
