"""Rows of a package that others made: which are taken, and that people's paths in it are not read."""

import csv

import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.machines import engine_rows as module
from bitjoule.energy_models.machines.engine_rows import NEEDED, EngineRow, by_case, engine_rows, installed, names
from bitjoule.energy_models.machines.engines import engines
from bitjoule.energy_models.machines.names import measured_schemes

ROW = {
    "backend": "vllm", "model_path": "Qwen/Qwen3-32B", "system": "h100_sxm", "precision": "", "mode": "agg",
    "isl": "1024", "osl": "128", "batch_size": "8.0", "tp_size": "2.0", "pp_size": "1.0", "silicon_ttft_ms": "150",
    "silicon_tpot_ms": "18",
}  # fmt: skip


def written(tmp_path, *changes, columns=("silicon_data_source", *NEEDED)):
    path = tmp_path / "silicon_sample.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({"silicon_data_source": "/home/someone/secret", **ROW, **change} for change in changes)
    return path


def test_rows_of_known_names_on_one_engine_are_taken(tmp_path):
    left = [{"mode": "disagg"}, {"model_path": "deepseek-ai/DeepSeek-R1"}, {"system": "gb200"}, {"precision": "int4"},
            {"pp_size": "2"}, {"batch_size": ""}, {"silicon_tpot_ms": "0"}]  # fmt: skip
    (row,) = engine_rows(written(tmp_path, {}, *left))
    assert row == EngineRow("h100", "qwen3-32b", "bf16", "vllm", 2, 8.0, 1024.0, 128.0, 0.15, 0.018)
    assert "someone" not in str(row)


def test_cases_are_rows_of_one_machine_model_scheme_engine_and_number_of_chips(tmp_path):
    rows = engine_rows(written(tmp_path, {}, {"osl": "256"}, {"tp_size": "4"}))
    assert list(by_case(rows).values()) == [[0, 1], [2]]


def test_another_file_and_a_package_that_is_missing_are_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="has no column osl; expected backend"):
        engine_rows(written(tmp_path, {}, columns=[name for name in NEEDED if name != "osl"]))
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(InputError, match=r"aiconfigurator-core:1: file: is not installed; expected pip install"):
        installed()


def test_every_name_stands_for_something_of_ours():
    known = names()
    assert {ours for (kind, _), ours in known.items() if kind == "model"} <= set(presets())
    schemes = {ours for (kind, _), ours in known.items() if kind == "precision"}
    assert schemes <= set(measured_schemes())
    assert engines()
