"""Operations times prices: joules."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.papers.arithmetic import Counts
from bitjoule.energy_models.prices.technology import Technology

TERMS = frozenset({"weights", "keys", "values", "partial_sums"})  # operands of sums of products


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
    return [
        [
            [
                technology.term_key(action.action, action.weights[s], action.formats[s])
                if action.operand in TERMS
                else technology.price_key(action.action, action.formats[s])
                for action in counts.actions
            ]
            for s in range(len(counts.actions[0].formats) if counts.actions else 0)
        ]
        for technology in technologies
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
    schemes = len(counts.actions[0].formats) if counts.actions else 0
    prices = np.full((3, len(technologies), schemes, len(counts.actions)), np.nan)
    for t, at_node in enumerate(technologies):
        for a, action in enumerate(counts.actions):
            for s, number_format in enumerate(action.formats):
                if not at_node.has_price(action.action, number_format):
                    continue
                if action.operand in TERMS:
                    prices[:, t, s, a] = at_node.term_price(action.action, action.weights[s], number_format)
                else:
                    prices[:, t, s, a] = at_node.price(action.action, number_format)
    energies = []
    for bound in prices:
        case_prices = bound[technology, scheme] if len(counts.actions) else counts.count
        # a price may be missing for an action that does not happen: BitNet needs no INT8 product
        energies.append(np.where(counts.count > 0, counts.count * case_prices, 0.0))
    if np.isnan(energies[1]).any():
        case, column = np.argwhere(np.isnan(energies[1]))[0]
        missing = counts.actions[column]
        raise KeyError(technologies[technology[case]].name, missing.action, missing.formats[scheme[case]])
    return Energies(*energies)
