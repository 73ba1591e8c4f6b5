"""Names, paths and overrides become models, schemes and technologies."""

from pathlib import Path

import pandas as pd
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import find_experiment, shipped_experiments

CONFIGS = Path(__file__).parents[2] / "energy_models" / "configs"


def test_a_shipped_name_and_a_file_are_both_found(tmp_path, monkeypatch):
    assert find_experiment("bitnet_table1") == shipped_experiments("energy")["bitnet_table1"]
    monkeypatch.chdir(tmp_path)
    assert find_experiment("sub/x.yaml") == Path("sub/x.yaml")
    (tmp_path / "own").write_text("")
    assert find_experiment("own") == Path("own")
    (tmp_path / "bitnet_table1").mkdir()  # an earlier result hides no experiment
    assert find_experiment("bitnet_table1") == shipped_experiments("energy")["bitnet_table1"]
    with pytest.raises(InputError, match="did you mean 'bitnet_table1'"):
        find_experiment("bitnet_tabel1")


def test_a_model_may_be_named_written_out_or_read_from_a_config(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_bytes((CONFIGS / "llama-7b" / "config.json").read_bytes())
    path = tmp_path / "x.yaml"
    path.write_text(
        "name: x\nschemes: [fp16]\ntechnologies: [7nm]\nmodels:\n  - llama-7b\n  - mine/config.json\n"
        "  - {name: tiny, layers: 1, hidden: 4, heads: 2, ffn: 8, ffn_gated: true, activation: silu, vocabulary: 5}\n"
    )
    models = read_experiment(path).models
    assert list(models) == ["llama-7b", "mine", "tiny"]
    assert models["mine"].parameters == models["llama-7b"].parameters == presets()["llama-7b"].parameters
    assert models["tiny"].parameters == 4 * 16 + 3 * 32 + 2 * 4 + 4 * (2 * 5 + 1)


def test_models_read_from_their_configs_give_the_tables_of_their_presets(tmp_path):
    names = sorted(folder.name for folder in CONFIGS.iterdir())
    assert len(names) >= 5
    text = "name: x\nschemes: [fp16, int8, bitnet]\ntechnologies: [45nm, 7nm]\nworkload: {new_tokens: 3}\nmodels: "
    (tmp_path / "presets.yaml").write_text(f"{text}{names}\n")
    (tmp_path / "configs.yaml").write_text(f"{text}{[f'{CONFIGS}/{name}/config.json' for name in names]}\n")
    presets_result = run(read_experiment(tmp_path / "presets.yaml"))
    configs_result = run(read_experiment(tmp_path / "configs.yaml"))
    pd.testing.assert_frame_equal(presets_result.results, configs_result.results, check_exact=True)
    pd.testing.assert_frame_equal(presets_result.summary, configs_result.summary, check_exact=True)


def test_a_scheme_may_be_written_out(resolved):
    own = "{name: w1a16, weights: binary, activations: fp16, attention: fp16, rescale: fp16}"
    schemes = resolved(f"name: x\nmodels: [llama-7b]\nschemes: [fp16, {own}]\ntechnologies: [7nm]\n").schemes
    assert list(schemes) == ["fp16", "w1a16"]
    assert not schemes["w1a16"].quantises_activations


def test_set_changes_and_adds_values(resolved, small):
    changed = resolved(small, "workload.prompt_tokens=[7, 9]", "name=other", "models.0=opt-125m").experiment
    assert changed.workload is not None
    assert changed.workload.prompt_tokens == [7, 9]
    assert changed.workload.batch == 2
    assert changed.name == "other"
    assert changed.models == ["opt-125m", "llama-3-8b"]
    assert (
        resolved(
            "name: x\nmodels: [llama-7b]\nschemes: [fp16]\ntechnologies: [7nm]\n", "workload.batch=3"
        ).experiment.workload.batch
        == 3
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("workload.batsh=3", "--set workload.batsh=3:1: workload.batsh: unknown key (did you mean 'batch'?)"),
        ("workload.batch=-3", "--set workload.batch=-3:1: workload.batch: got -3; expected greater than or equal to 1"),
        ("plots=[{kind: foo}]", "--set plots=[{kind: foo}]:1: plots[0].kind: 'foo' is unknown"),
        (
            "workload.batch={start: 1, stop: 900000, step: 1}",
            "--set workload.batch={start: 1, stop: 900000, step: 1}:1: workload",
        ),
        ("workload.batch", "--set workload.batch:1: workload.batch: is not key=value"),
        ("=3", "--set =3:1: key: is not key=value"),
        ("name.x=3", "--set name.x=3:1: name.x: does not lead to a value"),
        ("models.7=x", "--set models.7=x:1: models.7: does not lead to a value"),
        ("models=[", "--set models=[:1: file: YAML"),
    ],
)
def test_a_wrong_override_is_named_as_the_place(resolved, small, override, message):
    with pytest.raises(InputError) as error:
        resolved(small, override)
    assert str(error.value).startswith(message)


def test_a_path_set_by_hand_is_relative_to_where_one_stands(monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    path = shipped_experiments("energy")["bitnet_table1"]
    assert list(read_experiment(path, ["models=[./configs/llama-7b]"]).models) == ["llama-7b"]


def test_everything_wrong_is_reported_at_once(resolved, small):
    with pytest.raises(InputError) as error:
        resolved(small.replace("llama-3-8b", "lama").replace("bitnet]", "bitnit]").replace("7nm", "8nm"))
    assert [problem.key for problem in error.value.problems] == ["models[1]", "schemes[1]", "technologies[1]"]


def test_a_baseline_must_be_run(resolved, small):
    with pytest.raises(InputError) as error:
        resolved(small.replace("{scheme: fp16}", "{scheme: fp32}"))
    assert "baseline.scheme: 'fp32' is not in this experiment" in str(error.value)
