"""What is said of a run on the hardware: speeds, and a request beside its two phases."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule import run_experiment
from bitjoule.reports import hardware
from bitjoule.reports.hardware import hardware_markdown, headline, speed_line
from bitjoule.sim.accelerator.linear.engine import Compared
from tests.reports.shown import THREE_DIGITS, quantity, table, unit_in

PROMPT, NEW = "To be", 4  # a byte is a token
ROWS = [SimpleNamespace(cycles=3_000_000, tokens=7, k=2000, n=90_000), SimpleNamespace(cycles=500, tokens=3, k=5, n=2)]


def said(**changes):
    whole = {"rows": ROWS, "seconds": 12.5, "hardware_seconds": 8.0, "bare": False, "new_tokens": 30}
    return speed_line(SimpleNamespace(**whole | changes))


def test_speeds_are_of_all_seconds_or_of_those_in_the_hardware():
    cycles, trits = 3_000_000 + 500, 7 * 2000 * 90_000 + 3 * 5 * 2
    told = re.search(r"in ([\d.]+) s: (\d+) tokens, ([\d.]+) tokens/s.* ([\d.]+) s in the simulated hardware: "
                     r"(\d+) k cycles/s, ([\d.]+) G trits/s", said())  # fmt: skip
    seconds, tokens, speed, hardware_seconds, k_cycles, g_trits = map(float, told.groups())
    assert (seconds, tokens, hardware_seconds) == (12.5, 30, 8)
    assert speed == pytest.approx(30 / 12.5)
    assert k_cycles * 1e3 == pytest.approx(cycles / 8.0, abs=510)
    assert g_trits * 1e9 == pytest.approx(trits / 8.0, abs=510_000)


def test_what_did_not_happen_has_no_speed():
    assert "tokens" not in said(bare=True)
    assert "12.5 s" in said(bare=True)
    assert "hardware" not in said(hardware_seconds=None)
    assert "30 tokens, 2.40 tokens/s" in said(hardware_seconds=None)


def test_the_headline_adds_the_cycles_and_gives_the_energy_of_the_last_phase():
    rows = [("prefill", 0.25), ("decode", 3.125e-3), ("request", 7.5)]
    summary = pd.DataFrame(rows, columns=["phase", "energy_per_token_j"])
    simulated = SimpleNamespace(name="tiny", rows=ROWS)
    result = SimpleNamespace(simulated=simulated, summary=summary, technology="7nm", config="edge_64x16")
    expected = "tiny, 3000500 cycles on edge_64x16; 3.12 mJ per token in decode at 7nm"
    assert headline(result) == expected
    result.summary = summary[:1]
    assert headline(result).endswith("; 250 mJ per token in prefill at 7nm")


@pytest.fixture(scope="module")
def found():
    rtl = {"engine": "numpy", "model": "tiny-b158", "prompt": PROMPT, "new_tokens": NEW}
    return run_experiment({"name": "x", "technology": "7nm", "platform": "ternary-edge", "rtl": rtl})


def test_a_request_is_its_prompt_and_the_tokens_that_came_back(found):
    """The first new token comes of the prompt: each but the last comes back."""
    tokens = {"prefill": len(PROMPT), "decode": NEW - 1, "request": len(PROMPT) + NEW - 1}
    shown = {row["phase"]: row for row in table(hardware_markdown(found, 200), ["model", "phase", "tokens"])}
    assert list(shown) == list(tokens)
    simulated = found.simulated
    long = found.results
    latency_s = found.summary.set_index("phase")["latency_s"]
    clock_hz = simulated.machine.clock_mhz * 1e6
    for phase, row in shown.items():
        own = ["prefill", "decode"] if phase == "request" else [phase]
        assert int(row["tokens"]) == tokens[phase]
        assert latency_s[phase] == pytest.approx(sum(latency_s[name] for name in own))
        assert quantity(row["time per token"], "s") == pytest.approx(latency_s[phase] / tokens[phase], rel=THREE_DIGITS)
        cycles = sum(ran.cycles for ran in simulated.rows if ran.phase in own)
        computing_s = cycles / clock_hz / tokens[phase]
        assert quantity(row["compute time"], "s") == pytest.approx(computing_s, rel=THREE_DIGITS)
        joules = long[long["phase"].isin(own)][["energy_pj", "energy_low_pj", "energy_high_pj"]].sum() / 1e12
        texts = [row["energy per token"], *row["band"].split(" to ")]
        assert [quantity(text, "J") for text in texts] == pytest.approx(joules / tokens[phase], rel=THREE_DIGITS)


def test_the_parts_of_each_phase_are_of_its_own_tokens(found):
    """Bits of off-chip memory and the operations are read by their action; the rest adds up to the whole."""
    parts = table(hardware_markdown(found, 200), ["part"])
    header = list(parts[0])
    assert [name.split(" (")[0] for name in header[1:]] == ["tiny-b158 prefill", "tiny-b158 decode"]
    long = found.results
    picked = {
        "additions": (long["operand"] == "partial_sums") & (long["action"] == "add"),
        "accumulators": (long["operand"] == "partial_sums") & long["action"].str.startswith("register"),
        "weight registers": (long["operand"] == "weights") & long["action"].str.startswith("register"),
        "weights, buffer": (long["operand"] == "weights") & long["action"].str.startswith("buffer"),
        "weights, off-chip memory": (long["operand"] == "weights") & long["action"].str.startswith("off_chip"),
        "activations, buffer": (long["operand"] == "activations") & long["action"].str.startswith("buffer"),
        "results, buffer": (long["operand"] == "outputs") & long["action"].str.startswith("buffer"),
        **{f"static power, {part}": long["operand"] == part for part in ("chip", "phy", "dram", "host")},
    }
    assert np.sum([chosen.to_numpy() for chosen in picked.values()], axis=0).tolist() == [1] * len(long)
    assert [row["part"] for row in parts] == list(picked)
    for name, phase, tokens in zip(header[1:], ("prefill", "decode"), (len(PROMPT), NEW - 1), strict=True):
        for row in parts:
            joules = long[picked[row["part"]] & (long["phase"] == phase)]["energy_pj"].sum() / 1e12 / tokens
            assert float(row[name]) * unit_in(name, "J") == pytest.approx(joules, rel=THREE_DIGITS)


def test_each_matmuls_row_and_the_additions_that_zeros_save(found):
    text = hardware_markdown(found, 200)
    rows = table(text, ["phase", "layer", "matmul"])
    every = nonzero = 0
    for shown, ran in zip(rows, found.simulated.rows, strict=True):
        assert (shown["phase"], int(shown["layer"]), shown["matmul"]) == (ran.phase, ran.layer, ran.name)
        assert (shown["tokens x K x N"], int(shown["cycles"])) == (f"{ran.tokens}x{ran.k}x{ran.n}", ran.cycles)
        every += ran.tokens * (ran.k - 1) * ran.n
        nonzero += ran.tokens * (round((1 - ran.weight_zero_share) * ran.k * ran.n) - ran.n)
    share, of = re.search(r"there are ([\d.]+) % of these (\d+)", text).groups()
    assert int(of) == every
    assert float(share) == pytest.approx(100 * nonzero / every, abs=0.051)
    assert f"{len({(ran.layer, ran.name) for ran in found.simulated.rows})} integer matmuls" in text
    cut = hardware_markdown(found, 2)
    assert f"The first 2 of {len(rows)} rows; all are in matmuls.csv." in cut
    assert "The first 2 of 3 rows; all are in summary.csv." in cut


def test_decode_is_also_given_in_the_steps_that_the_system_accounting_counts(found):
    """4 new tokens are 3 steps here and 4 there: four thirds of the sums."""
    decode = found.summary.set_index("phase").loc["decode"]
    told = re.search(
        r"4 new tokens took 3 decode steps, as prefill gives the first\. `accounting: system` counts a decode step for "
        r"each new token: 4 steps of the mean here take (.*) and (.*)\.\n",
        hardware_markdown(found, 200),
    )
    latency_s, energy_j = (quantity(text, unit) for text, unit in zip(told.groups(), "sJ", strict=True))
    assert latency_s == pytest.approx(decode["latency_s"] * 4 / 3, rel=THREE_DIGITS)
    assert energy_j == pytest.approx(decode["energy_j"] * 4 / 3, rel=THREE_DIGITS)


def test_a_single_new_token_takes_no_step_here():
    rtl = {"engine": "numpy", "model": "tiny-b158", "prompt": PROMPT, "new_tokens": 1}
    text = hardware_markdown(run_experiment({"name": "x", "platform": "ternary-edge", "rtl": rtl}), 200)
    assert (
        "\n1 new token took 0 decode steps, as prefill gives the first. `accounting: system` counts a decode step "
        in text
    )
    assert "for each new token.\n" in text


def test_bare_products_take_no_steps():
    rtl = {"engine": "numpy", "matmuls": [{"m": 1, "k": 64, "n": 16}], "random_weights": 0.4}
    text = hardware_markdown(run_experiment({"name": "x", "platform": "ternary-edge", "rtl": rtl}), 200)
    assert "decode step" not in text


def matmul(**changes):
    """Return a row of a run: no two of its numbers are equal."""
    whole = {"phase": "prefill", "layer": 3, "name": "q_proj", "tokens": 5, "k": 64, "n": 8, "cycles": 77, "groups": 1,
             "utilisation": 0.912, "weight_zero_share": 0.25, "activation_zero_share": 0.031,
             "toggles_per_trit": float("nan")}  # fmt: skip
    return SimpleNamespace(**whole | changes)


def test_additions_are_all_but_the_first_of_each_sum_and_groups_have_sums_of_their_own():
    """With four groups a column has four sums; where fewer than one in 64 weights are not zero, none is left."""
    rows = [matmul(groups=4), matmul(tokens=7, k=128, weight_zero_share=0.999)]
    every = 5 * (64 - 4) * 8 + 7 * (128 - 1) * 8
    nonzero = 5 * (0.75 * 64 * 8 - 4 * 8)  # of the second, 1 of 1024 trits is not zero: 8 sums have no addition
    text = hardware._additions(SimpleNamespace(rows=rows))
    share, of = re.search(r"there are ([\d.]+) % of these (\d+)\.", text).groups()
    assert int(of) == every
    assert float(share) == pytest.approx(100 * nonzero / every, abs=0.051)
    assert hardware._additions(SimpleNamespace(rows=[matmul(k=1)])).endswith("all trits but the first of each sum.")


def test_a_matmuls_row_has_each_share_in_its_place_and_toggles_where_any_were_counted():
    rows = [matmul(), matmul(name="k_proj", phase="decode", toggles_per_trit=0.375)]
    shown = table(hardware._table(SimpleNamespace(rows=rows), 5), ["phase"])
    assert [list(row.values())[5:] for row in shown] == [["91.2", "25.0", "3.1", ""], ["91.2", "25.0", "3.1", "0.375"]]
    assert list(shown[0].values())[:5] == ["prefill", "3", "q_proj", "5x64x8", "77"]
    (plain,) = table(hardware._table(SimpleNamespace(rows=rows[:1]), 5), ["phase"])
    assert len(plain) == 8


@pytest.mark.parametrize(("normed", "head", "bare"), [(True, True, False), (False, False, False), (True, False, True)])
def test_whole_linears_say_what_agreed_how_far_float32_is_and_what_ran_in_numpy(normed, head, bare):
    config = SimpleNamespace(in_words="words", format="bf16", normed=normed)
    compared = {1: Compared(30, 0.25, 0.0125), 2: Compared(12, 0.5, 0.004)}
    rows = [matmul(), *([matmul(name="lm_head")] if head else [])]
    run = SimpleNamespace(name="tiny", bare=bare, rows=rows, linears=SimpleNamespace(config=config, compared=compared))
    text = hardware._linears(SimpleNamespace(simulated=run, config="l8"), 2)
    assert text.startswith("tiny: 2 whole linears on the RTL (l8: words). All 42 outputs have the bits of NumPy's")
    assert (
        "in bf16, by at most 50 % of the bound, and from those of the model's own layers in float32 by at most 1.2 %"
        in text
    )
    ran = ["" if normed else "norms, ", "" if head else " and the LM head"]
    said = f" In NumPy ran {ran[0]}attention, activation functions, embedding{ran[1]}."
    assert text.endswith("largest output." if bare else said)
