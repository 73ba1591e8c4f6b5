"""A rung of the ladder that ships, trained again, and what the smallest takes."""

import math

import pytest

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.sim.quality.tables import shipped_tables
from bitjoule.sim.training.ladder import Table, read_ladder
from bitjoule.sim.training.shipped import find_training
from bitjoule.sim.training.texts import read_texts
from tests.sampling import seldom

SMALLEST, LONGEST_S = "29k", 120.0
RUNGS = {rung.key: rung for rung in read_ladder(read_document(find_training("quality_ladder")))}
ROWS = {
    (row["rung"], row["format"], row["seed"]): row
    for _, row in Table(shipped_tables()["quality_ladder"]).rows()
    if row["rung"] == SMALLEST
}


def scatter():
    """Standard deviation of a loss about the mean of its format."""
    by_format = {}
    for (_, label, _), row in ROWS.items():
        by_format.setdefault(label, []).append(float(row["held_out_nats_per_byte"]))
    rest = [value - sum(values) / len(values) for values in by_format.values() for value in values]
    return math.sqrt(sum(each**2 for each in rest) / (len(ROWS) - len(by_format)))


def test_the_smallest_rung_takes_less_than_two_minutes_of_one_core():
    assert len(ROWS) >= 12
    assert max(float(row["processor_s"]) for row in ROWS.values()) < LONGEST_S


@pytest.mark.slow
@pytest.mark.parametrize("label", seldom(["fp16", "ternary", "binary"], 10, "a rung of the ladder"))
def test_a_rung_trained_again_ends_within_the_scatter_of_its_seeds(tmp_path, label):
    torch = pytest.importorskip("torch")
    trainer = pytest.importorskip("bitjoule.sim.training.trainer")
    row, training = ROWS[SMALLEST, label, "1"], RUNGS[SMALLEST, label, "1"].training
    text = read_texts(training)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trained = trainer.train(training.config, text, tmp_path, torch.device("cpu"))
    finally:
        torch.set_num_threads(threads)
    same = text.sha256 == row["corpus_sha256"]
    apart = 3 * scatter() if same else 0.3  # of other versions' text
    assert trained.evaluation.held_out == pytest.approx(float(row["held_out_nats_per_byte"]), abs=apart)
    assert trained.processor_s < LONGEST_S
