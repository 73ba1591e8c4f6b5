"""The card and config.json of a trained model: a result no two of whose numbers are equal, read back from both."""

import hashlib
import json
import math
import re
from types import SimpleNamespace

import pytest

from tests.sim.training.files import training_file

pytestmark = pytest.mark.slow  # torch takes seconds to import

MODEL = {"layers": 3, "hidden": 64, "ffn": 96, "heads": 8, "kv_heads": 2}
EVALUATION = {"held_out": 1.25, "held_out_floats": 1.125, "train": 1.0625, "windows": range(1234)}


@pytest.fixture(scope="module")
def folder():
    pytest.importorskip("torch")
    from bitjoule.sim.training import folder

    return folder


@pytest.fixture
def made(folder, tmp_path, monkeypatch):
    """Return a function that gives card and config.json of a training that did not run."""

    def make(zeros=0.375, stated=None, **changes):
        given = {"model": MODEL, "training__tokens": 98_304, "training__weight_decay": 0.07, **changes}
        config = training_file(tmp_path, **given).config
        text = folder.Text(b"t" * 54_321, b"h" * 6_789, {"numpy": ("2.1", "BSD"), "pandas": ("2.3", "BSD-3")}, stated)
        model = SimpleNamespace(embedding=SimpleNamespace(device=SimpleNamespace(type="quantum")))
        trained = SimpleNamespace(
            model=model, evaluation=SimpleNamespace(**EVALUATION), tokens_per_s=7_654.4, processor_s=150.0
        )
        monkeypatch.setattr(folder, "zero_share", lambda _: zeros)
        monkeypatch.setattr(folder, "sample", lambda _, start, count: start + bytes([7]) + b"```%d" % count)
        return folder.card(config, text, trained), folder.config_of(config, text, trained), config

    return make


def rows_of(card):
    return dict(re.findall(r"^\| (.+?) \| (.+) \|$", card, re.MULTILINE))


def counted():
    """Parameters by hand: of linears; of all, with norms (two of the block's outputs, too) and the tied embedding."""
    hidden, ffn, keys = MODEL["hidden"], MODEL["ffn"], MODEL["hidden"] * MODEL["kv_heads"] // MODEL["heads"]
    linears = MODEL["layers"] * (2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * ffn)
    norms = MODEL["layers"] * (3 * hidden + ffn) + hidden
    return linears, linears + norms + 256 * hidden


def test_every_row_of_the_card_says_what_its_value_is(made):
    card, _, config = made(model=MODEL | {"sub_norms": True})
    rows = rows_of(card)
    linears, parameters = counted()
    steps = 98_304 // 256
    assert rows.pop("held-out loss") == f"1.2500 nats a byte ({1.25 / math.log(2):.4f} bits a byte)"
    assert rows.pop("the same, inputs of linears not rounded").startswith("1.1250 nats a byte (1.6230 bits")
    assert rows.pop("loss on as much of the training text") == "1.0625 nats a byte"
    assert rows.pop("parameters, of them in linears") == f"{parameters:,}, {linears:,}"
    assert rows.pop("layers, hidden, feed-forward") == "3, 64, 96"
    assert rows.pop("heads, of keys and values") == "8, 2"
    assert rows.pop("zeros among the codes") == "37.5%"
    per_parameter = f"{98_304 / parameters:.1f}"
    trained_on = f"98,304 bytes ({per_parameter} per parameter), sequences of 64; what it says beyond that many is a "
    assert rows.pop("trained on").startswith(trained_on)
    assert rows.pop("steps, seed") == f"{steps} of 256 bytes, 1"
    assert rows.pop("text") == "54,321 bytes, and 6,789 held out (other files, 1,234 windows evaluated)"
    assert rows.pop("speed") == "7,654 tokens per second of processor time, 2.5 minutes"
    assert rows.pop("made with").endswith(", quantum")
    assert rows.pop("optimiser").startswith("AdamW, peak 0.01, a cosine to ")
    assert set(rows) <= {"---"}
    assert card.startswith("# tiny: a small ternary language model\n\nMade by `bitjoule train`.\n")
    assert "\n* numpy 2.1: BSD\n* pandas 2.3: BSD-3\n" in card
    digest = hashlib.sha256(b"t" * 54_321 + b"\0" + b"h" * 6_789).hexdigest()
    assert f"SHA-256 of the text: `{digest}`.\nWhat the model repeats" in card
    assert "```text\n" + 32 * "h" + "\ufffd'''160\n```" in card
    assert config.weight_format in card


def test_config_json_has_the_sizes_and_the_training(made):
    _, settings, _ = made(seed=5)
    sizes = {"num_hidden_layers": 3, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 8,
             "num_key_value_heads": 2, "vocab_size": 256}  # fmt: skip
    assert {key: settings[key] for key in sizes} == sizes
    assert (settings["max_position_embeddings"], settings["hidden_act"]) == (1024, "relu2")
    own = settings["bitjoule"]
    assert (own["held_out_nats_per_byte"], own["held_out_nats_per_byte_float_inputs"]) == (1.25, 1.125)
    assert own["corpus"]["sources"] == {"numpy": "2.1", "pandas": "2.3"}
    assert own["corpus"]["name"] == "files"
    assert (own["context"], own["inputs"], own["group_size"], own["shards"]) == (64, ["int8", "int8"], None, 1)
    json.dumps(settings)
    _, settings, _ = made(model=MODEL | {"positions": 96, "activation": "silu"}, inner_activations="int4")
    assert (settings["max_position_embeddings"], settings["hidden_act"]) == (96, "silu")
    assert settings["bitjoule"]["inputs"] == ["int8", "int4"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"final_share": 0.25}, "peak 0.01, a cosine to 0.25 of it, weight decay 0.07 in the first 50% of the steps"),
        ({"second_stage": {"at": 0.3, "learning_rate": 0.004}, "weight_decay_until": 0.8, "short_until": 0.6},
         "peak 0.01, falling linearly; from 30% of the steps on, 0.004 falling to 0, weight decay 0.07 in the first "
         "80% of the steps"),
    ],
)  # fmt: skip
def test_the_card_says_how_the_learning_rate_falls(made, changes, said):
    card, *_ = made(description="Of a test.", **{f"training__{key}": value for key, value in changes.items()})
    assert rows_of(card)["optimiser"] == f"AdamW, {said}; straight-through estimator"
    assert "language model\n\nOf a test.\n\nWeights are trits" in card


NEITHER = " transformers and `bitjoule rtl simulate` do not round the inputs as the training did."
INT8_ALONE = " `bitjoule rtl simulate` rounds the inputs as the training did; transformers leaves them as floats."
FLOATS_ALONE = " transformers leaves the inputs as floats, as the training did; `bitjoule rtl simulate` rounds them."
KINDS_OF_INPUTS = [("fp16", "fp16"), ("int8", "int8"), ("int4", "int4"), ("int4", "int8"), ("fp16", "int8")]
WIDTHS = {"fp16": "are floats", "int8": "are integers of 8 bits, 127 / max|x| by token",
          "int4": "are integers of 4 bits, 7 / max|x| by token"}  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        # transformers' AutoBitLinear and bitjoule round the inputs of packed codes to 8 bits; of codes that are
        # written out as floats transformers knows nothing; both leave the inputs of other floats as they are
        ({"weights": "ternary"}, [NEITHER, "", NEITHER, NEITHER, NEITHER]),
        ({"weights": "binary", "group_size": 32}, [FLOATS_ALONE, INT8_ALONE, NEITHER, NEITHER, NEITHER]),
        ({"weights": "int4"}, ["", NEITHER, NEITHER, NEITHER, NEITHER]),
        ({"weights": "fp16"}, ["", NEITHER, NEITHER, NEITHER, NEITHER]),
    ],
)
def test_the_card_says_who_rounds_the_inputs_as_the_training_did(made, weights, said):
    for (outer, inner), expected in zip(KINDS_OF_INPUTS, said, strict=True):
        card, *_ = made(**weights, activations=outer, inner_activations=inner)
        text = f"Inputs of the linear layers {WIDTHS[outer]}"
        if inner != outer:
            text += f"; those of the output and down projections {WIDTHS[inner]}"
        written = " The file holds codes times scale in float32." if set(weights.values()) & {"binary", "int4"} else ""
        assert f"{text}.{written}{expected} Bytes in, bytes out" in card


def test_the_card_shows_what_the_model_draws_as_one_block_of_text(folder):
    assert folder._shown(b"a\n```\tb\xff") == "a\n'''\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("changes", "architecture", "stored", "said"),
    [
        ({"weights": "fp16"}, "float", "float16", ["Weights are floats", "Inputs of the linear layers are floats."]),
        ({"weights": "int8"}, "float", "float32", ["round(127 W / max|W|), with a scale per row", "do not round"]),
        ({"weights": "int4", "group_size": 32}, "float", "float32",
         ["round(7 W / max|W|), with a scale per 32 weights of a row, or row if it is shorter", "do not round"]),
        ({"weights": "ternary"}, "ternary", "float32", ["clip(round(W / mean|W|), −1, 1), with the scale mean|W| per"]),
        ({"weights": "binary", "group_size": 32}, "binary", "float32",
         ["sign(W − mean W)", "`bitjoule rtl simulate` rounds the inputs as the training did; transformers leaves"]),
        ({"weights": "ternary", "shards": 2}, "ternary", "float32", ["per matrix of each of 2 shards"]),
        ({"weights": "ternary", "activations": "int8", "inner_activations": "int4"}, "ternary", "float32",
         ["are integers of 8 bits, 127 / max|x| by token; those of the output and down projections are integers of 4 "
          "bits, 7 / max|x| by token.", "do not round"]),
    ],
)  # fmt: skip
def test_the_card_says_how_weights_and_inputs_are_rounded(made, changes, architecture, stored, said):
    card, settings, _ = made(**changes)
    assert all(text in card for text in said), card
    assert (settings["bitjoule"]["weights"], settings["dtype"]) == (architecture, stored)
    assert settings["bitjoule"]["activations"] == ("float" if architecture == "float" else "absmax")
    packed = changes in ({"weights": "ternary"}, {"weights": "ternary", "activations": "int8",
                                                  "inner_activations": "int4"})  # fmt: skip
    assert ("quantization_config" in settings) == packed
    assert ("codes times scale" in card) == (not packed and changes["weights"] != "fp16")


@pytest.mark.parametrize(
    ("stated", "said"),
    [(True, "This is the text whose digest bitjoule states."), (None, ""),
     (False, "This is not the text whose digest bitjoule states: the versions or Python differ.")],
)  # fmt: skip
def test_the_card_says_whether_the_text_is_the_one_that_is_stated(made, stated, said):
    card, *_ = made(zeros=None, stated=stated)
    assert said in card
    assert ("digest bitjoule states" in card) == bool(said)
    assert rows_of(card)["zeros among the codes"] == "none"


@pytest.mark.parametrize(
    ("changes", "table", "linear"),
    [
        ({"weights": "fp16"}, "float16", "float16"), ({"weights": "int8"}, "float32", "float32"),
        ({"weights": "binary"}, "float32", "uint8"), ({"weights": "binary", "shards": 2}, "float32", "float32"),
    ],
)  # fmt: skip
def test_the_file_holds_each_tensor_in_its_type(folder, tmp_path, changes, table, linear):
    tensors = folder.tensors_of(folder.Decoder(training_file(tmp_path, **changes).config))
    kinds = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()}
    assert kinds.pop("model.embed_tokens.weight") == table
    projections = {name: kind for name, kind in kinds.items() if name.endswith("_proj.weight")}
    assert set(projections.values()) == {linear}
    assert len(projections) == 2 * 7
    assert {kind for name, kind in kinds.items() if name not in projections} == {"float32"}  # norms and scales
