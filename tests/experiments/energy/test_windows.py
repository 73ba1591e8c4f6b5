"""Requests that are longer than the attention window of their model."""

import json
from pathlib import Path

import pytest

from bitjoule.experiments.energy.windows import beyond_window

CONFIGS = Path(__file__).parents[2] / "energy_models" / "configs"
TEXT = """\
name: x
models: [llama-3-8b, mistral-7b]
schemes: [fp16]
technologies: [7nm]
workload: {prompt_tokens: [7, PROMPT], new_tokens: NEW}
"""


def lines(resolved, prompt, new, text=TEXT):
    return found(resolved(text.replace("PROMPT", str(prompt)).replace("NEW", str(new))))


def found(read):
    return list(beyond_window(read.models, read.experiment.workload, read.experiment.accounting))


def test_the_longest_request_is_compared_with_the_window_of_4096_tokens(resolved):
    ends = "its attention window of 4096; the papers' accountings have no windows, and every layer attends to all "
    ends += "tokens"
    assert lines(resolved, 4096, 0) == []
    assert lines(resolved, 4097, 0) == [f"model mistral-7b: a prompt of 4097 exceeds {ends}"]
    assert lines(resolved, 4000, 96) == []
    assert lines(resolved, 4000, "[97, 3]") == [
        f"model mistral-7b: a prompt of 4000 and 97 new tokens exceed {ends}"
    ]  # fmt: skip


def test_models_of_the_user_have_the_window_that_they_say(resolved, tmp_path):
    config = json.loads((CONFIGS / "llama-7b" / "config.json").read_text()) | {
        "model_type": "mistral", "num_key_value_heads": 32, "sliding_window": 64,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = TEXT.replace("[llama-3-8b, mistral-7b]", "[./config.json, {name: mine, layers: 2, hidden: 64, heads: 2, "
                        "ffn: 64, ffn_gated: true, activation: silu, vocabulary: 9, window: 100}]")  # fmt: skip
    assert [line.split(":")[0].split()[0] for line in lines(resolved, 100, 0, text)] == ["model"]
    assert len(lines(resolved, 101, 0, text)) == 2


def test_bare_products_have_no_window(resolved):
    text = "name: x\nmatmuls: [{m: 9999, k: 8, n: 8}]\nschemes: [fp16]\ntechnologies: [7nm]\n"
    assert found(resolved(text)) == []


@pytest.mark.parametrize("accounting", ["arithmetic", "mac", "system"])
def test_a_run_of_an_accounting_without_windows_says_so(bitjoule, tmp_path, accounting):
    text = TEXT.replace("PROMPT", "5000").replace("NEW", "0") + f"accounting: {accounting}\n"
    text += "platforms: [fp16-edge]\n" * (accounting == "system")
    (tmp_path / "x.yaml").write_text(text)
    status, _, err = bitjoule("run", tmp_path / "x.yaml", "--no-plots", "--out", tmp_path)
    assert status == 0
    if accounting == "system":
        assert not err
        return
    assert err.startswith("bitjoule: model mistral-7b: a prompt of 5000 exceeds its attention window of 4096; ")
    assert len(err.splitlines()) == 1
