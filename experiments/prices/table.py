"""Comparison of the prices of each operation in two technologies."""

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
MEASURED = "netlist"


def prices_table(resolved: PricesInput) -> pd.DataFrame:
    """Return a row for each pair of technologies and each operation that both can price.

    A MAC that the first technology did not measure is priced from its operations, as the papers do: an addition of
    two activations where weights are trits, else a multiplication and an addition in the format of the sums.

    Parameters
    ----------
    resolved
        The experiment.

    Returns
    -------
    DataFrame
        ``operation`` and ``format``; each technology's price in pJ with its band; the ratio of the second's to the
        first's, with its least and greatest value within the bands; ``first_is``, the terms of the first's price.
    """
    rows = []
    for first, second in resolved.pairs:
        for operation, name, composition, prices in _operations(first, second):
            price, other = prices
            rows.append(
                {
                    "experiment": resolved.experiment.name, "first": first.name, "second": second.name,
                    "operation": operation, "format": name,
                    "first_pj": price.nominal_pj, "first_low_pj": price.low_pj, "first_high_pj": price.high_pj,
                    "second_pj": other.nominal_pj, "second_low_pj": other.low_pj, "second_high_pj": other.high_pj,
                    "ratio": other.nominal_pj / price.nominal_pj, "ratio_low": other.low_pj / price.high_pj,
                    "ratio_high": other.high_pj / price.low_pj, "first_is": composition,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def formats_in_order() -> list[str]:
    """Return the formats as the table lists them: integers before floating-point ones, narrow before wide."""
    by_name = formats()
    return sorted(by_name, key=lambda name: (by_name[name].kind == "float", by_name[name].bits))


def _operations(first: Technology, second: Technology) -> Iterator[tuple[str, str, str, tuple[Price, Price]]]:
    """Yield operation, format, the terms of the first's price, and both prices."""
    printed = {key for technology in (*technologies().values(), first, second) for key in technology.rows}
    for name in formats_in_order():
        for operation in ("add", "mul"):
            if (operation, name) not in printed:  # derived everywhere: nothing to compare
                continue
            if first.has_price(operation, name) and second.has_price(operation, name):
                has_row = (operation, name) in first.rows
                ends = [f"{operation} {end}" for end in formats()[name].priced_between or ()]
                composition = f"{operation} {name}" if has_row else f"between {' and '.join(ends)}"
                yield operation, name, composition, (first.price(operation, name), second.price(operation, name))
    kinds = [_kind(mac) for mac in second.macs]
    for mac, name in zip(second.macs, kinds, strict=True):
        if kinds.count(name) > 1:
            name = f"{name}, {mac.datapath}"
        stationary, loaded = _mac(mac, second)
        alike = (other for other in first.macs if _kind(other) == _kind(mac))
        first_mac = next((other for other in alike if other.datapath in (None, mac.datapath)), None)
        if first_mac is not None:
            prices = _mac(first_mac, first)
            yield MULTIPLY_ADD, name, MEASURED, (prices[0], stationary)
            yield LOADED, name, MEASURED, (prices[1], loaded)
            continue
        terms = _operations_of(mac)
        if all(first.has_price(*term) for term in terms):
            price, composition = added(*(first.price(*term) for term in terms)), " + ".join(map(" ".join, terms))
            yield MULTIPLY_ADD, name, composition, (price, stationary)
            yield LOADED, name, composition, (price, loaded)


def _kind(mac: MeasuredMac) -> str:
    return f"{mac.weights} x {mac.activations} + {mac.accumulation}"


def _mac(mac: MeasuredMac, technology: Technology) -> tuple[Price, Price]:
    """Return the price of a MAC of the measured array with a stationary weight, and with a new one."""
    stationary = mac.price(mac.lanes, mac.columns, technology.zero_share if mac.weights == "ternary" else 0.0)
    return stationary, added(stationary, price_of(mac.load_pj))


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
        Prices to add, bound by bound.
    """
    return Price(*(sum(ends) for ends in zip(*prices, strict=True)))
