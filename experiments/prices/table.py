"""Prices of each operation in two technologies beside each other."""

from collections.abc import Iterator

import pandas as pd

from bitjoule.energy_models.formats.formats import add_only, formats
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.measured import MeasuredMac
from bitjoule.energy_models.prices.technology import Technology, technologies
from bitjoule.experiments.prices.schema import PricesInput

MULTIPLY_ADD = "mac"
LOADED = "mac, new weight"
MEASURED = "measured"


def prices_table(given: PricesInput) -> pd.DataFrame:
    """Return a row for each pair of technologies and each operation that both can price.

    A MAC that the first technology did not measure is priced from its operations, as the papers do: an addition of
    two activations where weights are trits, else a multiplication and an addition in the format of the sums.

    Parameters
    ----------
    given
        The experiment.

    Returns
    -------
    DataFrame
        ``operation`` and ``format``; each technology's price in pJ with its band; the ratio of the second's to the
        first's, with the least and the most within the bands; ``first_is``, what the first's price is made of.
    """
    rows = []
    for first, second in given.pairs:
        for operation, name, made_of, prices in _operations(first, second):
            one, other = prices
            rows.append(
                {
                    "experiment": given.experiment.name, "first": first.name, "second": second.name,
                    "operation": operation, "format": name,
                    "first_pj": one.nominal_pj, "first_low_pj": one.low_pj, "first_high_pj": one.high_pj,
                    "second_pj": other.nominal_pj, "second_low_pj": other.low_pj, "second_high_pj": other.high_pj,
                    "ratio": other.nominal_pj / one.nominal_pj, "ratio_low": other.low_pj / one.high_pj,
                    "ratio_high": other.high_pj / one.low_pj, "first_is": made_of,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def formats_in_order() -> list[str]:
    """Return the formats as the table lists them: integers before floating-point ones, narrow before wide."""
    known = formats()
    return sorted(known, key=lambda name: (known[name].kind == "float", known[name].bits))


def _operations(first: Technology, second: Technology) -> Iterator[tuple[str, str, str, tuple[Price, Price]]]:
    """Yield operation, format, what the first's price is, and both prices."""
    printed = {key for technology in (*technologies().values(), first, second) for key in technology.rows}
    for name in formats_in_order():
        for operation in ("add", "mul"):
            if (operation, name) not in printed:  # derived everywhere: nothing to compare
                continue
            if first.has_price(operation, name) and second.has_price(operation, name):
                own = (operation, name) in first.rows
                ends = [f"{operation} {end}" for end in formats()[name].priced_between or ()]
                made_of = f"{operation} {name}" if own else f"between {' and '.join(ends)}"
                yield operation, name, made_of, (first.price(operation, name), second.price(operation, name))
    for mac in second.macs:
        name = f"{mac.weights} x {mac.activations} + {mac.accumulation}"
        kept, loaded = _mac(mac, second)
        same = first.mac(mac.weights, mac.activations, mac.accumulation)
        if same is not None:
            prices = _mac(same, first)
            yield MULTIPLY_ADD, name, MEASURED, (prices[0], kept)
            yield LOADED, name, MEASURED, (prices[1], loaded)
            continue
        parts = _operations_of(mac)
        if all(first.has_price(*part) for part in parts):
            price, made_of = added(*(first.price(*part) for part in parts)), " + ".join(map(" ".join, parts))
            yield MULTIPLY_ADD, name, made_of, (price, kept)
            yield LOADED, name, made_of, (price, loaded)


def _mac(mac: MeasuredMac, technology: Technology) -> tuple[Price, Price]:
    """Return what a MAC of the measured array takes with a weight that stays, and with a new one."""
    kept = mac.price(mac.lanes, mac.columns, technology.zero_share if mac.weights == "ternary" else 0.0)
    return kept, added(kept, price_of(mac.load_pj))


def _operations_of(mac: MeasuredMac) -> list[tuple[str, str]]:
    """Return the operations that the papers count for a MAC."""
    if add_only(mac.weights):
        return [("add", mac.activations)]
    return [("mul", mac.activations), ("add", mac.accumulation)]


def added(*prices: Price) -> Price:
    """Return the sum of prices.

    Parameters
    ----------
    prices
        To be added, end by end.
    """
    return Price(*(sum(ends) for ends in zip(*prices, strict=True)))
