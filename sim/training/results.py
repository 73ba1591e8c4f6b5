"""What a training came to, and its row in the table of a ladder."""

import math
from dataclasses import dataclass

import torch

from bitjoule.sim.training.decoder import zero_share
from bitjoule.sim.training.ladder import Rung
from bitjoule.sim.training.trainer import Trained


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Parameters
    ----------
    corpus_sha256
        Of its text.
    device
        ``cpu`` or ``cuda``.
    trained
        The model; None if it diverged.
    diverged_at
        The step whose loss is not finite.
    """

    corpus_sha256: str
    device: str
    trained: Trained | None
    diverged_at: int | None = None


def ladder_row(rung: Rung, outcome: Outcome, commit: str) -> dict[str, object]:
    """Return the row of a training, by the columns of `bitjoule.sim.training.ladder.COLUMNS`.

    The standard error is that of the mean over the evaluated windows. All models of a ladder are evaluated on the same
    windows, so differences between them are known better than it says.

    Parameters
    ----------
    rung, outcome
        The training, and what it came to.
    commit
        Of the checkout.
    """
    config = rung.training.config
    schedule = config.training
    row: dict[str, object] = {
        "rung": rung.rung,
        "format": rung.format_name,
        "seed": rung.seed,
        "activations": "/".join(dict.fromkeys(config.inputs)),
        "parameters": config.model.parameters,
        "linear_parameters": config.model.linear_parameters,
        "tokens": schedule.steps * schedule.batch_tokens,
        "steps": schedule.steps,
        "learning_rate": f"{schedule.learning_rate:g}",
        "diverged_at_step": outcome.diverged_at or "",
        "corpus_sha256": outcome.corpus_sha256,
        "config_sha256": rung.config_sha256,
        "commit": commit,
        "torch": torch.__version__,
        "device": outcome.device,
    }
    trained = outcome.trained
    if trained is None:
        return row
    windows, evaluation, zeros = trained.evaluation.windows, trained.evaluation, zero_share(trained.model)
    spread = sum((each - evaluation.held_out) ** 2 for each in windows) / max(len(windows) - 1, 1)
    return row | {
        "held_out_nats_per_byte": f"{evaluation.held_out:.6f}",
        "held_out_standard_error": f"{math.sqrt(spread / len(windows)):.6f}",
        "held_out_float_inputs_nats_per_byte": f"{evaluation.held_out_floats:.6f}",
        "train_nats_per_byte": f"{evaluation.train:.6f}",
        "zero_share": "" if zeros is None else f"{zeros:.6f}",
        "processor_s": f"{trained.processor_s:.1f}",
        "tokens_per_s": f"{trained.tokens_per_s:.0f}",
    }
