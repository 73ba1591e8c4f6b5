"""Training files: what is refused, with line and key, and what a schedule gives."""

from dataclasses import replace
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.documents import parse_document, read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.training.config import DecoderShape, TrainConfig, TrainingSchedule, read_training
from bitjoule.sim.training.ladder import COLUMNS, Table, is_ladder, read_ladder, selected
from bitjoule.sim.training.shipped import find_training, shipped_trainings
from tests.sim.training.files import document_of, training_file, wrong

LADDER = """
name: steps
tokens_per_parameter: 3
seeds: [1, 2]
common: {corpus: docstrings, training: {context: 64, batch_tokens: 128}}
rungs:
  small: {model: {layers: 1, hidden: 16, ffn: 32, heads: 2}}
  large:
    model: {layers: 2, hidden: 32, ffn: 64, heads: 2}
    training: {batch_tokens: 256}
formats:
  fp16: {weights: fp16}
  ternary: {weights: ternary, training: {learning_rate: 0.02}}
"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "trinary"}, "x.yaml:7: weights: 'trinary' is unknown (did you mean 'ternary'?); expected one of "
         "fp16, int8, int4, ternary, binary"),
        ({"model__heads": 3}, "x.yaml:6: model.heads: hidden (32) is not a multiple of twice the heads (3); expected "
         "an even number of values per head, as positions are rotary"),
        ({"model__kv_heads": 3}, "x.yaml:7: model.kv_heads: heads (2) is not a multiple; expected a divisor of heads"),
        ({"model__ffn": 66}, "x.yaml:5: model.ffn: got 66; expected a multiple of 4, as four codes share a byte"),
        ({"model__hidden": 6, "model__heads": 1, "model__ffn": 66}, "x.yaml:4: model.hidden: got 6; expected a "
         "multiple of 4, as four codes share a byte"),
        ({"model__hidden": 12, "model__heads": 4}, "x.yaml:6: model.heads: hidden (12) is not a multiple of twice the "
         "heads (4)"),
        ({"model__hidden": 8, "model__heads": 4, "model__kv_heads": 1}, "x.yaml:7: model.kv_heads: keys and values of "
         "2 values; expected a multiple of 4, as four codes share a byte"),
        ({"training__context": 85, "training__batch_tokens": 255}, "x.yaml:16: training.context: got 85; expected an "
         "even number, or short_until: 0"),
        ({"model__layers": 0}, "x.yaml:3: model.layers: got 0; expected greater than or equal to 1"),
        ({"model__width": 3}, "x.yaml:7: model.width: unknown key"),
        ({"group_size": 12}, "x.yaml:21: group_size: 12 does not divide the 32 in_features of q_proj; expected a "
         "divisor"),
        ({"weights": "fp16", "shards": 2}, "x.yaml:21: shards: fp16 weights have no scales; expected int8, int4, "
         "ternary or binary weights"),
        ({"weights": "fp16", "group_size": 16, "shards": 2}, "x.yaml:21: group_size: fp16 weights have no scales"),
        ({"model": {"layers": 1, "hidden": 24, "ffn": 20, "heads": 3}, "shards": 3}, "shards: 3 does not divide "
         "gate_proj, 20 x 24; expected a divisor of out_features and in_features"),
        ({"group_size": 16, "shards": 2}, "x.yaml:22: shards: is set beside group_size; expected one of shards and "
         "group_size"),
        ({"shards": 3}, "x.yaml:21: shards: 3 does not divide the 2 heads of keys and values; expected whole heads in "
         "each shard"),
        ({"training__batch_tokens": 100}, "x.yaml:15: training.batch_tokens: got 100; expected a multiple of context "
         "(64)"),
        ({"training__learning_rate": -1.0}, "x.yaml:18: training.learning_rate: got -1.0; expected greater than 0"),
        ({"training__second_stage": {"at": 1.5, "learning_rate": 0.1}}, "x.yaml:20: training.second_stage.at: got 1.5; "
         "expected less than 1"),
        ({"training__betas": [0.9, 1.0]}, "training.betas[1]: got 1.0; expected less than 1"),
        ({"corpus": "docstring"}, "x.yaml:8: corpus: 'docstring' is unknown (did you mean 'docstrings'?); expected one "
         "of docstrings, prose"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(changes, message):
    assert message in wrong(**changes)


def test_a_right_file_is_accepted_and_defaults_depend_on_the_format():
    assert wrong() == ""
    for weights, inputs in (("fp16", "fp16"), ("int8", "int8"), ("int4", "int8"), ("binary", "int8")):
        assert TrainConfig.model_validate(document_of(weights=weights)).inputs == (inputs, inputs)
    mixed = TrainConfig.model_validate(document_of(activations="int4", inner_activations="int8"))
    assert mixed.inputs == ("int4", "int8")
    names = [({"weights": "int8"}, "int8"), ({"group_size": 16}, "ternary-g16"), ({"shards": 2}, "ternary-s2")]
    assert [TrainConfig.model_validate(document_of(**keys)).weight_format for keys, _ in names] == [n for _, n in names]


def test_a_model_may_have_as_many_parameters_as_is_stated_and_an_odd_context_alone(monkeypatch):
    model = {"layers": 3, "hidden": 16, "ffn": 20, "heads": 2}
    parameters = 3 * (4 * 16 * 16 + 3 * 16 * 20 + 3 * 16 + 20) + 16 + 256 * 16
    monkeypatch.setattr("bitjoule.sim.training.config.MAX_PARAMETERS", parameters)
    assert DecoderShape(**model).parameters == parameters
    monkeypatch.setattr("bitjoule.sim.training.config.MAX_PARAMETERS", parameters - 1)
    expected = (
        f"x.yaml:4: model.hidden: a model of {parameters} parameters; expected at most {parameters - 1} parameters"
    )
    assert expected in wrong(model=model)
    odd = TrainingSchedule(tokens=85, batch_tokens=170, context=85, short_until=0)
    assert (odd.steps, odd.sequences(0)) == (1, (2, 85))


def test_parameters_are_those_of_the_papers_block():
    shape = DecoderShape(layers=3, hidden=128, ffn=256, heads=4, kv_heads=2)
    assert shape.linear_parameters == 442_368  # of the bundled models
    assert shape.parameters == 442_368 + 256 * 128 + 3 * (3 * 128 + 256) + 128
    assert shape.matrices == (
        ("q_proj", 128, 128), ("k_proj", 64, 128), ("v_proj", 64, 128), ("o_proj", 128, 128), ("gate_proj", 256, 128),
        ("up_proj", 256, 128), ("down_proj", 128, 256),
    )  # fmt: skip


def test_the_learning_rate_warms_up_then_falls_by_a_cosine_or_in_two_stages():
    cosine = TrainingSchedule(tokens=100 * 256, batch_tokens=256, warm_up_steps=10, learning_rate=1.0)
    assert [cosine.rate(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert cosine.rate(55) == pytest.approx((1 + 0.1) / 2)
    assert cosine.rate(10) == pytest.approx(1.0)
    assert cosine.rate(100) == pytest.approx(0.1)
    short = TrainingSchedule(tokens=3 * 256 + 1, batch_tokens=256, warm_up_steps=10, learning_rate=1.0)
    assert [short.rate(step) for step in range(short.steps)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    staged = TrainingSchedule(
        tokens=100 * 256, batch_tokens=256, warm_up_steps=0, learning_rate=1.0,
        second_stage={"at": 0.6, "learning_rate": 0.2},
    )  # fmt: skip
    assert [staged.rate(step) for step in (0, 30, 59)] == pytest.approx([1.0, 0.7, 0.41])
    assert [staged.rate(step) for step in (60, 80)] == pytest.approx([0.2, 0.1])
    assert [staged.decay(step) for step in (0, 49, 50)] == [0.1, 0.1, 0.0]


def test_the_first_share_of_the_steps_has_twice_as_many_sequences_of_half_the_length():
    schedule = TrainingSchedule(tokens=4 * 512, batch_tokens=512, context=256)
    assert [schedule.sequences(step) for step in range(4)] == [(4, 128)] * 3 + [(2, 256)]


def test_a_file_of_the_corpus_that_is_missing_is_named_with_its_line(tmp_path):
    from bitjoule.sim.training.texts import read_texts

    training = training_file(tmp_path)
    (tmp_path / "held_out.txt").unlink()
    with pytest.raises(InputError, match=r"tiny\.yaml:12: corpus\.held_out\[0\]: held_out\.txt: No such file"):
        read_texts(training)
    (tmp_path / "held_out.txt").write_text("short")
    with pytest.raises(InputError, match=r"corpus\.held_out: has 5 bytes; expected at least context \+ 1, 65"):
        read_texts(training)


def test_a_ladder_has_every_rung_in_every_format_with_every_seed():
    rungs = read_ladder(parse_document(LADDER, "ladder.yaml"))
    first = [("small", "fp16", "1"), ("small", "ternary", "1"), ("small", "fp16", "2")]
    assert [rung.key for rung in rungs][:3] == first
    assert len(rungs) == 8
    large = next(rung for rung in rungs if rung.key == ("large", "ternary", "2")).training.config
    assert large.training.tokens == 3 * large.model.parameters
    assert large.training.batch_tokens == 256
    assert large.training.context == 64
    assert large.training.learning_rate == 0.02
    assert large.seed == 2
    some = selected(rungs, ["rung=small", "format=ternary"])
    assert [rung.key for rung in some] == [("small", "ternary", "1"), ("small", "ternary", "2")]
    for text in ("rung=huge", "size=small"):
        with pytest.raises(InputError, match="--only"):
            selected(rungs, [text])


def test_a_wrong_rung_is_told_with_the_line_where_it_is_written():
    with pytest.raises(InputError, match=r"ladder\.yaml:9: model\.heads: hidden \(32\) is not"):
        read_ladder(parse_document(LADDER.replace("ffn: 64, heads: 2", "ffn: 64, heads: 3"), "ladder.yaml"))
    with pytest.raises(InputError, match=r"ladder\.yaml:12: weights: 'fp17' is unknown"):
        read_ladder(parse_document(LADDER.replace("weights: fp16", "weights: fp17"), "ladder.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("{context: 64,", "{tokens: 9, context: 64,", "5: common.training.tokens"),
        (
            "training: {batch_tokens: 256}",
            "training: {batch_tokens: 256, tokens: 9}",
            "10: rungs.large.training.tokens",
        ),
        ("{learning_rate: 0.02}", "{learning_rate: 0.02, tokens: 9}", "13: formats.ternary.training.tokens"),
    ],
)
def test_tokens_of_a_ladder_follow_from_its_parameters_alone(old, new, place):
    with pytest.raises(InputError) as error:
        read_ladder(parse_document(LADDER.replace(old, new), "ladder.yaml"))
    expected = "follows from tokens_per_parameter in a ladder; expected no such key here"
    assert str(error.value) == f"ladder.yaml:{place}: {expected}"


def test_what_has_a_row_is_not_trained_again_unless_its_settings_changed(tmp_path):
    rungs = read_ladder(parse_document(LADDER, "ladder.yaml"))
    table = Table(tmp_path / "ladder.csv")
    assert table.missing(rungs) == rungs
    for rung in rungs[:2]:
        row = dict.fromkeys(COLUMNS, "") | {"rung": rung.rung, "format": rung.format_name, "seed": rung.seed}
        table.append(row | {"config_sha256": rung.config_sha256})
    assert table.missing(rungs) == rungs[2:]
    changed = read_ladder(parse_document(LADDER.replace("0.02", "0.03"), "ladder.yaml"))
    with pytest.raises(InputError, match=r"ladder\.csv:3: config_sha256: small ternary 1 was trained with other set"):
        table.missing(changed)
    table.path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="has other columns"):
        table.missing(rungs)


def test_every_shipped_training_can_be_read():
    ladders = 0
    for name, path in shipped_trainings().items():
        document = read_document(find_training(name))
        assert path == find_training(name)
        if is_ladder(document):
            rungs = read_ladder(document)
            ladders += 1
            if name != "quality_ladder":  # the others vary one thing at one size
                assert len({rung.training.config.model.hidden for rung in rungs}) == 1
                continue
            assert {rung.training.config.weights for rung in rungs} == {"fp16", "int8", "int4", "ternary", "binary"}
            named = {rung.rung: rung.training.config.model.parameters for rung in rungs}
            assert {name: f"{round(count / 1000)}k" for name, count in named.items()} == {name: name for name in named}
            assert min(named.values()) < 30_000
            assert max(named.values()) > 1_000_000
        else:
            read_training(document)
    assert ladders == 5
    with pytest.raises(InputError, match="unknown training 'small_ternery'"):
        find_training("small_ternery")


def test_a_ladders_file_decides_the_digest_of_its_rungs_where_it_decides_the_result():
    def digests(text):
        return [rung.config_sha256 for rung in read_ladder(parse_document(text, "ladder.yaml"))]

    before = digests(LADDER)
    assert len(set(before)) == len(before)
    assert digests(LADDER.replace("name: steps", "name: other")) == before
    assert digests(LADDER.replace("corpus: docstrings,", "corpus: docstrings, checkpoint_seconds: 9,")) == before
    assert digests(LADDER.replace("corpus: docstrings,", "corpus: docstrings, description: Other.,")) == before
    assert digests(LADDER.replace("seeds: [1, 2]", "seeds: [2, 1]")) == [
        *before[2:4],
        *before[:2],
        *before[6:],
        *before[4:6],
    ]
    for old, new in (("parameter: 3", "parameter: 4"), ("context: 64", "context: 32"), ("hidden: 16", "hidden: 24")):
        changed = digests(LADDER.replace(old, new))
        same = [one == other for one, other in zip(before, changed, strict=True)]
        assert same == [old == "hidden: 16" and i >= 4 for i in range(8)]


def test_names_of_a_ladders_trainings_differ_and_keys_of_a_format_win(monkeypatch):
    text = LADDER.replace("fp16: {weights: fp16}", "fp16: {weights: fp16, training: {batch_tokens: 512}}")
    rungs = read_ladder(parse_document(text, "ladder.yaml"))
    assert [rung.training.config.name for rung in rungs][:3] == ["steps-small-fp16-1", "steps-small-ternary-1",
                                                                "steps-small-fp16-2"]  # fmt: skip
    schedules = [rung.training.config.training for rung in rungs]
    assert [schedule.batch_tokens for schedule in schedules] == [512, 128] * 2 + [512, 256] * 2
    assert [selected(rungs, only) for only in ([], ["seed=2", "seed=1"])] == [rungs, rungs]
    assert [rung.key for rung in selected(rungs, ["seed=2", "rung=large"])] == [
        ("large", "fp16", "2"), ("large", "ternary", "2"),
    ]  # fmt: skip
    monkeypatch.setattr("bitjoule.sim.training.ladder.MAX_TRAININGS", 8)
    assert len(read_ladder(parse_document(LADDER, "ladder.yaml"))) == 8
    monkeypatch.setattr("bitjoule.sim.training.ladder.MAX_TRAININGS", 7)
    with pytest.raises(InputError, match=r"ladder\.yaml:6: rungs: 8 trainings; expected at most 7"):
        read_ladder(parse_document(LADDER, "ladder.yaml"))


def test_tokens_of_a_ladder_are_rounded_to_whole_ones_and_at_least_one():
    def tokens(per_parameter):
        text = LADDER.replace("tokens_per_parameter: 3", f"tokens_per_parameter: {per_parameter}")
        return read_ladder(parse_document(text, "ladder.yaml"))[0].training.config.training.tokens

    parameters = DecoderShape(layers=1, hidden=16, ffn=32, heads=2).parameters
    assert parameters % 10 == 2  # so that the tenth ends in .2, and nine tenths in .8
    assert tokens(0.1) == (parameters - 2) // 10
    assert tokens(0.9) == (9 * parameters + 2) // 10
    assert tokens(1e-6) == 1


def test_files_of_a_ladders_corpus_lie_beside_it_and_the_last_of_two_lines_is_told(tmp_path):
    text = LADDER.replace("corpus: docstrings", "corpus: {train: [a.txt], held_out: [b.txt]}")
    text = text.replace("{learning_rate: 0.02}", "\n    {learning_rate: 0.02, batch_tokens: 100}")
    path = tmp_path / "ladder.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"ladder\.yaml:14: training\.batch_tokens: got 100; expected a multiple of c"):
        read_ladder(read_document(path))
    path.write_text(text.replace("batch_tokens: 100", "batch_tokens: 192"))
    assert {rung.training.folder for rung in read_ladder(read_document(path))} == {tmp_path}
    assert is_ladder(read_document(path))
    assert not is_ladder(parse_document("formats: {}\n", "x.yaml"))


def test_a_table_ends_its_lines_alike_and_has_its_columns_in_their_order(tmp_path):
    table = Table(tmp_path / "t.csv")
    for seed in (2, 1):
        table.append(dict.fromkeys(COLUMNS, "") | {"rung": "a", "seed": seed})
    heading = ",".join(COLUMNS)
    seconds = [f"a,,{seed}" + "," * (len(COLUMNS) - 3) for seed in (2, 1)]
    assert table.path.read_bytes().decode().split("\n") == [heading, *seconds, ""]
    table.path.write_text(heading.replace("rung,format", "format,rung") + "\n")
    with pytest.raises(InputError, match="has other columns; expected the columns rung, format, seed"):
        list(table.rows())


def test_paths_of_a_corpus_on_the_command_line_begin_in_the_current_folder(tmp_path):
    path = tmp_path / "tiny.yaml"
    training_file(tmp_path)
    document = read_document(path)
    assert read_training(document).folder == tmp_path
    assert read_training(replace(document, origins={("corpus",): "--set"})).folder == Path()
    assert read_training(replace(document, origins={("seed",): "--set"})).folder == tmp_path
