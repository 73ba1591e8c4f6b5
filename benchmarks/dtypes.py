"""How many INT8 codes of activations, and how far the logits, differ where transformers computes in another type.

Run: ``python benchmarks/dtypes.py`` (a minute; extra interop). Writes benchmarks/dtypes.csv. Models are those that
ship, run by transformers; bitjoule computes in float32. Two shares of codes are measured over all linears of a text:

* `model`: codes of the whole model in the other type against bitjoule's. Differences grow from layer to layer.
* `bitlinear`: of the same activations, codes by transformers' `BitLinear`, which quantises in the type of the model,
  against those in float32, which its `AutoBitLinear` always takes.
"""

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import Int32s, MatmulWeights, NumpyEngine
from bitjoule.sim.llm.trained import FOLDER
from bitjoule.sim.reference.matmul import Codes
from bitjoule.sim.reference.quantisation import absmax

MODELS = ("tiny-b158", "tiny-bitnet")
DTYPES = ("float32", "float16", "bfloat16")
NAMES = {"gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}
TEXT = (
    "Return the sum of array elements over a given axis. Parameters: a, array_like, elements to sum. axis: None or int"
)


class Keeping:
    """An engine that keeps the activations' codes."""

    def __init__(self) -> None:
        self.codes: dict[str, Codes] = {}

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return the product; see `bitjoule.sim.llm.engines.Engine.matmul`."""
        self.codes[name] = activations.copy()
        return NumpyEngine().matmul(name, activations, weights)


def run(transformers: Any, name: str, dtype: str, ids: list[int]) -> tuple[dict[str, Codes], dict[str, Codes], Any]:
    """Return the inputs' codes in float32 and by `BitLinear`, of every linear by bitjoule's name, and the logits."""
    from transformers.integrations.bitnet import AutoBitLinear, BitLinear

    model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER / name, dtype=torch.float32).eval()
    model.to(getattr(torch, dtype))  # from_pretrained leaves the weights in their stored type
    quantise: Any = BitLinear.activation_quant  # a method that reads nothing of its object
    exact: dict[str, Codes] = {}
    typed: dict[str, Codes] = {}

    def hook(linear: str) -> Any:
        def keep(_: Any, inputs: tuple[Any, ...]) -> None:
            exact[linear] = absmax(inputs[0][0].float().numpy()).codes
            typed[linear] = quantise(None, inputs[0][0])[0].numpy()

        return keep

    for path, module in model.named_modules():
        if isinstance(module, AutoBitLinear):
            _, _, layer, _, linear = path.split(".")
            module.register_forward_pre_hook(hook(f"layers.{layer}.{NAMES.get(linear, linear)}"))
    return exact, typed, model(torch.tensor([ids])).logits[0].float().numpy()


def shares(codes: dict[str, Codes], others: dict[str, Codes]) -> NDArray[np.float64]:
    """Return the share of all codes that differ, and the least and the most of one linear, in percent."""
    if codes.keys() != others.keys():
        raise ValueError(f"linears {sorted(codes)} are not {sorted(others)}")
    differ = [codes[key] != others[key] for key in codes]
    linears = [values.mean() for values in differ]
    return 100 * np.array([np.concatenate([values.ravel() for values in differ]).mean(), min(linears), max(linears)])


def main() -> None:
    """Measure, print and write the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers
    rows = []
    with torch.compiler.set_stance("force_eager"), torch.no_grad():
        for name in MODELS:
            ours, engine, ids = load_model(FOLDER / name), Keeping(), list(TEXT.encode())
            logits = ours.model.forward(ids, engine)
            for dtype in DTYPES:
                exact, typed, others = run(transformers, name, dtype, ids)
                row: dict[str, Any] = {"model": name, "dtype": dtype}
                for kind, found in {"model": shares(exact, engine.codes), "bitlinear": shares(typed, exact)}.items():
                    ends = (f"{kind}_percent", f"{kind}_least_linear_percent", f"{kind}_most_linear_percent")
                    row |= dict(zip(ends, found, strict=True))
                row |= {"logit_difference": abs(others - logits).max(), "largest_logit": abs(logits).max()}
                rows.append({key: value if isinstance(value, str) else f"{value:.4g}" for key, value in row.items()})
                print(rows[-1])
    with Path(__file__).with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
