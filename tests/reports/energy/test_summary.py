"""The Markdown summary."""

from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import shipped_experiments
from bitjoule.reports.energy.machines import memory_table
from bitjoule.reports.energy.summary import _counted, comparison_table, energy_table, summary_markdown, workload_line
from tests.experiments.technology_files import write_technology


def rows(table):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]


def test_a_row_a_model_and_technology_a_column_a_scheme_the_unit_in_the_header(resolved):
    text = "name: x\nmodels: [bitnet-6.7b]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\nbaseline: {scheme: fp16}\n"
    header, _, row = rows(energy_table(run(resolved(text))))
    assert header == ["model", "parameters", "technology", "fp16 (J)", "bitnet (J)", "fp16 / bitnet"]
    # BitNet Table 1 at 7 nm: 1.14 + 0.54 J in FP16; Figure 1: 29.1 times less
    assert row == ["bitnet-6.7b", "6.51B", "7nm", "1.68", "0.0579", "29.1"]


def test_columns_appear_for_what_the_sweep_varies(resolved, small):
    header = rows(energy_table(run(resolved(small))))[0]
    assert header[:6] == ["model", "parameters", "technology", "phase", "prompt (tokens)", "new (tokens)"]


def test_schemes_stand_side_by_side_in_the_row_of_their_case(resolved, small):
    result = run(resolved(small))
    header, _, *table = rows(energy_table(result))
    factor = {"(J)": 1, "(mJ)": 1e-3, "(µJ)": 1e-6}[header[-3].split()[-1]]
    summary = result.summary
    for model, _, technology, phase, prompt, new, *values in table:
        case = (summary["model"] == model) & (summary["technology"] == technology) & (summary["phase"] == phase)
        case &= (summary["prompt_tokens"] == int(prompt)) & (summary["new_tokens"] == int(new))
        for scheme, value in zip(("fp16", "bitnet"), values, strict=False):
            (joules,) = summary[case & (summary["scheme"] == scheme)]["energy_j"]
            assert float(value) * factor == pytest.approx(joules, rel=0.006)
        assert float(values[2]) == pytest.approx(float(values[0]) / float(values[1]), rel=0.02)


def test_the_summary_says_what_was_run(resolved, small):
    text = summary_markdown(run(resolved(small, "workload.prompt_tokens=7")))
    assert "\nRun with prompt tokens: 7; new tokens: 2 values from 0 to 3; batch: 2; baseline: fp16.\n" in text


def test_a_sweep_written_in_any_order_is_said_from_its_least_to_its_most(resolved, small):
    text = workload_line(run(resolved(small, "workload.prompt_tokens=[64, 512, 7]", "workload.new_tokens=[3, 0]")))
    assert text.startswith("Run with prompt tokens: 3 values from 7 to 512; new tokens: 2 values from 0 to 3; ")


def test_every_case_has_its_row(resolved, small):
    result = run(resolved(small))
    assert len(rows(energy_table(result))) - 2 == len(result.summary) / 2  # two schemes side by side


def test_a_long_table_is_cut_and_says_so(resolved, small):
    table = energy_table(run(resolved(small)), max_rows=3)
    assert len(rows(table)) == 2 + 3
    assert table.endswith("The first 3 of 32 rows; all are in summary.csv.")


def test_the_disagreement_of_bitnet_table_1_is_explained():
    text = summary_markdown(run(read_experiment(shipped_experiments("energy")["bitnet_table1"])))
    counted = "34 of 36 published values agree at the printed precision (difference: median 0.12 %, largest 19 %)"
    assert f"\n{counted}; printed in wang2023bitnet, Table 1.\n" in text
    for ours in ("printed 0.04, ours 0.0341", "printed 0.14, ours 0.1349"):
        assert f"{ours}: the paper contradicts itself" in text


def test_a_run_without_printed_cases_says_so():
    changed = read_experiment(shipped_experiments("energy")["bitnet_table1"], ["workload.prompt_tokens=9"])
    assert comparison_table(run(changed).comparison).endswith("\n\nNo case of this run has a published value.")


@pytest.mark.parametrize(
    ("accounting", "says"), [("arithmetic", "Memory, embedding"), ("mac", "Everything else is excluded")]
)
def test_the_summary_says_what_is_counted(resolved, small, accounting, says):
    assert says in summary_markdown(run(resolved(small, f"accounting={accounting}")))


def test_macs_that_measured_technologies_lack_are_named(tmp_path, resolved):
    text = "name: mine\nmodels: [bitnet-125m]\nschemes: [fp16, bitnet-b1.58]\ntechnologies: [made.yaml]\n"
    path = write_technology(tmp_path / "made.yaml")
    path.write_text(path.read_text() + "priced_as_macs: true\n")
    lacking = summary_markdown(run(resolved(text, "schemes=[fp32, bitnet-b1.58-a1]")))
    assert ": at made fp32 x fp32, ternary x int1.\n" in lacking
    assert "Without a netlist" not in summary_markdown(run(resolved(text)))


WITH_ADAPTERS = """\
name: x
accounting: system
models:
  - {name: plain, layers: 2, hidden: 64, heads: 4, ffn: 128, ffn_gated: false, activation: relu, vocabulary: 100}
  - {name: tuned, layers: 2, hidden: 64, heads: 4, ffn: 128, ffn_gated: false, activation: relu, vocabulary: 100,
     adapters: {rank: 8, on: [q_proj]}}
schemes: [bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: 8, new_tokens: 2}
"""


def test_adapters_have_a_column_of_memory_if_a_model_has_any(resolved):
    found = run(resolved(WITH_ADAPTERS))
    header, _, plain, tuned = rows(memory_table(found, 10))
    column = header.index("adapters (kB)")
    fp16_bytes = 2
    expected = 2 * 8 * (64 + 64) * fp16_bytes / 1000
    assert plain[column] == "0"
    assert float(tuned[column]) == pytest.approx(expected, rel=0.005)  # three digits are shown
    parts = found.memory.filter(like="_bytes").drop(columns="memory_bytes")
    assert parts.sum(axis=1).tolist() == pytest.approx(found.memory["memory_bytes"].tolist())
    without = run(resolved(WITH_ADAPTERS.replace("adapters: {rank: 8, on: [q_proj]}", "sub_norm: true")))
    assert "adapters_bytes" not in without.memory
    assert not any("adapters" in name for name in rows(memory_table(without, 10))[0])


@pytest.mark.parametrize(
    ("static", "says"),
    [([False, False], "and leakage over"), ([True, True], "and static power over"),
     ([True, False], "and leakage or static power over")],
)  # fmt: skip
def test_what_flows_over_time_is_that_of_the_machines(static, says):
    frames = SimpleNamespace(machines=pd.DataFrame({"static": static}), accounting="system")
    assert f"{says} the latency." in _counted(frames)


def test_what_disagrees_is_listed_with_why_if_it_is_known_and_of_memories_only_then():
    """Memories are fitted: that they are off needs no line of its own."""
    columns = ["model", "quantity", "action", "printed", "ours", "agrees", "note", "where"]
    cells = [
        ("m1", "memory_gb", "", "2.00", 2.34567, False, "", "Table 1, row 1"),
        ("m2", "memory_ratio", "", "3.0", 2.5, False, "rounded", "Table 1, row 2"),
        ("m3", "energy_j", "add", "1.10", 1.2, False, "", "Table 1, row 3"),
        ("m4", "energy_j", "", "5", 5.004, True, "unused", "Table 1, row 4"),
    ]
    table = pd.DataFrame(cells, columns=columns).assign(scheme="s", technology="7nm", source="wang")
    table["relative_error"] = table["ours"] / table["printed"].astype(float) - 1
    text = comparison_table(table, 3)
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- m2, s, 7nm, memory, FP16 over this: printed 3.0, ours 2.500: rounded.",
        "- m3, s, 7nm, add energy (J): printed 1.10, ours 1.2000.",
    ]
    assert "The first 3 of 4 rows; all are in published.csv." in text
    assert "1 of 4 published values agree" in text
    assert "; printed in wang, Table 1." in text
    assert [row[6] for row in rows(text)[2:]] == ["+17.28", "-16.67", "+9.09"]
