"""How far predictions are from measurements, beside those of a plain roofline and of constant watts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import stored_values
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.names import Named, UnknownNameError, measured_schemes, named
from bitjoule.energy_models.machines.predict import Prediction
from bitjoule.energy_models.machines.rows import FIT, MeasuredRow
from bitjoule.energy_models.system.platform.platforms import Platform


class ErrorLine(NamedTuple):
    """Errors of a quantity on some rows, as shares of what was measured.

    Parameters
    ----------
    machine, quantity
        Platform, or ``all``; what was predicted.
    rows
        How many.
    median, ninetieth
        Median and 90th percentile of the absolute relative errors.
    """

    machine: str
    quantity: str
    rows: int
    median: float
    ninetieth: float


def relative_error(predicted: float | None, measured: float | None) -> float | None:
    """Return predicted over measured less 1, none where either is missing."""
    return None if predicted is None or measured is None else predicted / measured - 1


def measured_value(prediction: Prediction, quantity: str) -> float | None:
    """Return what a row measured; none for the energy of rows whose meter saw none."""
    value: float | None = getattr(prediction.row, quantity)
    return value


def error_lines(found: Sequence[Prediction], values: Mapping[str, Sequence[float | None]]) -> Iterator[ErrorLine]:
    """Yield the errors of each quantity by machine, and of all machines.

    Parameters
    ----------
    found
        The predictions of rows.
    values
        What is compared with the measured numbers, by quantity: of each row, or none.
    """
    for quantity, of_rows in values.items():
        errors: dict[str, list[float]] = {}
        for prediction, value in zip(found, of_rows, strict=True):
            error = relative_error(value, measured_value(prediction, quantity))
            if error is not None and np.isfinite(error):
                errors.setdefault(prediction.platform, []).append(abs(error))
        everything = [error for each in errors.values() for error in each]
        for machine, each in (*errors.items(), ("all", everything)):
            if each:
                yield ErrorLine(machine, quantity, len(each), float(np.median(each)), float(np.percentile(each, 90)))


def constant_watts(rows: Sequence[MeasuredRow], fitted: Sequence[MeasuredRow]) -> list[float | None]:
    """Return the joules a token of rows if a machine drew the same watts always, over the measured speed.

    Parameters
    ----------
    rows
        The rows.
    fitted
        Rows from which the watts are taken: the median of those of the same machine, meter and weights, or else of the
        same machine and meter.
    """
    watts: dict[tuple[str, ...], list[float]] = {}
    for row in fitted:
        key = _machine(row)
        if key and row.use == FIT and row.tokens_per_s and row.j_per_token:
            for each in ((*key, row.cells["weights"]), key):
                watts.setdefault(each, []).append(row.tokens_per_s * row.j_per_token)
    found: list[float | None] = []
    for row in rows:
        key = _machine(row)
        drawn = watts.get((*key, row.cells["weights"])) or watts.get(key)
        found.append(float(np.median(drawn)) / row.tokens_per_s if drawn and row.tokens_per_s else None)
    return found


def _machine(row: MeasuredRow) -> tuple[str, ...]:
    try:
        name = named(row)
    except UnknownNameError:
        return ()
    return (name.platform, str(name.meter.scope), str(name.meter.idle))


def roofline_tokens_per_s(rows: Sequence[MeasuredRow], platforms: Mapping[str, Platform]) -> list[float | None]:
    """Return the tokens a second of decode if nothing but the weights' bytes over the peak bandwidth took time.

    Parameters
    ----------
    rows, platforms
        The rows, and every platform by name.
    """
    found: list[float | None] = []
    for row in rows:
        try:
            name = named(row)
        except UnknownNameError:
            found.append(None)
            continue
        if name.platform not in platforms or row.phase != "decode":
            found.append(None)
            continue
        platform = platforms[name.platform]
        peak_gb_per_s = platform.off_chip.bandwidth_gb_per_s * platform.operating.memory
        found.append(row.batch * peak_gb_per_s * 1e9 / _weight_bytes(name))
    return found


def _weight_bytes(name: Named) -> float:
    scheme, stored = measured_schemes()[name.scheme], stored_values(presets()[name.preset].blocks)
    tables = stored["lm_head"] or stored["embedding"]  # a tied head is the embedding, which is read as a whole
    return (stored["weights"] * scheme.stored("weight_storage").bits + tables * scheme.stored("lm_head").bits) / 8
