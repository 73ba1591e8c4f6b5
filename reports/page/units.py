"""Labels and units of columns, from the ends of their names."""

from typing import NamedTuple

UNITS = {
    "_usd_per_kwh": "$/kWh", "_gco2_per_kwh": "g CO₂/kWh", "tokens_per_joule": "tokens/J", "tokens_per_s": "tokens/s",
    "requests_per_s": "requests/s", "_gb_per_s": "GB/s", "_per_s": "1/s", "_j_s": "J s", "_fj": "fJ", "_pj": "pJ",
    "_uj": "µJ", "_j": "J", "_mm2": "mm²", "_um2": "µm²", "_ns": "ns", "_us": "µs", "_s": "s", "_mhz": "MHz",
    "_nm": "nm", "_bytes": "B", "_bits": "bits", "_w": "W", "watts": "W", "_tokens": "tokens",
}  # fmt: skip

JOULES = "j_per_token"  # of measurements and of designs, whose names do not end in the unit
RATES = (JOULES, "tokens_per_s")


class Named(NamedTuple):
    """A column for people: a label, and its unit, which is empty for a number without one."""

    label: str
    unit: str


def named(column: str) -> Named:
    """Return the label and the unit of a column.

    Parameters
    ----------
    column
        Its name in a table, which ends in its unit, e.g. ``energy_per_token_j``.
    """
    if column.startswith("error_") and column.endswith(RATES):  # a fraction
        return Named(f"error of {named(column.removeprefix('error_')).label}", "")
    if JOULES in column:
        return Named(column.replace(JOULES, "energy_per_token").replace("_", " "), "J")
    ending = next((end for end in ("_low", "_high") if column.endswith(end)), "")
    plain = column.removesuffix(ending)
    for suffix, unit in UNITS.items():
        if plain == suffix.strip("_") or plain.endswith(suffix):
            without = plain.removesuffix(suffix) if suffix.startswith("_") and plain != suffix.strip("_") else plain
            return Named(f"{without}{ending}".replace("_", " "), unit)
    return Named(column.replace("_", " "), "")
