"""Joules per token that a GPU takes for models of the ladder in FP16, trits and ±1, beside what bitjoule predicts.

Run on a machine with an NVIDIA GPU (ten minutes of an H100 at most)::

    pip install 'bitjoule[train,interop]' zeus    # and the build of torch for the GPU's CUDA
    python benchmarks/gpu_energy.py --platform h100
    python benchmarks/gpu_energy.py --dry-run     # anywhere: the smallest size, a few steps on the CPU, no meter

Each format is trained at the ladder's largest size, by the ladder's settings, and then generates text with transformers
for some time. ``zeus`` reads the GPU's own counter of energy (NVML): the GPU and its memory, not the host. Idle watts
are read before; the energy of a training has its evaluation in it. Columns ``predicted`` count the same requests as
`accounting: system` does on the platform: once in FP16, which is what transformers multiplies in every format, and once
in the format's scheme, as kernels for it would. A dry run leaves measured columns empty.
"""

import argparse
import csv
import datetime
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import torch

import bitjoule
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.experiments.output.manifest import git_commit
from bitjoule.sim.quality.shapes import model_shape
from bitjoule.sim.training.config import CorpusOfFiles, TrainingFile
from bitjoule.sim.training.folder import save_folder
from bitjoule.sim.training.ladder import Rung, read_ladder
from bitjoule.sim.training.shipped import find_training
from bitjoule.sim.training.texts import Text, read_texts
from bitjoule.sim.training.trainer import pick_device, train

LADDER = "quality_ladder"
SCHEMES = {"fp16": "fp16", "ternary": "bitnet-b1.58", "binary": "bitnet"}  # as quality_frontier has them
DRY_STEPS, IDLE_S = 8, 5.0
COLUMNS = (
    "rung", "format", "parameters", "held_out_nats_per_byte", "batch", "prompt_tokens", "new_tokens",
    "generated_tokens", "s_per_token", "j_per_token", "idle_w", "trained_tokens", "training_j_per_token", "platform",
    "technology", "predicted_s_per_token", "predicted_low_j_per_token", "predicted_j_per_token",
    "predicted_high_j_per_token", "scheme", "predicted_in_scheme_j_per_token", "device", "torch", "zeus", "commit",
    "date",
)  # fmt: skip


class Used(NamedTuple):
    """Seconds and joules of some work; no joules without a meter."""

    seconds: float
    energy_j: float | None


def used(monitor: Any, name: str, work: Callable[[], object]) -> Used:
    """Return what some work took. zeus waits for the GPU at both ends."""
    if monitor is None:
        started = time.perf_counter()
        work()
        return Used(time.perf_counter() - started, None)
    monitor.begin_window(name)
    work()
    window = monitor.end_window(name)
    return Used(window.time, sum(window.gpu_energy.values()))


def monitor_of(dry: bool) -> Any:
    """Return the meter; None in a dry run."""
    if dry:
        return None
    if not torch.cuda.is_available():
        raise SystemExit("gpu_energy.py: torch finds no GPU; --dry-run runs on the CPU, without a meter")
    try:
        from zeus.monitor import ZeusMonitor
    except ImportError:
        raise SystemExit("gpu_energy.py: needs zeus: pip install zeus") from None
    return ZeusMonitor(gpu_indices=[0], cpu_indices=[])


def predicted(rung: Rung, scheme: str, options: argparse.Namespace) -> Any:
    """Return the row of the whole request in a scheme: joules and seconds of all its sequences."""
    name = f"bytes-{rung.rung}"
    requests = {"prompt_tokens": options.prompt, "new_tokens": options.new, "batch": options.batch}
    result = bitjoule.run(
        {
            "name": "gpu_energy", "accounting": "system", "schemes": [scheme], "technologies": [options.technology],
            "models": [{"name": name, **model_shape(rung.training.config.model)}], "platforms": [options.platform],
            "workload": requests, "baseline": {"scheme": scheme},
        },
        plots=False,
    )  # fmt: skip
    return result.summary.set_index("phase").loc["request"]


def trained_model(training: TrainingFile, text: Text, folder: Path, device: torch.device) -> float:
    """Train, write the model's folder and return the held-out loss."""
    result = train(training.config, text, folder, device)
    save_folder(folder, training.config, text, result)
    return result.evaluation.held_out


def generates(folder: Path, text: Text, device: torch.device, options: argparse.Namespace) -> Callable[[], int]:
    """Return what generates text for some seconds with transformers, and returns how many tokens came out."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    model = model.to(device).eval()
    starts = torch.arange(options.batch) * (len(text.held_out) - options.prompt) // options.batch
    data = torch.frombuffer(bytearray(text.held_out), dtype=torch.uint8)
    prompts = data[starts[:, None] + torch.arange(options.prompt)].long().to(device)

    def once() -> None:
        model.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=options.new, min_new_tokens=options.new,
            do_sample=False, pad_token_id=0,
        )  # fmt: skip

    def work() -> int:
        rounds, begun = 0, time.perf_counter()
        while rounds == 0 or time.perf_counter() - begun < options.seconds:
            once()
            rounds += 1
        return int(rounds * options.batch * options.new)

    once()  # allocations, and choice of kernels
    return work


def measured(rung: Rung, monitor: Any, idle_w: float | None, options: argparse.Namespace) -> dict[str, object]:
    """Return the row of a format."""
    training, device = rung.training, pick_device("cpu" if options.dry_run else "cuda")
    config = training.config
    if options.dry_run:
        root = Path(__file__).parents[1]
        schedule = config.training.model_copy(update={"tokens": DRY_STEPS * config.training.batch_tokens})
        corpus = CorpusOfFiles(train=[str(root / "LICENSE")], held_out=[str(root / "sim" / "models" / "NOTICE.md")])
        config = config.model_copy(update={"training": schedule, "corpus": corpus, "evaluation_tokens": 1024})
        training = replace(training, config=config)
    text = read_texts(training)
    with tempfile.TemporaryDirectory() as temporary, torch.compiler.set_stance("force_eager"):
        folder = Path(temporary)
        losses: list[float] = []
        of_training = used(monitor, "train", lambda: losses.append(trained_model(training, text, folder, device)))
        work, counts = generates(folder, text, device, options), list[int]()
        of_tokens = used(monitor, "generate", lambda: counts.append(work()))
    trained_tokens, tokens = config.training.steps * config.training.batch_tokens, counts[0]
    asked = options.batch * options.new
    floats, scheme = predicted(rung, "fp16", options), SCHEMES[rung.format_name]
    energies = [floats[key] / asked for key in ("energy_low_j", "energy_j", "energy_high_j")]
    in_scheme = predicted(rung, scheme, options)["energy_j"] / asked
    return dict(
        zip(
            COLUMNS,
            (
                rung.rung, rung.format_name, config.model.parameters, f"{losses[0]:.6f}", options.batch, options.prompt,
                options.new, tokens, f"{of_tokens.seconds / tokens:.4g}", _per(of_tokens.energy_j, tokens),
                "" if idle_w is None else f"{idle_w:.1f}", trained_tokens, _per(of_training.energy_j, trained_tokens),
                options.platform, options.technology, f"{floats['latency_s'] / asked:.4g}",
                *(f"{energy:.4g}" for energy in energies), scheme, f"{in_scheme:.4g}",
                torch.cuda.get_device_name(0) if device.type == "cuda" else "cpu", torch.__version__,
                "" if monitor is None else metadata.version("zeus"), git_commit() or "",
                datetime.date.today().isoformat(),
            ),
            strict=True,
        )
    )  # fmt: skip


def _per(energy_j: float | None, tokens: int) -> str:
    return "" if energy_j is None else f"{energy_j / tokens:.4g}"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="joules per token of a GPU beside the prediction")
    parser.add_argument("--platform", default="h100", help="platform of the prediction (default: %(default)s)")
    parser.add_argument("--technology", default="7nm", help="its prices (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="sequences at once (default: %(default)s)")
    parser.add_argument("--prompt", type=int, default=128, help="bytes of a prompt (default: %(default)s)")
    parser.add_argument("--new", type=int, default=128, help="bytes that follow it (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of generating, a format (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="smallest size, few steps, CPU, no meter")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"), help="(default: %(default)s)")
    options = parser.parse_args()
    if options.dry_run:
        options.batch, options.prompt, options.new, options.seconds = 2, 8, 4, 0.0
    monitor = monitor_of(options.dry_run)
    rungs = [rung for rung in read_ladder(read_document(find_training(LADDER))) if rung.seed == 1]
    size = rungs[0 if options.dry_run else -1].rung
    idle = used(monitor, "idle", lambda: time.sleep(0.0 if options.dry_run else IDLE_S))
    idle_w = None if idle.energy_j is None else idle.energy_j / idle.seconds
    rows = [
        measured(rung, monitor, idle_w, options) for rung in rungs if rung.rung == size and rung.format_name in SCHEMES
    ]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.stdout.write(options.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
