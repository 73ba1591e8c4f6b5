"""Products of recurrent mixers, against those that torch counts in transformers' models and in the papers' equations.

torch's counter sees products of matrices and convolutions, no element-wise ones. Linears and attention are equal to the
unit. What is done with the states is equal but for what the comments below derive: what the counter does not see, and
where the chunked form in transformers takes the masked half of a chunk's pairs, too.
"""

import inspect
from typing import Any, NamedTuple

import numpy as np
import pytest

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.parts.recurrent import CONVOLUTION, RECURRENCE
from bitjoule.energy_models.architecture.phases import PHASES, Cases, all_steps
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.work.workload import Switches, workload
from tests.energy_models.architecture.readers.test_huggingface_types import LAYERS, configuration, read

pytestmark = pytest.mark.slow  # the imports take seconds

SEQUENCES, CHUNK = 2, 16  # a prompt of one chunk
ADD = 1  # of mul, add, read and write


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


class Counts(NamedTuple):
    """Multiply-accumulates of prefill and of a decode step.

    Parameters
    ----------
    matmuls
        Of linears and attention.
    state, taps
        Of what is done with states; of convolutions.
    """

    matmuls: list[float]
    state: list[float]
    taps: list[float]


def counted(shape: ModelShape, prompt: int) -> Counts:
    one = np.zeros(1, dtype=np.intp)
    cases = Cases(one, one, *(np.array([float(value)]) for value in (SEQUENCES, prompt, 1)))
    layout = Layout([shape])
    work = workload(layout, cases, all_steps(PHASES, cases), Switches(*np.zeros((5, 1))))
    sizes = work.sizes
    prefill, decode = (sizes.m * sizes.k * sizes.n * sizes.times).sum(axis=2)[0].tolist()
    # torch's models run the LM head for every token of the prompt, ours for each sequence's last
    prefill += SEQUENCES * (prompt - 1) * shape.hidden * shape.vocabulary
    sums = {
        name: work.parts[0, :, layout.elementwise.index(name), ADD].tolist() if name in layout.elementwise else [0, 0]
        for name in (RECURRENCE, CONVOLUTION)
    }
    return Counts([prefill, decode], sums[RECURRENCE], sums[CONVOLUTION])


def counted_by_torch(transformers: Any, config: Any, prompt: int) -> Counts:
    """Count a model; bmm and convolutions in its mixers are what is done with states, all else is matmuls."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    eager = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = transformers.AutoModelForCausalLM.from_config(config, **eager).eval()
    argument = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    mixers = [n for n, module in model.named_modules() if hasattr(module, "conv1d") or hasattr(module, "slope_rate")]
    assert mixers
    counts, past = Counts([], [], []), None
    for tokens in (prompt, 1):
        ids = torch.ones((SEQUENCES, tokens), dtype=torch.long)
        with torch.no_grad(), FlopCounterMode(display=False, depth=None) as counter:
            past = model(input_ids=ids, **{argument: past}, use_cache=True)["past_key_values"]
        by_module = counter.get_flop_counts()
        inside = [by_module[f"{type(model).__name__}.{name}"] for name in mixers]
        macs = {
            kind: sum(flops for ops in inside for operator, flops in ops.items() if kind in str(operator)) // 2
            for kind in ("bmm", "convolution")
        }
        counts.state.append(macs["bmm"])
        counts.taps.append(macs["convolution"])
        counts.matmuls.append(counter.get_total_flops() // 2 - sum(macs.values()))
    return counts


def both(transformers: Any, folder: Any, name: str, changes: dict[str, Any], prompt: int = CHUNK) -> tuple[Any, ...]:
    config = configuration(transformers, name, changes)
    shape = read(folder, config.to_dict())
    groups = [(group.mixer, group.repeats) for group in shape.groups if group.mixer]
    groups = groups or [(shape.mixer or shape.beside, LAYERS)]
    mixers = [(mixer, repeats) for mixer, repeats in groups if mixer.kind != "none"]
    first = mixers[0][0]
    assert all(mixer == first for mixer, _ in mixers)
    layers = sum(repeats for _, repeats in mixers)
    return first, layers, counted(shape, prompt), counted_by_torch(transformers, config, prompt)


def assert_taps(mixer: Any, layers: int, channels: int, prompt: int, found: Counts, made: Counts) -> None:
    """Its convolution begins before the first token and ends behind the last, and drops what is too much.

    In a step of one token its state holds as many inputs as there are taps: it makes one output more than is used.
    """
    each = SEQUENCES * layers * channels * mixer.kernel
    assert found.taps == [each * prompt, each]
    assert made.taps == [each * (prompt + mixer.kernel - 1), each * 2]


@pytest.mark.parametrize("name", ["mamba", "falcon_mamba", "jamba"])
def test_a_selective_scan_reads_its_state_in_a_matmul_and_updates_it_element_by_element(transformers, tmp_path, name):
    mixer, layers, found, made = both(transformers, tmp_path, name, {})
    assert found.matmuls == made.matmuls
    assert_taps(mixer, layers, mixer.inner, CHUNK, found, made)
    state = SEQUENCES * layers * mixer.inner * mixer.state
    assert made.state == [state * CHUNK, state]  # C h of each token
    # not seen: dt A, which the exponential takes, and B times dt x, which joins the state
    exponential = functions()["exponential"].add
    for tokens, sums in zip((CHUNK, 1), found.state, strict=True):
        assert sums == tokens * state * (1 + 2 + exponential)


SSD = [
    ("mamba2", {"chunk_size": CHUNK}),
    ("bamba", {"mamba_chunk_size": CHUNK}),
    ("granitemoehybrid", {"mamba_chunk_size": CHUNK, "layer_types": ["linear_attention", "full_attention"] * 2}),
    ("nemotron_h", {"chunk_size": CHUNK}),
    ("falcon_h1", {"mamba_chunk_size": CHUNK}),  # beside attention
]


@pytest.mark.parametrize(("name", "changes"), SSD, ids=[name for name, _ in SSD])
def test_a_chunk_of_a_state_space_is_attention_and_two_products_with_the_state(transformers, tmp_path, name, changes):
    mixer, layers, found, made = both(transformers, tmp_path, name, changes)
    assert found.matmuls == made.matmuls
    channels = mixer.heads * mixer.head_dim + 2 * mixer.groups * mixer.state
    assert_taps(mixer, layers, channels, CHUNK, found, made)
    each = SEQUENCES * layers
    state = mixer.heads * mixer.head_dim * mixer.state
    scores, values = mixer.heads * mixer.state, mixer.heads * mixer.head_dim  # of a pair of tokens
    # the states before and behind a chunk, two, become those that the next chunks begin with in one product of
    # matrices, 2 x 2: ours pass the chunk once, with a product for each value, the decay
    passing = 2 * 2 * state
    assert made.state == [each * (CHUNK**2 * (scores + values) + 2 * CHUNK * state + passing), each * state]
    # half of the pairs are masked; B and C are those of a group, which transformers repeats for each of its heads
    pairs = (scores * mixer.groups / mixer.heads + values) / 2
    # not seen in a step of one token: dt B x, which joins the state
    assert found.state == [each * (CHUNK**2 * pairs + 2 * CHUNK * state), each * 2 * state]


def test_a_block_of_lightning_attention_is_attention_and_two_products_with_the_state(transformers, tmp_path):
    mixer, layers, found, made = both(transformers, tmp_path, "minimax", {"block_size": CHUNK})
    assert found.matmuls == made.matmuls
    each, width = SEQUENCES * layers * mixer.heads, mixer.key_dim
    assert made.state == [each * (2 * CHUNK**2 * width + 2 * CHUNK * width**2), each * 2 * width**2]
    assert found.state == [each * (CHUNK**2 * width + 2 * CHUNK * width**2), each * 2 * width**2]  # half is masked


DELTA = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 12}


@pytest.mark.parametrize("name", ["qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"])
def test_a_chunk_of_the_delta_rule_solves_for_what_joins_the_state(transformers, tmp_path, name):
    prompt = 64  # the chunk that transformers fixes
    mixer, layers, found, made = both(transformers, tmp_path, name, DELTA, prompt)
    assert mixer.chunk == prompt
    assert found.matmuls == made.matmuls
    channels = 2 * mixer.key_heads * mixer.key_dim + mixer.value_heads * mixer.value_dim
    assert_taps(mixer, layers, channels, prompt, found, made)
    each, keys, values = SEQUENCES * layers * mixer.value_heads, mixer.key_dim, mixer.value_dim
    state = keys * values
    # k k' and q k', and what both give; keys and queries with the state, and what joins it
    assert made.state == [each * (prompt**2 * (2 * keys + values) + 3 * prompt * state), 0]
    # half of the pairs are masked. Not seen: a triangular system of as many unknowns as a chunk has tokens, for each
    # column of keys and values; ours inverts its matrix, which takes a sixth of its cube more
    solved = prompt**2 * (keys + values) / 2 + prompt**3 / 6
    chunk = prompt**2 * (2 * keys + values) / 2 + solved + 3 * prompt * state
    # not seen in a step of one token: the same three products with the state, element by element
    assert found.state == pytest.approx([each * chunk, each * 3 * state], rel=1e-12)


HIDDEN, VOCABULARY = 48, 100
KEEPS = {"kind": "retention", "heads": 3, "key_dim": 8, "value_dim": 20, "chunk": CHUNK}


def retention(width: dict[str, int]) -> tuple[Any, Any]:
    """Return retention's linears, and its function of inputs and state (Sun et al., arXiv:2307.08621, section 2)."""
    import torch

    torch.manual_seed(0)
    heads, keys, values = width["heads"], width["heads"] * width["key_dim"], width["heads"] * width["value_dim"]
    linears = torch.nn.ModuleDict({
        name: torch.nn.Linear(k, n, bias=False)
        for name, k, n in (("q", HIDDEN, keys), ("k", HIDDEN, keys), ("v", HIDDEN, values), ("g", HIDDEN, values),
                           ("o", values, HIDDEN))
    })  # fmt: skip
    decay = 1 - 2.0 ** (-5 - torch.arange(heads))[:, None, None]

    def forward(inputs: Any, state: Any) -> tuple[Any, Any]:
        """Take a chunk as equation 7 does, or one token as equation 6 does."""
        batch, tokens, _ = inputs.shape
        q, k, v = (linears[name](inputs).view(batch, tokens, heads, -1).transpose(1, 2) for name in "qkv")
        steps = torch.arange(tokens)
        if tokens == 1:
            state = decay * state + k.transpose(-1, -2) @ v
            outputs = q @ state
        else:
            inner = decay ** (steps[:, None] - steps).clamp(min=0) * (steps[:, None] >= steps)
            cross = q @ state * decay ** (steps[:, None] + 1)
            outputs = (q @ k.transpose(-1, -2) * inner) @ v + cross
            state = k.transpose(-1, -2) @ (v * decay ** (tokens - 1 - steps[:, None])) + decay**tokens * state
        normed = torch.nn.functional.rms_norm(outputs, outputs.shape[-1:]).transpose(1, 2).reshape(batch, tokens, -1)
        return linears["o"](torch.nn.functional.silu(linears["g"](inputs)) * normed), state

    return forward, torch.zeros(SEQUENCES, heads, width["key_dim"], width["value_dim"])


def hgrn(width: dict[str, int]) -> tuple[Any, Any]:
    """Return a gated linear recurrence (Zhu et al., arXiv:2406.02528, section 3.3) without lower bound."""
    import torch

    torch.manual_seed(0)
    inner = width["inner"]
    into = [torch.nn.Linear(HIDDEN, inner, bias=False) for _ in range(3)]
    back = torch.nn.Linear(inner, HIDDEN, bias=False)

    def forward(inputs: Any, state: Any) -> tuple[Any, Any]:
        forget, candidate, gate = (linear(inputs) for linear in into)
        forget, candidate, states = forget.sigmoid(), torch.nn.functional.silu(candidate), []
        for i in range(inputs.shape[1]):
            state = forget[:, i] * state + (1 - forget[:, i]) * candidate[:, i]
            states.append(state)
        normed = torch.nn.functional.rms_norm(torch.stack(states, 1), (inner,))
        return back(normed * torch.nn.functional.silu(gate)), state

    return forward, torch.zeros(SEQUENCES, inner)


def products_of(forward: Any, state: Any, prompt: int, chunk: int) -> list[dict[str, int]]:
    """Return what torch counts in a prompt, chunk by chunk, and in a step after it, by operator.

    The outputs of the step are those of a prompt of one token more, taken token by token.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    inputs = torch.randn(SEQUENCES, prompt + 1, HIDDEN, generator=torch.Generator().manual_seed(1))
    counts, after = [], state
    for part in (inputs[:, :prompt], inputs[:, prompt:]):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            for first in range(0, part.shape[1], chunk):
                last, after = forward(part[:, first : first + chunk], after)
        by_operator = counter.get_flop_counts()["Global"]
        counts.append({str(operator): flops // 2 for operator, flops in by_operator.items()})
    with torch.no_grad():
        for i in range(prompt + 1):
            alone, state = forward(inputs[:, i : i + 1], state)
    torch.testing.assert_close(last, alone, rtol=1e-3, atol=1e-4)
    return counts


def layer(mixer: dict[str, Any]) -> ModelShape:
    return ModelShape.model_validate({"layers": 1, "hidden": HIDDEN, "vocabulary": VOCABULARY, "mixer": mixer})


def test_a_chunk_of_retention_is_attention_and_two_products_with_the_state():
    pytest.importorskip("torch")
    prompt = 2 * CHUNK
    prefill, decode = products_of(*retention(KEEPS), prompt, CHUNK)
    found = counted(layer(KEEPS), prompt)
    head = SEQUENCES * HIDDEN * VOCABULARY
    assert found.matmuls == [prefill["aten.mm"] + head * prompt, decode["aten.mm"] + head]
    each, keys, values = SEQUENCES * KEEPS["heads"], KEEPS["key_dim"], KEEPS["value_dim"]
    pairs, with_state = 2 * CHUNK**2 * (keys + values), prompt * 2 * keys * values
    assert [prefill["aten.bmm"], decode["aten.bmm"]] == [each * (pairs + with_state), each * 2 * keys * values]
    assert found.state == [each * (pairs / 2 + with_state), each * 2 * keys * values]  # half of the pairs is masked


def test_a_gated_linear_recurrence_is_four_linears_and_a_sum_for_each_value_of_its_state():
    pytest.importorskip("torch")
    mixer = {"kind": "hgrn", "inner": 40, "lower_bound": False}
    prefill, decode = products_of(*hgrn(mixer), CHUNK, CHUNK)
    found = counted(layer(mixer), CHUNK)
    head = SEQUENCES * HIDDEN * VOCABULARY
    assert found.matmuls == [sum(prefill.values()) + head * CHUNK, sum(decode.values()) + head]
    assert found.state == [SEQUENCES * CHUNK * 40, SEQUENCES * 40]  # not seen: f h, to which the new part is added
