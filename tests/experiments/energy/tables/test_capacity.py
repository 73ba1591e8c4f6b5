"""Models that do not fit their machine's memory."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables.capacity import too_large

TEXT = """\
name: x
accounting: system
models: [bitnet-125m, bitnet-1.3b]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: chip, by_scheme: {fp16: ./chip.yaml, bitnet-b1.58: ./chip.yaml}}]
workload: {prompt_tokens: 3}
"""


@pytest.mark.parametrize(
    ("capacity_bytes", "lines"), [(2_000_000_000, ["bitnet-1.3b in fp16 needs 2.4"]), (10**12, [])]
)
def test_a_run_warns_of_each_model_that_needs_more_than_the_memory_holds(bitjoule, tmp_path, capacity_bytes, lines):
    """bitnet-1.3b has 1.24 G parameters, two bytes each in FP16."""
    (tmp_path / "chip.yaml").write_text(f"like: ternary-edge\noff_chip: {{capacity_bytes: {capacity_bytes}}}\n")
    (tmp_path / "mine.yaml").write_text(TEXT)
    status, _, err = bitjoule("run", tmp_path / "mine.yaml", "--no-plots", "--out", tmp_path / "out")
    assert status == 0
    found = err.splitlines()
    assert len(found) == len(lines)
    for line, start in zip(found, lines, strict=True):
        assert line.startswith(f"bitjoule: platform chip: {start}")
        assert line.endswith(" GB; its off-chip memory holds 2 GB")


def test_of_a_sweep_the_workload_that_needs_most_decides(resolved, tmp_path):
    """A token has 2 x 12 x 768 values of two bytes in the cache; weights and activations come on top of them."""
    prompts, token_bytes = [40_000, 3], 2 * 12 * 768 * 2
    capacity_bytes = prompts[0] * token_bytes
    (tmp_path / "chip.yaml").write_text(f"like: fp16-edge\noff_chip: {{capacity_bytes: {capacity_bytes}}}\n")
    text = TEXT.replace("[bitnet-125m, bitnet-1.3b]", "[bitnet-125m]").replace("[fp16, bitnet-b1.58]", "[fp16]")
    text = text.replace("{name: chip, by_scheme: {fp16: ./chip.yaml, bitnet-b1.58: ./chip.yaml}}", "./chip.yaml")
    read = resolved(text.replace("prompt_tokens: 3", f"prompt_tokens: {prompts}"))
    result = run(read)
    (line,) = too_large(read.platforms, result.summary)
    needed = float(re.fullmatch(r"platform chip: bitnet-125m in fp16 needs ([\d.]+) GB; .* holds 1.47 GB", line)[1])
    assert needed * 1e9 == pytest.approx(result.memory["memory_bytes"].max(), rel=3e-3)
    assert result.memory["memory_bytes"].min() < capacity_bytes < needed * 1e9


def test_the_server_chip_holds_a_70b_in_one_bit_and_not_in_fp16(bitjoule, tmp_path):
    err = bitjoule("run", "headline_server", "--no-plots", "--out", tmp_path)[2]
    assert "llama-3-70b in fp16 needs 1" in err
    assert "in bitnet needs" not in err


def test_a_memory_of_unknown_size_and_one_that_is_just_large_enough_are_no_warnings():
    """Each machine is looked at by its own scheme; a size is in powers of ten, and the machine named."""

    def machine(capacity_bytes):
        return SimpleNamespace(off_chip=SimpleNamespace(capacity_bytes=capacity_bytes))

    by_platform = {
        "pair": {"a": ("open", machine(None)), "b": ("small", machine(3 * 10**9)), "c": ("just", machine(7 * 10**9))},
        "last": {"a": ("tiny", machine(10**9)), "b": ("open", machine(None)), "c": ("open", machine(None))},
    }
    needed_gb = {("pair", "a"): 9.0, ("pair", "b"): 4.25, ("pair", "c"): 7.0, ("last", "a"): 1.5, ("last", "b"): 9.0}
    rows = [(*key, "m", size * 1e9) for key, size in needed_gb.items()]
    summary = pd.DataFrame(rows, columns=["platform", "scheme", "model", "memory_bytes"])
    assert list(too_large(by_platform, summary)) == [
        "platform small: m in b needs 4.25 GB; its off-chip memory holds 3 GB",
        "platform tiny: m in a needs 1.5 GB; its off-chip memory holds 1 GB",
    ]
