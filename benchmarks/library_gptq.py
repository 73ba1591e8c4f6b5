"""GPTQ of llm-compressor on one layer of a bundled model, for the test that holds ours against it.

Run in an environment of its own, as llm-compressor pins others' versions::

    pip install -e . torch==2.13.0 llmcompressor==0.14.0.1
    python benchmarks/library_gptq.py

Writes tests/sim/post_training/llmcompressor_gptq.npz: second moments of the inputs of one linear of tiny-fp16 on the
text of LICENSE; for each number of bits the steps of each group and output, which both are given, and the library's
codes. Steps are wider than absmax needs, so that feedback drives few weights past the last level, as the library has
one more below zero: codes of outputs that use it are not counted as equal or not. And benchmarks/library_gptq.csv:
errors of the library and of ours on the same steps, and of ours on steps that are fitted as the feedback goes.
"""

import csv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compressed_tensors.quantization import QuantizationArgs
from llmcompressor.modifiers.gptq.gptq_quantize import quantize_weight

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.trained import FOLDER
from bitjoule.sim.post_training.gptq import DAMPING, gptq, hessian
from bitjoule.sim.post_training.grids import Floats, in_groups, relative_error, round_to_nearest
from bitjoule.sim.post_training.quantise import _inputs

ROOT = Path(__file__).parents[1]
CODES = ROOT / "tests" / "sim" / "post_training" / "llmcompressor_gptq.npz"
MODEL, LAYER, LINEAR, CONTEXT, GROUP, BITS = "tiny-fp16", 1, "q_proj", 256, 64, (4, 3)
MARGIN = 2.0  # of the largest magnitude
COLUMNS = (
    "method",
    "by",
    "bits",
    "group",
    "linear",
    "weight_error",
    "output_error",
    "equal_codes",
    "version",
    "command",
)


def calibration() -> list[list[int]]:
    """Return windows of bytes of a text that does not change."""
    text = (ROOT / "LICENSE").read_bytes()
    return [list(text[start : start + CONTEXT]) for start in range(0, len(text) - CONTEXT, CONTEXT)]


def by_library(weights: Floats, moments: Floats, steps: Floats, bits: int) -> Floats:
    """Return the codes of llm-compressor, shape (K, N)."""
    args = QuantizationArgs(num_bits=bits, type="int", symmetric=True, strategy="group", group_size=GROUP)
    scale = torch.from_numpy(steps.T.copy()).float()[None]
    rounded, _, fell_back = quantize_weight(
        torch.from_numpy(weights.T.copy()).float()[None], torch.from_numpy(moments.copy()).float()[None], scale,
        torch.zeros_like(scale), None, args, percdamp=DAMPING,
    )  # fmt: skip
    assert not fell_back.any()
    of_groups = in_groups(rounded[0].double().numpy().T, GROUP) / steps[:, np.newaxis]
    return np.rint(of_groups).reshape(weights.shape)


def main() -> None:
    """Quantise and write."""
    model = load_model(FOLDER / MODEL).model
    blocks = [model.blocks(index) for index in range(model.shape.layers)]
    inputs = _inputs(model, blocks, LAYER, calibration())[LINEAR]
    matrix = blocks[LAYER].linears[LINEAR].weights
    assert isinstance(matrix, np.ndarray)  # floats: the model is not quantised
    weights, moments = matrix.astype(np.float64), hessian(inputs)
    moments = moments.astype(np.float32).astype(np.float64)  # as the library has them
    version = f"llmcompressor {metadata.version('llmcompressor')}"
    saved: dict[str, Any] = {"moments": moments.astype(np.float32)}
    rows: list[Sequence[object]] = []

    def add(by: str, method: str, bits: int, rounded: Floats, equal: object) -> None:
        of_outputs = np.linalg.norm(inputs @ (rounded - weights)) / np.linalg.norm(inputs @ weights)
        errors = f"{relative_error(weights, rounded):.4f}", f"{of_outputs:.4f}"
        rows.append(
            (
                method,
                by,
                bits,
                GROUP,
                f"{MODEL} {LAYER}.{LINEAR}",
                *errors,
                equal,
                version,
                "python benchmarks/library_gptq.py",
            )
        )

    for bits in BITS:
        top = (1 << bits - 1) - 1
        steps = (np.abs(in_groups(weights, GROUP)).max(axis=1) * MARGIN / top).astype(np.float32).astype(np.float64)
        codes = by_library(weights, moments, steps, bits)
        ours = gptq(weights, moments, bits, GROUP, steps=steps)
        wide, inside = np.repeat(steps, GROUP, axis=0), (codes >= -top).all(axis=0)
        equal = np.mean((np.rint(ours / wide) == codes)[:, inside])
        add("llm-compressor", "gptq", bits, codes * wide, "")
        add("bitjoule", "gptq", bits, ours, f"{equal:.5f}")
        add("bitjoule", "gptq, fitted steps", bits, gptq(weights, moments, bits, GROUP), "")
        add("bitjoule", "nearest, fitted steps", bits, round_to_nearest(weights, bits, GROUP, fitted=True), "")
        saved |= {f"codes{bits}": codes.astype(np.int8), f"steps{bits}": steps.astype(np.float32)}
    np.savez_compressed(CODES, **saved)
    with Path(__file__).with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    print(Path(__file__).with_suffix(".csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
