"""A name, a path, or all of it: whatever is named, the same faults are told in the same words."""

from hashlib import sha256
from pathlib import Path

import gguf
import pytest
import yaml

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.platform.platforms import FOLDER, platforms, read_platform
from bitjoule.execution import read
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.names.doubts import doubts
from bitjoule.experiments.names.libraries import read_library
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.models import MODELS, read_models
from bitjoule.experiments.names.technologies import read_technology
from tests.energy_models.model_files.test_gguf_shape import toy
from tests.experiments.technology_files import OPERATIONS, write_technology

ROOT = Path(__file__).parents[2]

ENERGY = {"name": "x", "models": ["bitnet-125m"], "schemes": ["fp16"], "technologies": ["7nm"]}
SYSTEM = {**ENERGY, "accounting": "system", "platforms": ["fp16-edge"]}
GATES = {"name": "x", "gates": {"arrays": ["tiny_8x4"], "stimuli": ["worst"]}}
ONES = {  # an experiment, the key of a list in it, what its entries are, and what a path should lead to
    "model": (ENERGY, "models", "model", "a config.json, a GGUF file, or the directory of one"),
    "technology": (ENERGY, "technologies", "technology",
                   "a technology that `bitjoule calibrate` wrote, or a table of prices (.csv)"),
    "other technology": ({"name": "x", "compare": [["45nm", "7nm"]]}, "compare[0]", "technology",
                         "a technology that `bitjoule calibrate` wrote, or a table of prices (.csv)"),
    "platform": (SYSTEM, "platforms", "platform", "a platform's YAML"),
    "array": (GATES, "gates.arrays", "accelerator", "an accelerator's YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONES)
def test_what_is_not_there_is_told_in_the_same_words(name):
    experiment, key, kind, file = ONES[name]
    at = f"{key}[0]"
    for text, says in (
        ("nowhere/x.json", f"override of {at}:1: {at}: 'nowhere/x.json' not found; expected {file}"),
        ("nothing", f"override of {at}:1: {at}: unknown {kind} 'nothing'; expected one of "),
    ):
        with pytest.raises(InputError) as raised:
            read(experiment, {at: text})
        assert str(raised.value).startswith(says)


def test_two_of_one_name_are_told_where_the_second_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fp16-edge.yaml").write_text("like: fp16-hbm\n")
    (tmp_path / "bitnet-125m").mkdir()
    config = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"
    (tmp_path / "bitnet-125m" / "config.json").write_bytes(config.read_bytes())
    write_technology(tmp_path / "7nm.yaml")
    twice = {
        "models": ["bitnet-125m", "./bitnet-125m"],
        "technologies": ["7nm", "7nm.yaml"],
        "platforms": ["fp16-edge", "fp16-edge.yaml"],
    }
    with pytest.raises(InputError) as raised:
        read({**SYSTEM, **twice})
    assert str(raised.value).splitlines() == [
        "experiment:1: models[1]: duplicate model 'bitnet-125m'; expected each name once",
        "experiment:1: technologies[1]: duplicate technology '7nm'; expected each name once",
        "experiment:1: platforms[1]: duplicate platform 'fp16-edge'; expected each name once",
    ]


def test_everything_that_is_wrong_with_a_file_is_told_in_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("like: ternary-edge\nvector: {lanes: 0}\noff_chip: {bandwidth_gb_per_s: -1}\n")
    with pytest.raises(InputError) as raised:
        read(SYSTEM | {"platforms": [str(path), "edgy"]})
    found = [(problem.file, problem.line, problem.key) for problem in raised.value.problems]
    assert found[-1][2] == "platforms[1]"
    assert sorted(found[:-1]) == [(str(path), 2, "vector.lanes"), (str(path), 3, "off_chip.bandwidth_gb_per_s")]


def test_a_scheme_and_a_technology_written_out_are_run_and_not_those_shipped_under_their_names(resolved, tmp_path):
    technology = {"name": "7nm", **yaml.safe_load(write_technology(tmp_path / "made_up.yaml").read_text())}
    int8 = {"name": "fp16", "weights": "int8", "activations": "int8", "attention": "fp16", "rescale": "fp16"}
    products = {"name": "x", "accounting": "mac", "matmuls": [{"m": 2, "k": 3, "n": 5}]}
    experiment = {**products, "schemes": [int8], "technologies": [technology]}
    (row,) = run(resolved(yaml.safe_dump(experiment))).summary.to_dict("records")
    assert (row["scheme"], row["technology"]) == ("fp16", "7nm")
    pj = 2 * 3 * 5 * (OPERATIONS["mul", "int8"] + OPERATIONS["add", "int8"])
    assert 1e12 * row["energy_j"] == pytest.approx(pj, rel=1e-12)


def test_a_model_and_a_platform_written_out_are_run_and_not_those_shipped_under_their_names(resolved):
    hidden, ffn, vocabulary = 4, 8, 5
    shape = {"name": "bitnet-125m", "layers": 1, "hidden": hidden, "heads": 2, "ffn": ffn, "ffn_gated": True}
    platform = {"name": "fp16-edge", **yaml.safe_load((FOLDER / "fp16-hbm.yaml").read_text())}
    experiment = {
        **SYSTEM, "models": [{**shape, "activation": "silu", "vocabulary": vocabulary}],
        "platforms": [platform, {"name": "set", "by_scheme": {"fp16": platform}}],
    }  # fmt: skip
    read_in = resolved(yaml.safe_dump(experiment))
    # Four projections of attention, three of a gated feed-forward part; both vocabulary tables; three norms.
    by_hand = 4 * hidden**2 + 3 * hidden * ffn + 2 * vocabulary * hidden + 3 * hidden
    assert read_in.models["bitnet-125m"].parameters == by_hand
    for machines in read_in.platforms.values():
        _, written = machines["fp16"]
        assert written.off_chip == platforms()["fp16-hbm"].off_chip != platforms()["fp16-edge"].off_chip


def test_a_snapshot_in_a_cache_of_the_hub_has_the_name_of_its_model():
    folder = Path("hub") / "models--org--My-Model-8B" / "snapshots" / ("0123456789abcdef" * 2 + "01234567")
    assert MODELS.name(folder / "config.json") == "My-Model-8B"
    assert MODELS.name(Path("snapshots") / "mine" / "config.json") == "mine"
    assert MODELS.name(Path("other") / "mine.json") == "mine"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a" * 103 + ".gguf", "a" * 100),
        ("mine-00001-of-00003.gguf", "mine"),
        ("mine-1-of-3.gguf", "mine-1-of-3"),
        ("_mine é.gguf", "mine--"),
        ("é.gguf", "model"),
    ],
)
def test_a_file_of_any_name_has_one_that_may_be_written_without_the_number_of_its_shard(file, name):
    assert MODELS.name(Path(file)) == name


NAMED = {
    "models": {"layers": 1, "hidden": 4, "heads": 2, "ffn": 8, "ffn_gated": True, "activation": "silu",
               "vocabulary": 5},
    "schemes": {"weights": "int8", "activations": "int8", "attention": "fp16"},
    "platforms": {"like": "fp16-edge"},
    "technologies": {"like": "7nm-measured"},
}  # fmt: skip


@pytest.mark.parametrize("key", NAMED)
@pytest.mark.parametrize("name", ["-x", ".x", "_x", "+x", "x y", "a/b", ""])
def test_a_name_begins_with_a_letter_or_a_digit_and_is_one_of_a_folder(key, name):
    with pytest.raises(InputError) as raised:
        read(SYSTEM | {key: [{"name": name, **NAMED[key]}]})
    (problem,) = raised.value.problems
    assert problem.key == f"{key}[0].name"
    assert f"{name!r}" in problem.wrong or not name


def test_a_name_on_the_hub_is_a_folder_where_there_is_one_beside_the_experiment(tmp_path, monkeypatch):
    """Beside the file, and not where the user stands."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"
    found = {}
    for place in ("experiments", "here"):
        folder = tmp_path / place / "Qwen" / "Qwen3-0.6B"
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(config.read_bytes())
        experiment = tmp_path / "experiments" / "x.yaml"
        experiment.write_text(yaml.safe_dump(ENERGY | {"models": ["Qwen/Qwen3-0.6B"]}))
        found[place] = list(read(experiment).ready.work.models)
        (folder / "config.json").unlink()
        folder.rmdir()
    assert found == {"experiments": ["Qwen3-0.6B"], "here": ["qwen3-0.6b"]}


def test_a_size_that_is_named_twice_is_refused():
    sizes = [{"m": 2, "k": 3, "n": 5}, {"m": 2, "k": 5, "n": 3}, {"m": 2, "k": 3, "n": 5}]
    products = {"name": "x", "accounting": "mac", "schemes": ["fp16"], "technologies": ["7nm"]}
    assert list(read(products | {"matmuls": sizes[:2]}).ready.work.models) == ["2x3x5", "2x5x3"]
    with pytest.raises(InputError) as raised:
        read(products | {"matmuls": sizes})
    assert str(raised.value) == "experiment:1: matmuls: duplicate size; expected each size once"


@pytest.mark.parametrize(
    "kind",
    [
        {"serving": {"chunk_tokens": 0}, "workload": {"prompt_tokens": 4, "new_tokens": 2}},
        {"training": {"tokens": 1e9, "sequence_tokens": 64}},
    ],
    ids=["serving", "training"],
)
def test_a_baseline_that_is_not_run_is_told_with_what_is_meant_and_all_in_their_order(kind):
    machines = {key: value for key, value in SYSTEM.items() if key != "accounting"}
    schemes = {"schemes": ["int8", "bitnet-b1.58", "fp16"], "baseline": {"scheme": "fp61"}}
    with pytest.raises(InputError) as raised:
        read(machines | schemes | kind)
    (problem,) = raised.value.problems
    assert (problem.key, problem.wrong, problem.expected) == (
        "baseline.scheme", "'fp61' is not in this experiment (did you mean 'fp16'?)",
        "one of int8, bitnet-b1.58, fp16",
    )  # fmt: skip


def test_every_fault_of_a_configuration_that_is_written_out_is_told_at_its_key():
    array = {"name": "mine", "config": {"lanes": 7, "columns": 65, "max_k": 64, "weight_bus_bits": 128}}
    with pytest.raises(InputError) as raised:
        read(GATES | {"gates": {**GATES["gates"], "arrays": [array]}})
    assert [(problem.key, problem.wrong) for problem in raised.value.problems][:2] == [
        ("gates.arrays[0].config.lanes", "got 7"), ("gates.arrays[0].config.columns", "got 65"),
    ]  # fmt: skip


def test_what_is_doubtful_in_a_platform_names_what_was_not_scaled_before_what_is_no_machine(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "like: ternary-edge\narrays: {adders: {lanes: 128}}\noff_chip: {bandwidth_gb_per_s: 90000}\n"
        "sources: {arrays.adders.lanes: mine, off_chip.bandwidth_gb_per_s: mine}\n"
    )
    platform = read_platform(tmp_path / "mine.yaml")
    lines = [line.removeprefix("platform mine: ") for line in doubts("mine", platform)]
    assert lines[: len(platform.unscaled)] == list(platform.unscaled)
    assert 0 < len(platform.unscaled) < len(lines)
    assert any("load_bits_per_cycle" in line for line in lines[: len(platform.unscaled)])


def test_a_pattern_of_libraries_takes_files_in_their_order_and_no_folders(tmp_path, monkeypatch):
    for name in ("b.lib", "a.lib", "a.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "old.lib").mkdir()
    (tmp_path / "x.yaml").write_text("gates: {libraries: [['*.lib']]}\n")
    lookup = Lookup(read_document(tmp_path / "x.yaml"), [], {})
    at = ("gates", "libraries", 0)
    assert read_library(lookup, ["*.lib"], at) == [str(tmp_path / name) for name in ("a.lib", "b.lib")]
    assert read_library(lookup, ["freepdk45"], at) == ["freepdk45"]
    monkeypatch.chdir(tmp_path.parent)  # files of a path that is relative are found from anywhere
    near = Lookup(read_document(Path(tmp_path.name) / "x.yaml"), [], {})
    assert read_library(near, ["b.lib", "a.lib"], at) == [str(tmp_path / name) for name in ("b.lib", "a.lib")]
    assert read_library(lookup, ["freepdk45", "a.lib"], at) == [str(tmp_path / "a.lib")]
    assert [problem.wrong for problem in lookup.problems] == ["'freepdk45' not found"]
    lookup.problems.clear()
    assert lookup.problems == []
    for name in ("old.lib", "old*", "c.lib"):
        assert read_library(lookup, [name], at) == []
    assert [problem.wrong for problem in lookup.problems] == [
        f"{name!r} not found" for name in ("old.lib", "old*", "c.lib")
    ]


def test_of_a_gguf_file_the_header_is_recorded_as_such_and_of_others_all(tmp_path):
    whole = toy(tmp_path).read_bytes()
    header = whole[: gguf.GGUFReader(tmp_path / "m.gguf").data_offset]
    assert len(header) < len(whole)
    write_technology(tmp_path / "made.yaml")
    (tmp_path / "x.yaml").write_text("models: [m.gguf]\n")
    lookup = Lookup(read_document(tmp_path / "x.yaml"), [], {})
    assert list(read_models(lookup, ["m.gguf"], None)) == ["m"]
    assert read_technology(lookup, "made.yaml", ("technologies", 0)) is not None
    assert lookup.problems == []
    made = (tmp_path / "made.yaml").read_bytes()
    assert lookup.inputs == {"m.gguf (header)": sha256(header).hexdigest(), "made.yaml": sha256(made).hexdigest()}
