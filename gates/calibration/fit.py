"""A linear energy model of an array: what each MAC, load, column, lane and cycle adds."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def nonnegative_fit(features: Floats, energies: Floats) -> Floats:
    """Return the coefficients, none negative, whose sums are relatively closest to the energies.

    Least squares of the relative errors. A term that the measurements cannot tell from those before it is left out: the
    first are the most important. So are terms that would be negative, the most negative first, until none is: with a
    handful of terms that is Lawson and Hanson's optimum or next to it, and always the same.

    Parameters
    ----------
    features
        Counts, shape (measurements, terms).
    energies
        Shape (measurements,), positive.

    Raises
    ------
    ValueError
        An energy is not positive.
    """
    count, terms = features.shape
    if not (energies > 0).all():
        raise ValueError("an energy is not positive")
    scaled = features / energies[:, np.newaxis]
    coefficients = np.zeros(terms)
    selected = identifiable(features)
    while selected:
        solution = np.linalg.lstsq(scaled[:, selected], np.ones(count), rcond=None)[0]
        if (solution >= 0).all():
            coefficients[selected] = solution
            break
        selected.pop(int(np.argmin(solution * np.abs(scaled[:, selected]).max(axis=0))))
    return coefficients


def identifiable(features: Floats) -> list[int]:
    """Return the terms that the measurements determine independently of those before them.

    Parameters
    ----------
    features
        As for `nonnegative_fit`.
    """
    independent: list[int] = []
    scaled = features / np.maximum(features.max(axis=0), 1e-300)
    for term in range(features.shape[1]):
        if np.linalg.matrix_rank(scaled[:, [*independent, term]]) > len(independent):
            independent.append(term)
    return independent


def relative_errors(features: Floats, energies: Floats, coefficients: Floats) -> Floats:
    """Return how far the model is from each energy, relative to it.

    Parameters
    ----------
    features, energies
        As for `nonnegative_fit`.
    coefficients
        Of the terms.
    """
    return features @ coefficients / energies - 1.0


def table(rows: Sequence[Mapping[str, float]], terms: Sequence[str]) -> Floats:
    """Return counts as an array of shape (rows, terms).

    Parameters
    ----------
    rows
        Counts by term; a term that is not there counts nothing.
    terms
        Their order.
    """
    return np.array([[row.get(term, 0.0) for term in terms] for row in rows])
