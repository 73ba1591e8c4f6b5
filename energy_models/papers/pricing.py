"""Operations times prices: joules."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.papers.arithmetic import Counts
from bitjoule.energy_models.prices.technology import Technology

TERMS = frozenset({"weights", "keys", "values", "partial_sums"})  # operands of sums of products


class _Priced(NamedTuple):
    """What a price is of: an operation of a term of a sum of products, or another one."""

    term: bool
    operation: str
    weights: str
    number_format: str


class Energies(NamedTuple):
    """Energy of each action in each case, in pJ; shape (cases, actions) each."""

    low_pj: Floats
    nominal_pj: Floats
    high_pj: Floats


def price_keys(counts: Counts, technologies: Sequence[Technology]) -> list[list[list[str]]]:
    """Return the key of each action's price, by technology, scheme and action.

    `bitjoule.energy_models.prices.keys` defines the keys.

    Parameters
    ----------
    counts
        Counted actions.
    technologies
        Those that price them.
    """
    return [[[key(priced) for priced in row] for row in _priced(counts)] for key in map(_keys_of, technologies)]


def _keys_of(technology: Technology) -> Callable[[_Priced], str]:
    """Return the function that gives each price's key; actions by the dozen share one."""

    @cache
    def key(priced: _Priced) -> str:
        if priced.term:
            return technology.term_key(priced.operation, priced.weights, priced.number_format)
        return technology.price_key(priced.operation, priced.number_format)

    return key


def _prices_of(technology: Technology) -> Callable[[_Priced], Price]:
    """Return the function that gives each price, or what is no number where there is none."""

    @cache
    def price(priced: _Priced) -> Price:
        if not technology.has_price(priced.operation, priced.number_format):
            return Price(np.nan, np.nan, np.nan)
        if priced.term:
            return technology.term_price(priced.operation, priced.weights, priced.number_format)
        return technology.price(priced.operation, priced.number_format)

    return price


def _priced(counts: Counts) -> list[list[_Priced]]:
    """Return what has a price, by scheme and action."""
    return [
        [_Priced(a.operand in TERMS, a.action, a.weights[s], a.formats[s]) for a in counts.actions]
        for s in range(len(counts.actions[0].formats) if counts.actions else 0)
    ]


def price_actions(counts: Counts, technologies: Sequence[Technology], scheme: Indices, technology: Indices) -> Energies:
    """Price counted actions.

    Parameters
    ----------
    counts
        Shape (cases, actions).
    technologies
        What `technology` indexes.
    scheme, technology
        Of each case, shape (cases,).

    Raises
    ------
    KeyError
        A technology has no price for an action that happens: (technology, operation, format).
    """
    rows = _priced(counts)
    of_all = [[[price(priced) for priced in row] for row in rows] for price in map(_prices_of, technologies)]
    prices = np.array(of_all, dtype=np.float64).reshape(len(technologies), len(rows), len(counts.actions), 3)
    energies = []
    for bound in np.moveaxis(prices, 3, 0):
        case_prices = np.ascontiguousarray(bound)[technology, scheme] if len(counts.actions) else counts.count
        # a price may be missing for an action that does not happen: BitNet needs no INT8 product
        energies.append(np.where(counts.count > 0, counts.count * case_prices, 0.0))
    if np.isnan(energies[1]).any():
        case, column = np.argwhere(np.isnan(energies[1]))[0]
        missing = counts.actions[column]
        raise KeyError(technologies[technology[case]].name, missing.action, missing.formats[scheme[case]])
    return Energies(*energies)
