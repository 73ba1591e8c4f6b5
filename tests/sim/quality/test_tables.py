"""Tables of trained models: those that ship say what made them, and wrong cells are reported."""

import csv
import json
import math

import pytest

from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.quality.shapes import model_shape
from bitjoule.sim.quality.tables import (
    HISTORY_COLUMNS,
    POST_TRAINING_COLUMNS,
    histories,
    quantised_models,
    shipped_tables,
    trained_models,
)
from bitjoule.sim.training.config import DecoderShape
from bitjoule.sim.training.corpora import corpora
from bitjoule.sim.training.ladder import COLUMNS, Table, is_ladder, read_ladder
from bitjoule.sim.training.shipped import shipped_trainings

ROW = {
    "rung": "29k", "format": "fp16", "seed": "1", "activations": "fp16", "parameters": "29024",
    "linear_parameters": "20480", "tokens": "174592", "steps": "341", "learning_rate": "0.008",
    "held_out_nats_per_byte": "2.75", "held_out_standard_error": "0.01", "diverged_at_step": "",
}  # fmt: skip


def written(path, columns, **changes):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerow(ROW | changes)
    return path


@pytest.mark.parametrize("name", shipped_tables())
def test_every_row_that_ships_carries_commit_seed_and_the_texts_hash(name):
    with shipped_tables()[name].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert row["corpus_sha256"] == corpora()["docstrings"].sha256
        assert len(row["commit"].rstrip("+")) == 40
        assert len(row["config_sha256"]) == 64
        assert int(row["seed"]) > 0


@pytest.mark.parametrize("name", [name for name in shipped_tables() if name in shipped_trainings()])
def test_the_rows_of_a_ladder_are_those_of_its_file(name):
    document = read_document(shipped_trainings()[name])
    assert is_ladder(document)
    rungs, table = read_ladder(document), Table(shipped_tables()[name])
    keys = [(row["rung"], row["format"], row["seed"]) for _, row in table.rows()]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= {rung.key for rung in rungs}
    assert len(table.missing(rungs)) == len(rungs) - len(keys)  # raises where settings differ


def test_a_models_numbers_are_those_of_its_row(tmp_path):
    (model,) = trained_models(written(tmp_path / "t.csv", COLUMNS, zero_share="0.31"))
    assert model[:7] == ("29k", "fp16", "1", 29024.0, 2.75, 0.008, 0.31)
    assert model.trained


def test_numbers_of_other_tables_are_those_of_their_rows(tmp_path):
    row = {"method": "gptq", "loss_nats_per_byte": "2.125", "tokens": "777", "zero_share": "0.3125"}
    (model,) = quantised_models(written(tmp_path / "p.csv", POST_TRAINING_COLUMNS, **row))
    assert (model[:5], model.trained) == (("29k", "gptq", "1", 29024.0, 2.125), False)
    assert math.isnan(model.learning_rate)
    assert math.isnan(model.zero_share)
    assert histories(written(tmp_path / "h.csv", HISTORY_COLUMNS, **row)) == [("fp16", "1", 777.0, 2.125, 0.3125)]


def test_the_first_and_the_last_numbers_are_taken_and_columns_have_their_order(tmp_path):
    for loss, zeros in (("1e-100", "0"), ("1e100", "1")):
        row = {"held_out_nats_per_byte": loss, "zero_share": zeros, "learning_rate": "0"}
        (model,) = trained_models(written(tmp_path / "t.csv", COLUMNS, **row))
        assert (model.loss, model.zero_share, model.learning_rate) == (float(loss), float(zeros), 0.0)
    turned = written(tmp_path / "t.csv", POST_TRAINING_COLUMNS[::-1], loss_nats_per_byte="2", method="gptq")
    with pytest.raises(InputError, match="has other columns"):
        quantised_models(turned)


def test_a_training_that_diverged_has_no_loss(tmp_path):
    row = {"held_out_nats_per_byte": "", "diverged_at_step": "17"}
    (model,) = trained_models(written(tmp_path / "t.csv", COLUMNS, **row))
    assert math.isnan(model.loss)


@pytest.mark.parametrize(
    ("reader", "columns", "changes", "message"),
    [
        (trained_models, COLUMNS, {"parameters": "many"},
         "t.csv:2: parameters: got 'many'; expected a number that is not negative"),
        (trained_models, COLUMNS, {"held_out_nats_per_byte": "-1"},
         "t.csv:2: held_out_nats_per_byte: got '-1'; expected a loss of 1e-100 to 1e+100, or nothing"),
        (trained_models, COLUMNS, {"held_out_nats_per_byte": ""},
         "t.csv:2: held_out_nats_per_byte: got ''; expected a loss, or the step at which it diverged"),
        (quantised_models, POST_TRAINING_COLUMNS, {"loss_nats_per_byte": ""},
         "t.csv:2: loss_nats_per_byte: got ''; expected a loss of 1e-100 to 1e+100"),
        (quantised_models, POST_TRAINING_COLUMNS, {"parameters": ""},
         "t.csv:2: parameters: got ''; expected a number that is not negative"),
        (histories, HISTORY_COLUMNS, {"loss_nats_per_byte": "2", "zero_share": "inf"},
         "t.csv:2: zero_share: got 'inf'; expected a share of 0 to 1"),
        (histories, HISTORY_COLUMNS, {"loss_nats_per_byte": "2", "zero_share": ""},
         "t.csv:2: zero_share: got ''; expected a share of 0 to 1"),
        (histories, HISTORY_COLUMNS, {"loss_nats_per_byte": "2", "zero_share": "0.3", "tokens": ""},
         "t.csv:2: tokens: got ''; expected a number that is not negative"),
        (trained_models, COLUMNS, {"zero_share": "-0.1"},
         "t.csv:2: zero_share: got '-0.1'; expected a share of 0 to 1, or nothing"),
        (quantised_models, COLUMNS, {},
         f"t.csv:1: file: has other columns; expected the columns {', '.join(POST_TRAINING_COLUMNS)}"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_reported_with_its_line(tmp_path, reader, columns, changes, message):
    with pytest.raises(InputError) as error:
        reader(written(tmp_path / "t.csv", columns, **changes))
    assert str(error.value).endswith(message)


def test_a_table_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv:1: file: cannot be read"):
        quantised_models(tmp_path / "none.csv")


@pytest.mark.parametrize("name", shipped_models())
def test_the_shape_of_a_decoder_is_what_its_config_says(name):
    config = json.loads((shipped_models()[name] / "config.json").read_text())
    shape = DecoderShape(
        layers=config["num_hidden_layers"], hidden=config["hidden_size"], ffn=config["intermediate_size"],
        heads=config["num_attention_heads"], kv_heads=config["num_key_value_heads"], activation=config["hidden_act"],
        sub_norms=config["model_type"] == "bitnet",
    )  # fmt: skip
    model = ModelShape.model_validate(model_shape(shape))
    found = read_config(shipped_models()[name])
    for key in model_shape(shape):
        assert getattr(model, key) == getattr(found, key), key
    unlike = {key for key in ModelShape.model_fields if getattr(model, key) != getattr(found, key)}
    assert unlike <= {"source", "where", "note", "family"}
    assert model.parameters == shape.parameters
