"""One part of a training at a time: batches, windows, steps, rows, checkpoints, what is evaluated and drawn."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.training.texts import read_texts
from tests.sim.training.files import training_file

torch = pytest.importorskip("torch")
trainer = pytest.importorskip("bitjoule.sim.training.trainer")
folder_of = pytest.importorskip("bitjoule.sim.training.folder")
decoder = pytest.importorskip("bitjoule.sim.training.decoder")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("there", "taken"), [(True, "cuda"), (False, "cpu")])
def test_a_device_is_taken_where_there_is_one(monkeypatch, there, taken):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert [trainer.pick_device(name).type for name in ("auto", "cpu")] == [taken, "cpu"]
    if there:
        assert trainer.pick_device("cuda").type == "cuda"


def test_batches_begin_everywhere_in_the_text_and_depend_on_seed_and_step_apart(tmp_path):
    schedule = training_file(tmp_path, training__short_until=0).config.training  # 4 sequences of 64
    data = torch.arange(66, dtype=torch.uint8)
    assert torch.equal(trainer.batch(data[:65], schedule, 1, 0), torch.arange(65).expand(4, 65))
    starts = {int(row[0]) for step in range(20) for row in trainer.batch(data, schedule, 1, step)}
    assert starts == {0, 1}
    long = torch.arange(256, dtype=torch.uint8)
    (one, two), (again, _) = ([trainer.batch(long, schedule, *at) for at in ((1, 2), (2, 1))] for _ in "ab")
    assert not torch.equal(one, two)
    assert torch.equal(one, again)
    assert all(torch.equal(row, row[0] + torch.arange(65)) for row in one)


@pytest.mark.parametrize(("size", "windows"), [(65, 1), (128, 1), (129, 2), (192, 2)])
def test_a_window_has_a_byte_behind_it_to_predict(tmp_path, size, windows):
    model = decoder.Decoder(training_file(tmp_path).config)
    assert len(trainer.windows_loss(model, torch.zeros(size, dtype=torch.uint8), 10**6)) == windows
    assert len(trainer.windows_loss(model, torch.zeros(size, dtype=torch.uint8), 63)) == 1


def test_windows_take_the_inputs_as_they_are_asked_for(tmp_path):
    model = decoder.Decoder(training_file(tmp_path, activations="int4").config)
    data = torch.arange(130, dtype=torch.uint8)
    with torch.no_grad():
        for floats in (False, True):
            logits = model(data[None, :128].reshape(2, 64).long(), floats)
            expected = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), data[1:129].long(), reduction="none"
            ).view(2, 64).mean(1)  # fmt: skip
            found = trainer.windows_loss(model, data, 10**6, floats)
            assert found == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.fixture
def run_of(tmp_path):
    """Return a function that gives a training that has not begun, in a folder of all."""

    def make(text=None, **changes):
        training = training_file(tmp_path, **changes)
        return trainer._Run(training.config, text or read_texts(training), tmp_path, CPU)

    return make


def test_a_checkpoint_belongs_to_settings_text_and_program(run_of, monkeypatch):
    first = run_of().key
    for same in ({"name": "other"}, {"description": "Other."}, {"checkpoint_seconds": 5.0}):
        assert run_of(**same).key == first
    text = folder_of.Text(b"a" * 99, b"b" * 99, {})
    others = [run_of(text=text).key, run_of(seed=2).key, run_of(log_steps=4).key, run_of(training__clip=2.0).key]
    monkeypatch.setattr(torch, "__version__", "0.0")
    others.append(run_of().key)
    monkeypatch.undo()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    others.append(run_of().key)
    assert len({first, *others}) == 1 + len(others)


def test_a_resumed_training_has_the_optimiser_the_losses_and_the_time_of_the_first(run_of):
    first = run_of()
    for _ in range(4):
        first._one_step()
    first.processor_s = 12.5
    first.save()
    again = run_of()
    again.resume()
    assert (again.step, again.rows, again.losses, again.processor_s) == (4, first.rows, first.losses, 12.5)
    assert len(again.losses) == 1  # since the row of step 3
    moments, expected = again.optimiser.state_dict()["state"], first.optimiser.state_dict()["state"]
    assert moments.keys() == expected.keys()
    assert all(torch.equal(moments[place]["exp_avg"], expected[place]["exp_avg"]) for place in moments)


def test_each_step_has_its_rate_and_decay_and_gains_do_not_decay(run_of):
    run = run_of(training__betas=[0.8, 0.97], training__weight_decay=0.3, training__weight_decay_until=0.2)
    schedule, given = run.schedule, []
    taken = run.optimiser.step
    run.optimiser.step = lambda: given.append([dict(g) for g in run.optimiser.param_groups]) or taken()
    for step in range(5):
        run._one_step()
        (matrices, gains), rate = given[step], schedule.rate(step)
        assert (matrices["lr"], gains["lr"]) == (rate, rate)
        assert (matrices["weight_decay"], gains["weight_decay"]) == (0.3 if step < 0.2 * 16 else 0.0, 0.0)
        assert matrices["betas"] == gains["betas"] == (0.8, 0.97)
    widths = [parameter.ndim for parameter in given[0][1]["params"]]
    assert sum(p.numel() for p in given[0][1]["params"]) == 2 * (3 * 32 + 64) + 32
    assert len(widths) == 5
    assert sum(p.numel() for p in given[0][0]["params"]) == run.config.model.linear_parameters + 256 * 32


def test_gradients_are_cut_to_their_largest_norm(run_of, monkeypatch):
    run, norms = run_of(training__clip=1e-3), []
    taken = run.optimiser.step

    def step():
        norms.append(math.sqrt(sum(float(p.grad.double().square().sum()) for p in run.model.parameters())))
        taken()

    monkeypatch.setattr(run.optimiser, "step", step)
    run._one_step()
    assert norms == [pytest.approx(1e-3, rel=1e-3)]


def test_a_row_has_the_mean_since_the_last_and_the_tokens_of_whole_steps(run_of, monkeypatch):
    run, losses = run_of(training__tokens=4096 - 1, evaluate_steps=2), iter([3.0, 5.0, 4.0, 8.0, 1.0, 2.0])
    monkeypatch.setattr(trainer, "windows_loss", lambda _, data, tokens: [len(data), 2.0 * tokens])
    monkeypatch.setattr(run.model, "loss", lambda *_: next(losses) + 0 * run.model.embedding.sum())
    for _ in range(6):
        run._one_step()
    rows = [row.split(",") for row in run.rows]
    assert [row[:2] for row in rows] == [["2", "512"], ["3", "768"], ["4", "1024"], ["6", "1536"]]
    assert [row[4] for row in rows] == ["4.000000", "4.000000", "8.000000", "1.500000"]
    held_out = f"{(len(run.held_out) + 2.0 * 1024) / 2:.6f}"
    assert [row[5] for row in rows] == [held_out, "", held_out, held_out]
    assert [row[2] for row in rows] == [f"{run.schedule.rate(step):.6g}" for step in (1, 2, 3, 5)]


@pytest.mark.parametrize(
    ("changes", "again"),
    [({"weights": "fp16"}, 0), ({"activations": "fp16", "inner_activations": "int8"}, 1), ({}, 1)],
)
def test_a_trained_model_is_evaluated_rounded_on_both_texts(run_of, monkeypatch, changes, again):
    run, asked = run_of(training__tokens=4096 - 1, **changes), []

    def loss(model, data, tokens, floats=False):
        asked.append((len(data), tokens, floats))
        assert changes.get("weights") != "fp16" or torch.equal(model.embedding, model.embedding.half().float())
        return [len(data) + floats, 2.0]

    monkeypatch.setattr(trainer, "windows_loss", loss)
    run.processor_s = 8.0
    result = run.finished()
    held_out, text = len(run.held_out), len(run.data)
    assert sorted(asked) == sorted([(held_out, 1024, False), *again * [(held_out, 1024, True)], (text, 1024, False)])
    evaluation = result.evaluation
    assert (evaluation.held_out, evaluation.windows) == ((held_out + 2) / 2, (held_out, 2.0))
    assert (evaluation.held_out_floats, evaluation.train) == ((held_out + again + 2) / 2, (text + 2) / 2)
    assert result.tokens_per_s == 16 * 256 / 8.0


def test_what_a_model_draws_depends_on_seed_temperature_and_the_last_bytes(tmp_path, monkeypatch):
    model = decoder.Decoder(training_file(tmp_path).config)
    seen = []

    def forward(tokens):
        seen.append(tokens[0].tolist())
        logits = torch.zeros(1, tokens.shape[1], 256)
        logits[0, -1, :2] = torch.tensor([20.0, 21.0])  # of zeros the rest hardly ever comes
        return logits

    monkeypatch.setattr(model, "forward", forward)
    prompt = bytes(range(70))
    drawn = trainer.sample(model, prompt, 3, seed=1)
    assert drawn[:70] == prompt
    assert seen[:2] == [list(prompt[6:]), list(drawn[7:71])]  # 64 at most
    many = {seed: trainer.sample(model, b"a", 400, seed=seed)[1:] for seed in (1, 2)}
    assert many[1] != many[2]
    for temperature in (0.6, 2.0):
        share = trainer.sample(model, b"a", 2000, temperature).count(1) / 2000
        weights = np.exp(np.array([20.0, 21.0, *254 * [0.0]]) / temperature)
        assert share == pytest.approx(weights[1] / weights.sum(), abs=4 * 0.5 / 2000**0.5)


FORMATS = {
    "fp16": {"weights": "fp16"},
    "int8": {"weights": "int8"},
    "int4-g16": {"weights": "int4", "group_size": 16},
    "ternary": {"weights": "ternary", "model__kv_heads": 1},
    "ternary-g16": {"weights": "ternary", "group_size": 16},
    "binary-s2": {"weights": "binary", "shards": 2},
    "llama": {"weights": "fp16", "model__sub_norms": False, "model__activation": "silu"},
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_model_that_is_not_trained_is_written_as_it_computes(tmp_path, name):
    training = training_file(tmp_path, **FORMATS[name])
    text, model = read_texts(training), decoder.Decoder(training.config)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for gain in (*model.gains.parameters(), model.last_gain):
            gain.uniform_(0.5, 2, generator=generator)
    decoder.round_to_file(model)
    evaluation = trainer.Evaluation(1.0, 1.0, 1.0, (1.0,))
    folder = tmp_path / "model"
    folder.mkdir()
    folder_of.save_folder(folder, training.config, text, trainer.Trained(model, [], evaluation, 1.0, 1.0))
    tokens = list(text.held_out[:24])
    with torch.no_grad():
        ours = model(torch.tensor([tokens]), training.config.weights in ("fp16", "int8", "int4"))[0].numpy()
    difference = np.abs(load_model(folder).model.forward(tokens, NumpyEngine()) - ours).max(-1)
    # where an input lies between two codes, another order of sums may take the other one
    assert np.quantile(difference, 0.75) < 1e-4 * np.abs(ours).max()


def test_shards_divide_what_comes_in_where_a_token_is_gathered_and_what_goes_out_elsewhere(tmp_path):
    """BitNet, arXiv:2310.11453, section 2.2: no shard needs another's statistics, of rows or of columns."""
    config = training_file(tmp_path, weights="binary", shards=2).config
    model = decoder.Decoder(config)
    written = {name.removeprefix("model.layers.1."): (codes, scale) for name, codes, scale in model.matrices()}
    latent = {role: weight[1].detach().numpy() for role, weight in model.latent.items()}
    cases = [
        ("self_attn.o_proj", latent["attention_out"], 1),
        ("mlp.down_proj", latent["ffn_out"], 1),
        ("mlp.up_proj", latent["ffn_in"][64:], 0),
        ("self_attn.v_proj", latent["attention_in"][64:], 0),
    ]
    for name, weight, axis in cases:
        parts = [np.where(part > part.mean(), 1, -1) * np.abs(part).mean() for part in np.split(weight, 2, axis=axis)]
        found = folder_of.dequantised(*written[name]).numpy()
        np.testing.assert_allclose(found, np.concatenate(parts, axis=axis), rtol=1e-5)
        in_model = model.quantised({"o": "attention_out", "d": "ffn_out", "u": "ffn_in", "v": "attention_in"}[
            name.rpartition(".")[2][0]])[1].detach().numpy()[-len(weight):]  # fmt: skip
        np.testing.assert_allclose(found, in_model, rtol=1e-6)
