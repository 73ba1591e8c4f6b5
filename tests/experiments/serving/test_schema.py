"""What a serving experiment may say: sweeps, names, and the message for each thing wrong."""

import json
import re

import pytest
import yaml

from bitjoule.energy_models.catalog import listing
from bitjoule.energy_models.inputs.documents import parse_document, read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.serving.option_sources import described
from bitjoule.energy_models.serving.options import Options
from bitjoule.experiments.serving.resolve import resolve
from tests.boundaries import refused_at_a_bound

GOOD = """\
name: good
models: [bitnet-125m]
schemes: [fp16, int8]
technologies: [7nm]
platforms: [fp16-hbm]
workload: {prompt_tokens: 64, new_tokens: 8, batch: 2}
serving:
  chunk_tokens: 0
  ways:
    - {name: plain}
    - {name: chunks, chunk_tokens: [16, 32]}
    - {name: draft, draft: bitnet-125m, draft_tokens: 2, acceptance: 0.5}
"""


def resolved(text):
    return resolve(parse_document(text, "f.yaml"))


def test_ways_and_what_they_sweep_are_named_in_order():
    found = resolved(GOOD)
    assert [way.name for way in found.ways] == ["plain", "chunks chunk_tokens 16", "chunks chunk_tokens 32", "draft"]
    assert [way.chunk_tokens for way in found.ways] == [0, 16, 32, 0]
    assert found.experiment.size == "8 cases"


def test_options_without_ways_are_swept_together():
    start = GOOD[: GOOD.index("serving:")]
    found = resolved(start + "serving: {chunk_tokens: [0, 16], prefix_hit_share: [0, 0.5]}\n")
    assert [(way.chunk_tokens, way.prefix_hit_share) for way in found.ways] == [(0, 0), (0, 0.5), (16, 0), (16, 0.5)]
    assert found.ways[1].name == "chunk_tokens 0 prefix_hit_share 0.5"


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("link: [nvlink-c2c, {energy_pj_per_bit: {low: 1, nominal: 1.5, high: 4}, bandwidth_gb_per_s: 20, "
         "latency_us: 3}]", ["link nvlink-c2c", "link 1.5 pJ 20 GB 3 us"]),
        ("host_link: [{energy_pj_per_bit: 2, bandwidth_gb_per_s: 0.5}, pcie5-x16]",
         ["host_link 2 pJ 0.5 GB 0 us", "host_link pcie5-x16"]),
        ("reduce_statistics: [true, false], attention: [fused, separate]",
         [f"attention {attention} reduce_statistics {reduces}"
          for attention in ("fused", "separate") for reduces in ("true", "false")]),
        ("requests_per_s: 1, max_batch: 2, new_lengths: [fixed, geometric, {uniform: 0.5}, {lognormal: 1.25}, "
         "{tokens: [3, 5], requests: [1, 2]}, {tokens: [3], name: short}]",
         [f"new_lengths {of}" for of in ("fixed", "geometric", "uniform 0.5", "lognormal 1.25", "2 lengths", "short")]),
        ("requests_per_s: [0.5, 1e3], max_batch: 2", ["requests_per_s 0.5", "requests_per_s 1000.0"]),
    ],
)  # fmt: skip
def test_a_sweep_over_what_has_no_name_says_what_it_is(keys, names):
    found = resolved(GOOD[: GOOD.index("serving:")] + f"serving: {{{keys}}}\n")
    assert [way.name for way in found.ways] == names


def test_drafts_of_the_experiment_are_found_by_name():
    small = (
        "drafts:\n  - {name: small, layers: 1, hidden: 64, heads: 2, ffn: 64, ffn_gated: true, activation: silu, "
        "vocabulary: 100}\n"
    )
    assert resolved(small + GOOD.replace("draft: bitnet-125m", "draft: small")).drafts["small"].layers == 1


WRONG = [
    ("chunk_tokens: [16, 32]", "chunk_token: 16", "11: serving.ways[1].chunk_token: unknown key (did you mean 'chunk_t"),
    ("chunk_tokens: [16, 32]", "chunk_tokens: -1", "11: serving.ways[1].chunk_tokens: got -1; expected greater than"),
    ("acceptance: 0.5", "acceptance: 1.5", "12: serving.ways[2].acceptance: got 1.5; expected less than or equal to 1"),
    (", draft_tokens: 2", "", "12: serving.ways[2].draft: draft without draft_tokens; expected both, or neither"),
    (", acceptance: 0.5", "", "12: serving.ways[2].draft: draft without acceptance; expected a probability, 0 to 1"),
    ("{name: plain}", "{name: plain, pipeline_parallel: 13}", "10: serving.ways[0].pipeline_parallel: bitnet-125m: 12 layers"),
    ("{name: plain}", "{name: plain, reserved_tokens: 71}", "10: serving.ways[0].reserved_tokens: 71 reserved tokens for a sequence of 72"),
    ("draft: bitnet-125m", "draft: bitnet-125mb", "12: serving.ways[2].draft: unknown model 'bitnet-125mb' (did you"),
    ("{name: chunks", "{name: plain", None),
    ("name: draft,", "name: plain,", "9: serving.ways: duplicate way 'plain'; expected each name once"),
    ("new_tokens: 8", "new_tokens: 0", "6: workload.new_tokens: requests without new tokens; expected new_tokens >= 1"),
    ("{name: plain}", "{name: plain, tensor_parallel: 5}", "10: serving.ways[0].tensor_parallel: bitnet-125m: heads (12) is"),
    ("{name: plain}", "{name: plain, expert_parallel: 2}", "10: serving.ways[0].expert_parallel: bitnet-125m: experts (1) is"),
    ("{name: plain}", "{name: plain, pipeline_parallel: 2, micro_batches: 3}", "10: serving.ways[0].micro_batches: a batch of 2 in 3 equal parts"),
    ("{name: plain}", "{name: plain, decode_platform: vitallm}", "10: serving.ways[0].decode_platform: no array of platform vi"),
    ("{name: plain}", "{name: plain, micro_batches: 2}", "10: serving.ways[0].micro_batches: 2 micro-batches without a pip"),
    ("{name: plain}", "{name: plain, new_lengths: even}", "10: serving.ways[0].new_lengths: 'even' is unknown; expected one of fixed"),
    (
        "{name: plain}", "{name: plain, requests_per_s: 1, max_batch: 2, new_lengths: {file: no.csv}}",
        "10: serving.ways[0].new_lengths.file: 'no.csv' not found; expected a CSV of lengths",
    ),
    (
        "{name: plain}", "{name: plain, requests_per_s: 1, max_batch: 2, new_lengths: {even: 1}}",
        "10: serving.ways[0].new_lengths.even: unknown key",
    ),
    ("serving:\n", "per_layer: true\nserving:\n", "7: per_layer: per_layer of requests whose steps are shared among"),
    ("serving:\n", "costs: {power_usage_effectiveness: 0.5}\nserving:\n", "7: costs.power_usage_effectiveness: got 0.5"),
    ("{name: plain}", "{name: plain, link: nvlink}", "10: serving.ways[0].link: 'nvlink' is unknown (did you mean 'nvl"),
    ("{name: plain}", "{name: plain, decode_platform: tpu33}", "10: serving.ways[0].decode_platform: unknown platform"),
    ("serving:\n", "baseline: {scheme: int4}\nserving:\n", "7: baseline.scheme: 'int4' is not in this experiment"),
    ("platforms: [fp16-hbm]", "platforms: [tpu32]", "5: platforms[0]: "),
    ("models: [bitnet-125m]", "models: [bitnet-125m, vit-b-16]", "2: models: vit-b-16 generates no tokens; expected models of"),
    ("draft: bitnet-125m", "draft: resnet-18", "12: serving.ways[2].draft: resnet-18 generates no tokens; expected models"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_each_thing_wrong_has_its_line_and_key(old, new, message):
    assert old in GOOD
    text = GOOD.replace(old, new)
    if message is None:
        resolved(text)
        return
    with pytest.raises(InputError) as error:
        resolved(text)
    assert message in "\n".join(map(str, error.value.problems))


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new, message in WRONG if message])
def test_the_least_and_the_most_that_a_message_expects_are_accepted(old, new):
    assert list(refused_at_a_bound(resolved, GOOD, old, new)) == []


def test_a_model_has_as_many_stages_as_layers_at_the_most():
    accepted = resolved(GOOD.replace("{name: plain}", "{name: plain, pipeline_parallel: 12}"))
    assert next(way for way in accepted.ways if way.name == "plain").pipeline_parallel == 12


VALUES = {
    "chunk_tokens": [0, 16], "prefix_hit_share": [0, 0.5], "attention": ["fused", "separate"], "block_tokens": [0, 16],
    "reserved_tokens": [0, 72], "draft": ["bitnet-125m", "bitnet-350m"], "draft_tokens": [1, 2],
    "acceptance": [0.5, 1], "tensor_parallel": [1, 2], "pipeline_parallel": [1, 2], "expert_parallel": [1, 2],
    "micro_batches": [1, 2], "reduce_statistics": [True, False],
    "link": ["serdes-112g", {"energy_pj_per_bit": 1, "bandwidth_gb_per_s": 2}], "decode_platform": ["fp16-hbm-90w", "fp16-edge"],
    "weights_offload_share": [0, 0.5], "cache_offload_share": [0, 0.5],
    "host_link": ["pcie5-x16", {"energy_pj_per_bit": 1, "bandwidth_gb_per_s": 2}], "requests_per_s": [0.1, 0.2],
    "max_batch": [2, 4], "prompt_lengths": ["fixed", {"lognormal": 0.5}],
    "new_lengths": ["geometric", {"tokens": [4, 12]}, {"file": "lengths.csv"}], "prompt_spread": [0, 0.5],
    "first_token_target_s": [1, 2], "token_target_s": [0.01, 0.1],
}  # fmt: skip
BESIDE = {
    "draft": {"draft": "bitnet-125m", "draft_tokens": 2, "acceptance": 0.5}, "micro_batches": {"pipeline_parallel": 2},
    "batching": {"requests_per_s": 0.1, "max_batch": 2},
}  # fmt: skip
NEEDS = dict.fromkeys(("draft_tokens", "acceptance", "draft"), "draft") | {"micro_batches": "micro_batches"}
NEEDS |= dict.fromkeys(
    ("requests_per_s", "max_batch", "prompt_lengths", "new_lengths", "prompt_spread", "first_token_target_s",
     "token_target_s"), "batching",
)  # fmt: skip


def test_the_values_cover_every_option_that_is_listed():
    options = set(Options.model_fields) - {"name"}
    assert set(VALUES) == options == set(described()) == {str(row[0]) for row in listing("serving").rows}


@pytest.mark.parametrize("key", VALUES)
def test_every_option_sweeps(key, tmp_path):
    (tmp_path / "lengths.csv").write_text("tokens\n4\n8\n")
    document = yaml.safe_load(GOOD)
    document["models"] = ["deepseek-v2-lite"] if key == "expert_parallel" else document["models"]
    document["serving"] = BESIDE.get(NEEDS.get(key, ""), {}) | {key: VALUES[key]}
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(document))
    found = resolve(read_document(path))
    assert len({way.name for way in found.ways}) == len(found.ways) == len(VALUES[key])
    inlined = yaml.safe_dump(found.experiment.model_dump(mode="json", exclude_none=True))
    again = resolve(parse_document(inlined, "again.yaml"))  # what a run writes depends on no file of lengths
    assert [way.model_dump() for way in again.ways] == [way.model_dump() for way in found.ways]


SMALL = "{layers: 1, hidden: 64, heads: 2, ffn: 64, ffn_gated: true, activation: silu, vocabulary: 16384}"
PLATFORM = (
    "like: fp16-hbm\noff_chip: {memory: null, read_pj_per_bit: 2, write_pj_per_bit: 3, bandwidth_gb_per_s: 1024}\n"
    "sources: {off_chip: made up}\n"
)


def with_files(folder):
    """Write a model, a platform and lengths into a folder."""
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
              "intermediate_size": 64, "vocab_size": 16384, "hidden_act": "silu"}  # fmt: skip
    for name in ("small", "other"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config))
        config |= {"hidden_size": 128}
    (folder / "mine.yaml").write_text(PLATFORM)
    (folder / "lengths.csv").write_text("tokens\n4\n8\n")


FILES = """\
  ways:
    - {name: plain}
    - {name: drafted, draft: [small/config.json, ./other, own, bitnet-125m], draft_tokens: 2, acceptance: 0.5}
    - {name: elsewhere, decode_platform: [mine.yaml, made, fp16-hbm-90w]}
    - {name: busy, requests_per_s: 1, max_batch: 2, new_lengths: [{file: lengths.csv}, geometric]}
decoders: [{name: made, like: mine.yaml}]
"""


def machines(decoders):
    """Return the values of each machine, without the type of its entry."""
    return {
        (platform, scheme, name): machine.model_dump(exclude={"name"})
        for platform, by_scheme in decoders.items()
        for scheme, (name, machine) in by_scheme.items()
    }


def test_what_files_of_ways_hold_is_in_the_inlined_experiment(tmp_path):
    with_files(tmp_path)
    path = tmp_path / "files.yaml"
    own = f"drafts: [{{name: own, {SMALL[1:]}]\n"
    path.write_text(own + GOOD[: GOOD.index("  ways:")] + FILES)
    found = resolve(read_document(path))
    assert list(found.drafts) == ["small", "other", "own", "bitnet-125m"]
    assert [found.drafts[name].hidden for name in ("small", "other", "own")] == [64, 128, 64]
    assert list(found.decoders) == ["mine", "made", "fp16-hbm-90w"]
    assert found.decoders["mine"]["int8"][1].off_chip.write_pj_per_bit == 3
    assert set(found.inputs) >= {"small/config.json", "./other", "mine.yaml", "lengths.csv"}
    inlined = yaml.safe_dump(found.experiment.model_dump(mode="json", exclude_none=True))
    again = resolve(parse_document(inlined, "elsewhere.yaml"))  # a folder without these files
    assert again.inputs.keys() <= {"elsewhere.yaml"}
    assert again.drafts == found.drafts
    assert machines(again.decoders) == machines(found.decoders)
    assert [way.model_dump() for way in again.ways] == [way.model_dump() for way in found.ways]
    assert again.experiment == found.experiment


def test_a_draft_of_the_file_of_a_model_is_that_model(tmp_path):
    with_files(tmp_path)
    path = tmp_path / "files.yaml"
    text = GOOD.replace("models: [bitnet-125m]", "models: [bitnet-125m, small/config.json]")
    path.write_text(text.replace("draft: bitnet-125m", "draft: small/config.json"))
    found = resolve(read_document(path))
    assert (list(found.drafts), found.experiment.drafts) == (["small"], [])
    assert found.ways[-1].draft == "small"


@pytest.mark.parametrize(
    ("ways", "message"),
    [
        (
            "{name: a, draft: [./small, again/small], draft_tokens: 2, acceptance: 0.5}",
            "draft: duplicate model 'small'",
        ),
        ("{name: a, decode_platform: [mine.yaml, again/mine.yaml]}", "decode_platform: duplicate platform 'mine'"),
        ("{name: a, decode_platform: absent.yaml}", "decode_platform: 'absent.yaml' not found"),
    ],
)
def test_two_files_of_one_name_are_refused(tmp_path, ways, message):
    with_files(tmp_path)
    (tmp_path / "again").mkdir()
    with_files(tmp_path / "again")
    path = tmp_path / "files.yaml"
    path.write_text(GOOD[: GOOD.index("    - {name: plain}")] + f"    - {ways}\n")
    with pytest.raises(InputError, match=rf"10: serving\.ways\[0\]\.{re.escape(message)}"):
        resolve(read_document(path))


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("tensor_parallel: 4", "tensor_parallel: small: heads (2) is not a multiple of 4"),
        ("pipeline_parallel: 2", "pipeline_parallel: small: 1 layers on 2 chips; expected at most 1"),
    ],
)
def test_a_draft_is_split_over_the_chips_as_its_model_is(way, told):
    """The model has 12 heads and layers enough; the draft runs on the same chips."""
    small = (
        "drafts:\n  - {name: small, layers: 1, hidden: 64, heads: 2, ffn: 64, ffn_gated: true, activation: silu, "
        "vocabulary: 50265}\n"
    )
    text = small + GOOD.replace("draft: bitnet-125m", f"draft: small, {way}")
    with pytest.raises(InputError) as error:
        resolved(text)
    assert told in str(error.value)
    assert "bitnet-125m:" not in str(error.value)
