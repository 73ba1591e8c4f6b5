"""The package as a Python user meets it."""

import pytest

import bitjoule
from bitjoule.energy_models.errors import InputError


def test_an_experiment_runs_from_python():
    result = bitjoule.run_experiment("bitnet_table1", ["technologies=[7nm]"])
    assert set(result.summary["technology"]) == {"7nm"}
    assert result.results["energy_pj"].sum() / 1e12 == pytest.approx(result.summary["energy_j"].sum())


def test_a_wrong_experiment_raises_for_a_python_user():
    with pytest.raises(InputError, match="did you mean 'bitnet_table1'"):
        bitjoule.run_experiment("bitnet_tabel1")
