import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitjoule.gates.calibration.fit import nonnegative_fit, relative_errors, table

positive = st.floats(0.01, 100)


@given(st.lists(positive, min_size=3, max_size=3))
def test_energies_that_are_a_sum_of_terms_give_the_terms_back(terms):
    features = np.random.default_rng(0).uniform(1, 10, (12, 3))
    found = nonnegative_fit(features, features @ np.array(terms))
    assert found == pytest.approx(terms, rel=1e-6)


def test_no_term_is_negative_and_leaving_one_out_is_the_optimum_of_the_rest():
    features = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    energies = np.array([3.0, 2.0, 1.0])  # falls by one for each of the second
    found = nonnegative_fit(features, energies)
    assert found[1] == 0.0
    weights = 1 / energies
    assert found[0] == pytest.approx(weights.sum() / (weights**2).sum())  # least squares of relative errors


def test_a_term_that_never_occurs_is_zero():
    features = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    assert nonnegative_fit(features, np.array([2.0, 4.0, 6.0])) == pytest.approx([2.0, 0.0])


def test_errors_are_relative_to_each_energy():
    features = np.array([[1.0], [1.0]])
    assert relative_errors(features, np.array([1.0, 4.0]), np.array([2.0])) == pytest.approx([1.0, -0.5])


def test_counts_that_are_missing_count_nothing():
    assert table([{"b": 2.0}, {"a": 1.0}], ["a", "b"]).tolist() == [[0.0, 2.0], [1.0, 0.0]]


def test_of_terms_that_occur_together_the_first_takes_all():
    assert nonnegative_fit(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([5.0, 15.0])) == pytest.approx([5.0, 0.0])


def test_energies_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="positive"):
        nonnegative_fit(np.ones((3, 1)), np.array([1.0, 0.0, 2.0]))
