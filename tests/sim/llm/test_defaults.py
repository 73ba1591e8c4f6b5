"""What a config.json leaves out is what transformers' configuration classes assume."""

import json
import warnings
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.sim.llm.checkpoints.model_config import read_model_config
from bitjoule.sim.llm.defaults import model_types
from tests.sim.folders import CONFIG

# of the classes of transformers 5
CLASSES = {
    "bitnet": ("BitNetConfig", 1e-5, 500_000.0),
    **{name.lower(): (f"{name}Config", 1e-6, 10_000.0) for name in ("Llama", "Mistral", "Qwen2", "Qwen3")},
}


def read(folder: Path, model_type: str) -> tuple[float, float]:
    """Return the norms' epsilon and the rotary base of a config.json that states neither."""
    bare = {key: value for key, value in CONFIG.items() if key != "quantization_config"}
    (folder / "config.json").write_text(json.dumps(bare | {"model_type": model_type}))
    config = read_model_config(folder, "model")
    return config.norm_epsilon, config.rope.theta


@pytest.mark.parametrize("model_type", CLASSES)
def test_epsilon_and_base_that_are_left_out_are_those_of_the_type(tmp_path: Path, model_type: str) -> None:
    assert read(tmp_path, model_type) == CLASSES[model_type][1:]


@pytest.mark.slow
@pytest.mark.parametrize("model_type", CLASSES)
def test_transformers_assumes_the_same(tmp_path: Path, model_type: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
    config = getattr(transformers, CLASSES[model_type][0])()
    assert config.model_type == model_type
    assert read(tmp_path, model_type) == (config.rms_norm_eps, config.rope_parameters["rope_theta"])


def test_epsilon_and_base_that_are_written_are_taken(tmp_path: Path) -> None:
    written = {"rms_norm_eps": 3e-4, "rope_theta": 1234.5, "quantization_config": None}
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | written))
    config = read_model_config(tmp_path, "model")
    assert (config.norm_epsilon, config.rope.theta) == (3e-4, 1234.5)
    nested = {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}, "quantization_config": None}
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | nested))
    assert read_model_config(tmp_path, "model").rope.theta == 77.0


def test_every_type_that_runs_has_its_defaults_and_their_source() -> None:
    assert set(model_types().types) == set(CLASSES)
    assert {found.configuration_class for found in model_types().types.values()} == {row[0] for row in CLASSES.values()}
    assert set(keys(model_types().source)) <= set(sources())
    assert "5.24.0" in model_types().where


@pytest.mark.slow
def test_a_quantisation_norms_epsilon_is_that_of_transformers() -> None:
    module = pytest.importorskip("transformers.utils.quantization_config")
    default = model_types().quantisation_norm_epsilon
    assert getattr(module, default.configuration_class)().rms_norm_eps == default.value


def test_a_quantisation_norm_takes_its_own_epsilon(tmp_path: Path) -> None:
    quantisation = CONFIG["quantization_config"] | {"use_rms_norm": True}
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": quantisation}))
    assert read_model_config(tmp_path, "model").scheme.norm_epsilon == 1e-6
    written = quantisation | {"rms_norm_eps": 2e-3}
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": written}))
    assert read_model_config(tmp_path, "model").scheme.norm_epsilon == 2e-3
