"""The row of a training in a ladder's table: a result no two of whose numbers are equal, counted anew."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.sim.training.ladder import COLUMNS, Table, read_ladder
from tests.sim.training.test_config import LADDER

pytestmark = pytest.mark.slow  # torch takes seconds to import
WINDOWS = [1.25, 2.5, 1.75, 3.125]
# two layers of 32 values, 64 between the projections: 4 x 32 x 32 and 3 x 32 x 64 weights each
LINEARS = 2 * (4 * 32 * 32 + 3 * 32 * 64)


@pytest.fixture
def results(monkeypatch):
    pytest.importorskip("torch")
    from bitjoule.sim.training import results

    monkeypatch.setattr(results, "zero_share", lambda model: model)
    monkeypatch.setattr(results.torch, "__version__", "9.8.7+cpu")
    return results


@pytest.fixture
def rung():
    text = LADDER.replace("ternary: {weights: ternary,", "ternary: {weights: ternary, inner_activations: int4,")
    rungs = read_ladder(parse_document(text, "ladder.yaml"))
    return next(rung for rung in rungs if rung.key == ("large", "ternary", "2"))


def trained(zeros):
    evaluation = SimpleNamespace(windows=WINDOWS, held_out=np.mean(WINDOWS), held_out_floats=2.25, train=1.5)
    return SimpleNamespace(evaluation=evaluation, model=zeros, processor_s=12.34, tokens_per_s=567.8)


@pytest.mark.parametrize(("zeros", "shown"), [(0.3125, "0.312500"), (0.0, "0.000000"), (None, "")])
def test_a_row_has_every_column_of_the_table(results, rung, tmp_path, zeros, shown):
    row = results.ladder_row(rung, results.Outcome("c" * 64, "quantum", trained(zeros)), "f" * 40)
    assert set(row) == set(COLUMNS)
    error = np.std(WINDOWS, ddof=1) / np.sqrt(len(WINDOWS))
    # 256 values of 32 for the bytes; 3 x 32 + 64 of the norms of a layer and 32 of the last
    parameters = LINEARS + 256 * 32 + 2 * (3 * 32 + 64) + 32
    steps = -(-3 * parameters // 256)
    table = Table(tmp_path / "t.csv")
    table.append(row)
    ((line, read),) = table.rows()
    assert line == 2
    assert read == {
        "rung": "large", "format": "ternary", "seed": "2", "activations": "int8/int4", "parameters": str(parameters),
        "linear_parameters": str(LINEARS), "tokens": str(steps * 256), "steps": str(steps), "learning_rate": "0.02",
        "held_out_nats_per_byte": "2.156250", "held_out_standard_error": f"{error:.6f}",
        "held_out_float_inputs_nats_per_byte": "2.250000", "train_nats_per_byte": "1.500000", "zero_share": shown,
        "processor_s": "12.3", "tokens_per_s": "568", "diverged_at_step": "", "corpus_sha256": "c" * 64,
        "config_sha256": rung.config_sha256, "commit": "f" * 40, "torch": "9.8.7+cpu", "device": "quantum",
    }  # fmt: skip


def test_inputs_of_one_format_are_named_once(results):
    rung = read_ladder(parse_document(LADDER, "ladder.yaml"))[-1]
    assert results.ladder_row(rung, results.Outcome("", "", None, 1), "")["activations"] == "int8"


def test_a_training_that_diverged_has_the_step_and_no_losses(results, rung, tmp_path):
    row = results.ladder_row(rung, results.Outcome("c" * 64, "cpu", None, 17), "")
    table = Table(tmp_path / "t.csv")
    table.append(row)
    ((_, read),) = table.rows()
    assert (read["diverged_at_step"], read["held_out_nats_per_byte"], read["processor_s"]) == ("17", "", "")
    one = trained(0.5)
    one.evaluation.windows = WINDOWS[:1]
    one.evaluation.held_out = WINDOWS[0]
    assert results.ladder_row(rung, results.Outcome("", "", one), "")["held_out_standard_error"] == "0.000000"
