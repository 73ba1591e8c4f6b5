"""The overhead of printed memories, from the run to the sentence that quotes it."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule import run_experiment
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.papers.footprint import Overhead
from bitjoule.energy_models.papers.published import published
from bitjoule.reports.energy.machines import overhead_line


def test_the_line_says_how_many_tokens_of_an_fp16_kv_cache_it_is():
    """A token keeps a key and a value of two bytes for each layer and unit of width."""
    line = overhead_line(SimpleNamespace(overhead=Overhead(8.3e7, 10_800.0, 7)))
    printed = re.search(r"([\d.]+) MB and ([\d.]+) kB for each layer.* ([\d.]+) tokens\), .* the (\d+) numbers", line)
    assert printed is not None, line
    fixed_mb, kb_per_value, tokens, samples = map(float, printed.groups())
    assert (fixed_mb, kb_per_value, samples) == (83, 10.8, 7)
    assert tokens == pytest.approx(10_800 / (2 * 2), rel=0.02)  # two digits
    assert overhead_line(SimpleNamespace(overhead=None)) == ""


def test_a_run_fits_the_overhead_over_layers_times_width():
    result = run_experiment("memory_footprint", ["plots=[]"])
    rows = [row for row in published("b158_memory") if row.quantity == "memory_gb"]
    values, missing = [], []
    for row in rows:
        shape = presets()[row.model]
        tables = shape.vocabulary * shape.hidden * (1 if shape.tied_embedding else 2)
        linears = shape.layers * sum(linear.in_features * linear.out_features for linear in shape.linears)
        bits = linears * (16 if row.scheme == "fp16" else 2) + (shape.parameters - linears) * 16
        assert shape.parameters > linears + tables
        values.append([shape.layers * shape.hidden, 1])
        missing.append(float(row.printed) * 1e9 - bits / 8)
    slope, fixed = np.linalg.lstsq(np.array(values, dtype=float), np.array(missing), rcond=None)[0]
    assert result.overhead is not None
    assert result.overhead.bytes_per_value == pytest.approx(slope, rel=1e-6)
    assert result.overhead.fixed_bytes == pytest.approx(fixed, rel=1e-6)
    assert result.overhead.samples == len(rows) == 7
