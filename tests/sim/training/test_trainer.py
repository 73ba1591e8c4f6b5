"""Trainings of tiny models: that they learn, resume to the same bytes, and are read by transformers and bitjoule."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.training.texts import read_texts
from tests.sampling import sampled
from tests.sim.training.files import training_file

torch = pytest.importorskip("torch")
trainer = pytest.importorskip("bitjoule.sim.training.trainer")
folder_of = pytest.importorskip("bitjoule.sim.training.folder")
decoder = pytest.importorskip("bitjoule.sim.training.decoder")

FORMATS: dict[str, dict[str, Any]] = {
    "fp16": {"weights": "fp16"},
    "int8": {"weights": "int8"},
    "int4-g32": {"weights": "int4", "group_size": 32},
    "ternary": {"weights": "ternary"},
    "ternary-g32": {"weights": "ternary", "group_size": 32},
    "binary": {"weights": "binary", "model__kv_heads": 1},
    "binary-s2": {"weights": "binary", "shards": 2},
    "w1.58a4": {"activations": "int4", "inner_activations": "int8"},
    "llama": {"model__sub_norms": False, "model__activation": "silu"},
}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(folder: Path, **changes: Any) -> Any:
    training = training_file(folder, **changes)
    return trainer.train(training.config, read_texts(training), folder, CPU), training


@pytest.mark.parametrize("name", sampled(FORMATS, 3, "formats that are trained"))
def test_a_tiny_model_learns_in_every_format_and_its_folder_is_read(tmp_path, name):
    changes = {"training__tokens": 12_288, "training__learning_rate": 0.02, "model__layers": 1}
    result, training = trained(tmp_path, **FORMATS[name], **changes)
    text = read_texts(training)
    shares = np.bincount(np.frombuffer(text.held_out, np.uint8)) / len(text.held_out)
    entropy = -sum(share * np.log(share) for share in shares if share)
    first = float(result.rows[0].split(",")[4])
    assert result.evaluation.held_out < min(first - 0.5, entropy + 0.1)  # what single letters tell, or less
    target = tmp_path / "model"
    target.mkdir()
    folder_of.save_folder(target, training.config, text, result)
    assert {path.name for path in target.iterdir()} == set(folder_of.FILES)
    config = json.loads((target / "config.json").read_text())
    assert config["bitjoule"]["held_out_nats_per_byte"] == pytest.approx(result.evaluation.held_out, abs=1e-4)

    tokens = np.frombuffer(text.held_out[:24], np.uint8).astype(np.int64)
    logits = load_model(target).model.forward(tokens.tolist(), NumpyEngine())
    floats = config["bitjoule"]["weights"] == "float"  # bitjoule rounds the inputs of codes alone
    with torch.no_grad():
        ours = result.model(torch.from_numpy(tokens)[None], floats)[0].numpy()
    if name == "w1.58a4":  # it rounds them to eight bits
        assert "do not round the inputs as the training did" in (target / "README.md").read_text()
    else:
        close(logits, ours)


def close(first: Any, second: Any) -> None:
    """Compare logits; where a value lies between two codes, another order of sums may take the other one."""
    difference = np.abs(np.asarray(first) - np.asarray(second)).max(-1)
    assert np.quantile(difference, 0.75) < 1e-4 * np.abs(second).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(["ternary", "llama", "fp16", "ternary-g32", "int8"], 1, "trained formats"))
def test_transformers_reads_the_folder(tmp_path, name):
    pytest.importorskip("accelerate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
        result, training = trained(tmp_path, **FORMATS[name], training__tokens=1024)
        target = tmp_path / "model"
        target.mkdir()
        text = read_texts(training)
        folder_of.save_folder(target, training.config, text, result)
        auto = transformers.AutoModelForCausalLM
        with torch.compiler.set_stance("force_eager"):
            model, told = auto.from_pretrained(target, dtype=torch.float32, output_loading_info=True)
            assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
            tokens = torch.tensor([list(text.held_out[:24])])
            with torch.no_grad():
                theirs = model.eval()(input_ids=tokens).logits[0].numpy()
                ours = result.model(tokens, not folder_of.is_packed(training.config))[0].numpy()
    close(theirs, ours)


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("kills", [(1,), (5, 11)])
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, kills):
    whole_folder, killed_folder = tmp_path / "whole", tmp_path / "killed"
    whole_folder.mkdir()
    killed_folder.mkdir()
    changes = {"evaluate_steps": 4, "checkpoint_seconds": 1e-6}
    whole, training = trained(whole_folder, **changes)
    steps = training.config.training.steps
    assert steps == 16
    assert whole.loss_csv.splitlines()[0].startswith("step,tokens,learning_rate")
    assert [line.split(",")[0] for line in whole.rows] == ["3", "4", "6", "8", "9", "12", "15", "16"]
    one_step = trainer._Run._one_step
    for at in kills:

        def dying(run: Any, at: int = at) -> float:
            if run.step == at:
                raise KilledError
            return float(one_step(run))

        with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(trainer._Run, "_one_step", dying)
            trained(killed_folder, **changes)
    done = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer._Run, "_one_step", lambda run: done.append(run.step) or one_step(run))
        resumed, _ = trained(killed_folder, **changes)
    assert done == list(range(kills[-1], steps))
    assert resumed.loss_csv == whole.loss_csv
    assert resumed.evaluation == whole.evaluation
    for first, second in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_last_step_has_a_row_though_no_other_reason_falls_on_it(tmp_path):
    result, training = trained(tmp_path)
    assert training.config.training.steps == 16
    assert [line.split(",")[0] for line in result.rows] == ["3", "6", "9", "12", "15", "16"]


def test_a_checkpoint_of_another_training_is_not_taken_up(tmp_path):
    trained(tmp_path)
    other, _ = trained(tmp_path, seed=2)
    alone_folder = tmp_path / "alone"
    alone_folder.mkdir()
    alone, _ = trained(alone_folder, seed=2)
    assert other.loss_csv == alone.loss_csv
    (tmp_path / trainer.CHECKPOINT).write_bytes(b"cut short")
    again, _ = trained(tmp_path, seed=2)
    assert again.loss_csv == alone.loss_csv


def test_a_training_that_diverges_says_in_which_step(tmp_path):
    training = training_file(tmp_path, weights="fp16", training__learning_rate=10.0, training__clip=1e9)
    model = trainer._Run(training.config, read_texts(training), tmp_path, CPU)
    model.model.embedding.data.fill_(float("inf"))
    with pytest.raises(trainer.DivergedError, match="not finite in step 1"):
        model.steps(lambda _: None)


def test_progress_tells_loss_speed_and_time_left(tmp_path):
    training, reports = training_file(tmp_path), []
    trainer.train(training.config, read_texts(training), tmp_path, CPU, reports.append)
    assert reports[-1].step == reports[-1].steps == 16
    assert reports[-1].left_s == 0
    assert str(trainer.TrainingProgress(3, 9, 1.25, 12345.6, 240)) == (
        "3/9 loss 1.250 nats/byte, 12,346 tokens/s, 4 min left"
    )
    for left_s, shown in ((119.4, "119 s"), (120, "2 min")):
        assert str(trainer.TrainingProgress(1, 2, 1.0, 1.0, left_s)).endswith(f", {shown} left")


def test_windows_are_spread_over_the_text_and_none_is_longer_than_it(tmp_path):
    training = training_file(tmp_path)
    model = decoder.Decoder(training.config)
    data = torch.from_numpy(np.frombuffer(read_texts(training).held_out, np.uint8).copy())
    few, all_of_them = (trainer.windows_loss(model, data, tokens) for tokens in (256, 10**9))
    assert len(few) == 4
    assert len(all_of_them) == (len(data) - 1) // 64
    places = [index * len(all_of_them) // 4 for index in range(4)]
    assert few == pytest.approx([all_of_them[place] for place in places], rel=1e-5)


def test_the_same_first_weights_for_every_format_and_others_for_another_seed(tmp_path):
    def first(**changes: Any) -> Any:
        return decoder.Decoder(training_file(tmp_path, **changes).config)

    for one, other in zip(first().parameters(), first(weights="int4").parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first().embedding, first(seed=2).embedding)
    counted = sum(parameter.numel() for parameter in first().parameters())
    assert counted == first().shape.parameters
    without = first(model__sub_norms=False)
    assert sum(parameter.numel() for parameter in without.parameters()) == without.shape.parameters


def test_zeros_are_counted_over_all_codes(tmp_path):
    model = decoder.Decoder(training_file(tmp_path).config)
    with torch.no_grad():
        for latent in model.latent.values():
            latent.fill_(1.0)
        model.latent["ffn_out"][0, :, ::2] = 0.0  # of a mean of one half, one is beyond 1
    zeros = model.shape.hidden * model.shape.ffn / 2
    assert decoder.zero_share(model) == pytest.approx(zeros / model.shape.linear_parameters)
