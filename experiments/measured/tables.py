"""The tables of experiments on measured machines: rows against predictions, and what narrow weights gain."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PHASE_NAMES, Cases
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.errors import constant_watts, relative_error, roofline_tokens_per_s
from bitjoule.energy_models.machines.names import measured_schemes
from bitjoule.energy_models.machines.predict import TECHNOLOGY, Lengths, Prediction, predictions
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System
from bitjoule.experiments.measured.schema import LowBit, Measured
from bitjoule.experiments.output.columns import PJ_PER_J
from bitjoule.experiments.output.tables import with_digits

QUANTITIES = ("tokens_per_s", "j_per_token")
POINT_COLUMNS = (
    "machine", "device", "line", "model", "weights", "activations", "batch", "phase", "metered", "quantity", "speed",
    "measured", "predicted", "low", "high", "error", "other_way", "other", "other_error",
)  # fmt: skip
GAIN_COLUMNS = (
    "machine", "format", "weight_bits", "batch", "tokens_per_s", "j_per_token", "speed_gain", "energy_gain",
    "bound_by", *(f"{resource}_utilisation" for resource in RESOURCES), "fixed_share",
)  # fmt: skip
FIXED = "launches and steps"
SHARE_DIGITS = 6  # powers, of which shares are sums, differ between processors in the last digit


def point_table(measured: Measured) -> tuple[pd.DataFrame, list[str]]:
    """Return a row for each measured number that is predicted, columns `POINT_COLUMNS`; why other rows are not.

    Speeds and energies are predicted; energies also with the measured speed. Beside speeds stands the plain roofline,
    beside energies at the measured speed constant watts.

    Parameters
    ----------
    measured
        Which rows.
    """
    rows = [row for row in read_rows()[1] if row.use == measured.use]
    low, high = measured.prompt_tokens
    lengths = Lengths(prompt_tokens=(low, high))
    lines: list[dict[str, Any]] = []
    why: list[str] = []
    for speed in ("predicted", "given"):
        found = predictions(rows, platforms(), lengths, speed == "given")
        others = {
            ("predicted", "tokens_per_s"): ("roofline", roofline_tokens_per_s(rows, platforms())),
            ("given", "j_per_token"): ("constant watts", constant_watts(rows, read_rows()[1])),
        }
        why += [f"line {each.row.line}: {each.why}" for each in found if each.why and speed == "predicted"]
        for quantity in QUANTITIES if speed == "predicted" else QUANTITIES[1:]:
            name, values = others.get((speed, quantity), ("", [None] * len(rows)))
            lines += _points(found, quantity, speed, name, values)
    return pd.DataFrame(lines, columns=list(POINT_COLUMNS)), why


def _points(
    found: Sequence[Prediction], quantity: str, speed: str, way: str, values: Sequence[float | None]
) -> Iterator[dict[str, Any]]:
    for each, other in zip(found, values, strict=True):
        ours, truth = getattr(each, quantity), getattr(each.row, quantity)
        error = relative_error(ours, truth)
        if error is None:
            continue
        low, high = each.bands.get(quantity, (ours, ours))
        cells = each.row.cells
        yield {
            "machine": each.platform, "device": cells["device"], "line": each.row.line, "model": cells["model"],
            "weights": cells["weights"], "activations": cells["activations"], "batch": each.row.batch,
            "phase": each.row.phase, "metered": each.meter, "quantity": quantity, "speed": speed, "measured": truth,
            "predicted": ours, "low": low, "high": high, "error": error, "other_way": way if other else "",
            "other": other, "other_error": relative_error(other, truth),
        }  # fmt: skip


def error_table(points: pd.DataFrame) -> pd.DataFrame:
    """Return the errors by machine: rows, median and 90th percentile, ours and those of the other way.

    Parameters
    ----------
    points
        From `point_table`.
    """
    lines = []
    for (quantity, speed), of in points.groupby(["quantity", "speed"], sort=False):
        for machine, own in [*of.groupby("machine", sort=True), ("all", of)]:
            others = own["other_error"].astype(float).abs().dropna()
            ours = own["error"].abs()
            same = ours[others.index]
            lines.append(
                {
                    "quantity": quantity, "speed": speed, "machine": machine, "rows": len(own),
                    "bias": own["error"].median(), "median": ours.median(), "ninetieth": ours.quantile(0.9),
                    "other_way": next((name for name in own["other_way"] if name), ""), "other_rows": len(others),
                    "same_rows_median": same.median() if len(same) else np.nan,
                    "other_median": others.median() if len(others) else np.nan,
                    "other_ninetieth": others.quantile(0.9) if len(others) else np.nan,
                }
            )  # fmt: skip
    return pd.DataFrame(lines)


def gain_table(low_bit: LowBit) -> tuple[pd.DataFrame, list[str]]:
    """Return a row for each machine, format and batch, columns `GAIN_COLUMNS`; why some have none.

    Parameters
    ----------
    low_bit
        What is compared.
    """
    lines: list[dict[str, Any]] = []
    why: list[str] = []
    for machine in low_bit.machines:
        first: dict[int, Mapping[str, Any]] = {}
        for name in low_bit.formats:
            try:
                cases = list(_cases(low_bit, machine, name))
            except UnpricedError as error:
                why.append(f"{machine}, {name}: {'; expected '.join(map(str, error.args))}")
                continue
            for line in cases:
                base = first.setdefault(line["batch"], line) if name == low_bit.formats[0] else first.get(line["batch"])
                gains = (
                    (line["tokens_per_s"] / base["tokens_per_s"], base["j_per_token"] / line["j_per_token"])
                    if base
                    else (np.nan, np.nan)
                )
                lines.append({**line, "speed_gain": gains[0], "energy_gain": gains[1]})
    shares = [*(f"{resource}_utilisation" for resource in RESOURCES), "fixed_share"]
    return with_digits(pd.DataFrame(lines, columns=list(GAIN_COLUMNS)), SHARE_DIGITS, shares), why


def _cases(low_bit: LowBit, machine: str, name: str) -> Iterator[dict[str, Any]]:
    scheme, platform = measured_schemes()[name], platforms()[machine]
    system = System([presets()[low_bit.model]], [scheme], [technologies()[TECHNOLOGY]], [[(machine, platform)]])
    batch = np.array(low_bit.batch, dtype=np.float64)
    zeros = np.zeros(len(batch), dtype=np.intp)
    cases = Cases(zeros, zeros, batch, 0 * batch + low_bit.prompt_tokens, 0 * batch + low_bit.new_tokens)
    found = system.evaluate(cases, zeros, zeros)
    at = PHASE_NAMES.index(DECODE)
    seconds = found.latency_s[:, at]
    busy = found.times.busy[:, at].sum(axis=1) / seconds[:, None]
    fixed = found.times.seconds[:, at, :, BOUNDS.index("latency")].sum(axis=1) / seconds
    width = len(system.columns) // len(PHASE_NAMES)
    energy_j = found.energies.nominal_pj[:, at * width : (at + 1) * width].sum(axis=1) / PJ_PER_J
    tokens = batch * low_bit.new_tokens
    for i in range(len(batch)):
        shares = {**dict(zip(RESOURCES, busy[i].tolist(), strict=True)), FIXED: float(fixed[i])}
        yield {
            "machine": machine, "format": name, "weight_bits": scheme.stored("weight_storage").bits,
            "batch": int(batch[i]), "tokens_per_s": tokens[i] / seconds[i], "j_per_token": energy_j[i] / tokens[i],
            "bound_by": max(shares, key=lambda key: shares[key]),
            **{f"{resource}_utilisation": min(shares[resource], 1.0) for resource in RESOURCES},
            "fixed_share": shares[FIXED],
        }  # fmt: skip
