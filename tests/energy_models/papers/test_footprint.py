"""The overhead of printed memories: what it was made with comes back."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.papers.footprint import BYTES_PER_GB, Overhead, Sample, fit
from bitjoule.energy_models.papers.published import published

FIXED_BYTES, BYTES_PER_VALUE = 3e8, 4096.0


def samples(fixed_bytes: float, bytes_per_value: float, values: list[int]) -> list[Sample]:
    stored = [1e9 + 1e4 * value for value in values]
    return [Sample(s + fixed_bytes + bytes_per_value * v, s, v) for s, v in zip(stored, values, strict=True)]


@given(
    fixed_bytes=st.floats(-1e9, 1e9),
    bytes_per_value=st.floats(0, 1e5),
    values=st.lists(st.integers(1, 500_000), min_size=2, max_size=12, unique=True),
)
def test_a_known_overhead_is_found_again(fixed_bytes, bytes_per_value, values):
    found = fit(samples(fixed_bytes, bytes_per_value, values))
    for value in values:
        expected = fixed_bytes + bytes_per_value * value
        assert found.of(value) == pytest.approx(expected, rel=1e-6, abs=10)  # ten bytes of gigabytes


def test_the_two_parts_of_an_overhead_are_told_apart():
    found = fit(samples(FIXED_BYTES, BYTES_PER_VALUE, [36_864, 49_152, 83_200]))
    assert found.fixed_bytes == pytest.approx(FIXED_BYTES, rel=1e-9)
    assert found.bytes_per_value == pytest.approx(BYTES_PER_VALUE, rel=1e-9)
    assert found.samples == 3


def test_models_of_one_size_fix_the_constant_alone():
    alike = [Sample(2e9, 1e9, 100), Sample(4e9, 2e9, 100)]
    assert fit(alike) == Overhead(1.5e9, 0.0, 2)
    assert fit(alike[:1]) == Overhead(1e9, 0.0, 1)


def test_noise_around_a_line_leaves_no_trend():
    values = np.array([10_000, 20_000, 30_000, 40_000])
    noise = np.array([1e6, -1e6, -1e6, 1e6])  # orthogonal to a constant and to the values
    exact = samples(FIXED_BYTES, BYTES_PER_VALUE, values.tolist())
    noisy = [s._replace(printed_bytes=s.printed_bytes + n) for s, n in zip(exact, noise, strict=True)]
    found = fit(noisy)
    assert found.fixed_bytes == pytest.approx(FIXED_BYTES, rel=1e-6)
    assert found.bytes_per_value == pytest.approx(BYTES_PER_VALUE, rel=1e-6)


def test_what_the_paper_prints_is_more_than_weights_and_tables_alone():
    rows = [row for row in published("b158_memory") if row.quantity == "memory_gb"]
    assert len(rows) == 7
    for row in rows:
        shape = presets()[row.model]
        tables = shape.vocabulary * shape.hidden * (1 if shape.tied_embedding else 2)
        weight_bits = 16 if row.scheme == "fp16" else 2
        stored_gb = ((shape.parameters - tables) * weight_bits + tables * 16) / 8 / BYTES_PER_GB
        assert float(row.printed) > stored_gb, row


def test_the_fit_is_the_exact_least_squares_solution_whatever_the_processor():
    """Rational arithmetic has no rounding; a linear-algebra library's last digits depend on its kernels."""
    rows = [(36864.0, 1.9e9), (49152.0, 2.7e9), (83200.0, 6.05e9), (83200.0, 8.9e9), (655360.0, 3.3e10)]
    fitted = fit([Sample(printed_bytes=b, stored_bytes=0.5 * b, cached_values=v) for v, b in rows])
    values, bytes_ = [Fraction(v) for v, _ in rows], [Fraction(b) / 2 for _, b in rows]
    n = len(rows)
    square = n * sum(v * v for v in values) - sum(values) ** 2
    slope = (n * sum(v * b for v, b in zip(values, bytes_, strict=True)) - sum(values) * sum(bytes_)) / square
    fixed = (sum(bytes_) - slope * sum(values)) / n
    assert fitted.bytes_per_value == pytest.approx(float(slope), rel=1e-15)
    assert fitted.fixed_bytes == pytest.approx(float(fixed), rel=4e-15)
