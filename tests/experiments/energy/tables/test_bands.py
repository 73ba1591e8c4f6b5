"""Comparisons inside the prices' bands."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.system.by_phase import OfPhase
from bitjoule.energy_models.system.counting.counted import ActiveEnergies
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables import sums
from bitjoule.experiments.energy.tables.bands import Bands

HBM = """\
name: x
accounting: system
models: [bitnet-b1.58-700m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: hbm, by_scheme: {fp16: fp16-hbm, bitnet-b1.58: ternary-hbm}}]
workload: {prompt_tokens: 300, new_tokens: 20}
baseline: {scheme: fp16}
"""
BANDED = ("hbm2", "sram", "registers", "accumulators", "leakage")
ENDS = ("energy_low_pj", "energy_pj", "energy_high_pj")


def test_the_least_and_the_most_saving_are_at_corners_that_both_sides_share(resolved):
    result = run(resolved(HBM))
    long = result.results
    for phase in ("prefill", "decode", "request"):
        rows = long if phase == "request" else long[long["phase"] == phase]
        source = np.select(
            [
                rows["action"].str.startswith("off_chip"),
                rows["action"].str.startswith("buffer"),
                rows["action"].str.startswith("register") & (rows["operand"] == "weights"),
                rows["action"].str.startswith("register"),
                rows["action"].isin(["leak", "on"]),  # of a chip, or of the board that it is on
            ],
            BANDED,
            "fixed",
        )
        joules = rows.groupby([rows["scheme"].astype(str), source])[list(ENDS)].sum() / 1e12
        assert (joules.xs("fixed", level=1)[ENDS[0]] == joules.xs("fixed", level=1)[ENDS[2]]).all()

        def saved(source, end, joules=joules):
            return joules.loc[("fp16", source), end] - joules.loc[("bitnet-b1.58", source), end]

        fixed = saved("fixed", "energy_pj")
        savings = [
            fixed + sum(saved(source, end) for source, end in zip(BANDED, ends, strict=True))
            for ends in product(ENDS, repeat=len(BANDED))
        ]

        def both(source, end, joules=joules):
            return np.array([joules.loc[(scheme, source), end] for scheme in ("fp16", "bitnet-b1.58")])

        priced = [
            sum((both(source, end) for source, end in zip(BANDED, ends, strict=True)), both("fixed", "energy_pj"))
            for ends in product(ENDS, repeat=len(BANDED))
        ]
        ratios = [fp16 / bitnet for fp16, bitnet in priced]
        row = result.bands[result.bands["phase"] == phase].iloc[0]
        # keys and values are loaded into weight registers, too, whose operand is not `weights`
        assert row["ratio_low"] == pytest.approx(min(ratios), rel=1e-3)
        assert row["ratio_high"] == pytest.approx(max(ratios), rel=1e-3)
        assert row["saving_low_j"] == pytest.approx(min(savings))
        assert row["saving_high_j"] == pytest.approx(max(savings))
        assert row["saving_j"] == pytest.approx(fixed + sum(saved(source, "energy_pj") for source in BANDED))
        assert not row["flips"]


def evaluated(ends, rows):
    """Cases of machines of their own; ends (low, nominal, high), cases, phases, actions; rows of the same but ends."""
    cases, phases, actions = rows.shape
    width = phases * actions  # the actions of a phase have columns that the other leaves empty
    active = np.concatenate([width * phase + actions * phase + np.arange(actions) for phase in range(phases)])
    columns = ends.reshape(len(ends), cases, width).transpose(2, 0, 1)
    found = SimpleNamespace(
        active=active, width=width, machine_index=np.arange(cases), machine_rows=rows.reshape(cases, width),
        latency_s=np.ones((cases, phases)),
        active_energies=ActiveEnergies(np.ones(width, dtype=bool), np.zeros((0, cases)), columns.copy()),
        lossy=columns,  # the energies are what they are, whatever the prices
    )  # fmt: skip
    return [(slice(0, phases), OfPhase(found, None))]


def test_energies_of_any_size_are_summed_by_row_at_the_ends_that_save_least_and_most(resolved):
    """Cases come in blocks, and one of the three rows of prices has no band; some picojoules hide nothing."""
    draw = np.random.default_rng(3)
    bands = Bands(grid_of(resolved(HBM.replace("prompt_tokens: 300", "prompt_tokens: 1"))))  # one token is a phase, too
    widths = (2, 2, 5)  # cases, phases, actions
    nominal = draw.integers(20, 90, widths).astype(float)
    rows = draw.choice([11, 12, 13], widths)
    less, more = (draw.integers(1, 9, widths) * (rows != 13) for _ in range(2))  # row 13 has no band
    ends = np.array([nominal - less, nominal, nominal + more])
    for case in (1, 0):
        bands.add(np.array([case]), evaluated(ends[:, [case]], rows[[case]]))
    table = bands.table().set_index("phase")
    assert sorted(table.index) == ["decode", "prefill", "request"]
    for phase, chosen in (("prefill", [0]), ("decode", [1]), ("request", [0, 1])):
        corners, ratios = [], []
        for end_11, end_12 in product(range(3), repeat=2):
            priced = ends[1].copy()
            for row, end in ((11, end_11), (12, end_12)):
                priced[rows == row] = ends[end][rows == row]
            fp16, bitnet = priced[:, chosen].sum(axis=(1, 2))
            corners.append(fp16 - bitnet)
            ratios.append(fp16 / bitnet)
        own = table.loc[phase]
        found = [1e12 * own[column] for column in ("saving_low_j", "saving_j", "saving_high_j")]
        assert found == pytest.approx([min(corners), corners[4], max(corners)])
        assert [own["ratio_low"], own["ratio_high"]] == pytest.approx([min(ratios), max(ratios)], rel=1e-12)
        assert own["flips"] == (min(corners) < 0 < max(corners))
        of_bitnet = nominal[1, chosen]
        assert own["banded_share"] == pytest.approx(of_bitnet[rows[1, chosen] != 13].sum() / of_bitnet.sum())


def test_a_baseline_may_be_the_last_of_the_cases(resolved):
    first, last = (
        run(resolved(HBM.replace("[fp16, bitnet-b1.58]", order))).bands.set_index("phase")
        for order in ("[fp16, bitnet-b1.58]", "[bitnet-b1.58, fp16]")
    )
    assert set(last["scheme"]) == {"bitnet-b1.58"}
    columns = ["saving_low_j", "saving_j", "saving_high_j", "banded_share"]
    np.testing.assert_allclose(last.loc[first.index, columns], first[columns], rtol=1e-12)


@pytest.mark.parametrize(
    ("fp16_pj", "flips"),
    [((1.0, 2.0, 3.0), False), ((0.75, 2.0, 3.0), True), ((0.0, 0.25, 1.0), False), ((0.0, 0.25, 1.25), True)],
    ids=["at least nothing", "at least a bit less", "at most nothing", "at most a bit more"],
)
def test_a_saving_of_nothing_at_the_end_of_a_band_does_not_flip(resolved, fp16_pj, flips):
    """BitNet takes 1 pJ, which is certain; FP16 about 2 pJ, of one row with a band."""
    bands = Bands(grid_of(resolved(HBM.replace("new_tokens: 20", "new_tokens: 0"))))
    ends = np.array([[[[end], [0.0]], [[1.0], [0.0]]] for end in fp16_pj])
    bands.add(np.array([0, 1]), evaluated(ends, np.array([[[7], [7]], [[8], [8]]])))
    (row,) = bands.table().to_dict("records")
    found = [1e12 * row[column] for column in ("saving_low_j", "saving_j", "saving_high_j")]
    assert found == pytest.approx([end - 1.0 for end in fp16_pj])
    assert row["flips"] == flips


@pytest.mark.parametrize(("nominal_w", "saves"), [(0.01, True), (900, False)])
def test_a_comparison_that_hangs_on_a_band_flips(resolved, nominal_w, saves):
    """A chip that leaks more and computes for less is the better one only while leakage is low.

    Whether it is at nominal prices does not matter: the ends of the bands decide.
    """
    text = HBM.replace("bitnet-b1.58: ternary-hbm", "bitnet-b1.58: leaky").replace(
        "name: x", "name: x\ndescription: a machine that leaks"
    )
    leaky = (
        "{name: leaky, description: d, arrays: {a: {lanes: 64, columns: 64, "
        "weight_registers: {load_bits_per_cycle: 4096}, accumulators: {per: column, depth: 64, bits: 32}, "
        "macs: [{weights: [ternary], activations: [int8], actions: [add int8]}, "
        "{weights: [fp16], activations: [fp16], actions: [mul fp16, add fp16]}]}}, vector: {lanes: 64}, "
        "buffers: {b: {holds: [weights, activations], size_bytes: 8388608, width_bits: 4096, memory: sram, banks: 8}}, "
        "off_chip: {memory: hbm2, bandwidth_gb_per_s: 256}, "
        "nodes: {7nm: {clock_mhz: 1000, leakage_w: {low: 0.001, nominal: 0.01, high: 1000}}}}"
    )
    leaky = leaky.replace("nominal: 0.01", f"nominal: {nominal_w}")
    result = run(resolved(text.replace("leaky", leaky)))
    bands = result.bands
    assert bands["flips"].all()
    assert (bands["saving_j"] > 0).eq(saves).all()
    assert (bands["saving_low_j"] < 0).all()
    assert (bands["saving_high_j"] > 0).all()


def test_a_case_is_not_compared_with_itself_and_without_a_baseline_there_is_no_table(resolved):
    assert set(run(resolved(HBM)).bands["scheme"]) == {"bitnet-b1.58"}
    assert run(resolved(HBM.replace("baseline: {scheme: fp16}\n", ""))).bands.empty


@pytest.mark.parametrize("order", ["[fp16, bitnet, bitnet-b1.58]", "[bitnet, fp16, bitnet-b1.58]"])
def test_cases_that_are_compared_one_by_one_have_the_rows_of_all(resolved, monkeypatch, order):
    """A baseline that is a span of its own ends nothing, wherever it stands."""
    experiment = resolved(HBM.replace("[fp16, bitnet-b1.58]", order).replace("{fp16:", "{bitnet: ternary-hbm, fp16:"))
    together = run(experiment).bands
    assert set(together["scheme"]) == {"bitnet", "bitnet-b1.58"}
    monkeypatch.setattr("bitjoule.experiments.energy.tables.bands.AT_ONCE", 1)
    pd.testing.assert_frame_equal(run(experiment).bands, together, rtol=1e-12)


def test_only_phases_that_run_are_compared(resolved):
    bands = run(resolved(HBM.replace("new_tokens: 20", "new_tokens: [0, 20]"))).bands
    phases = [tuple(phases) for _, phases in bands.groupby("new_tokens")["phase"]]
    assert phases == [("prefill",), ("prefill", "decode", "request")]


def test_the_papers_accounting_has_no_bands_and_no_memory(resolved, small):
    result = run(resolved(small))
    assert result.bands.empty
    assert result.memory.empty


def test_the_written_tables_give_low_nominal_and_high_in_this_order(bitjoule, tmp_path):
    """HBM2's and the others' bands of the data: the low end of a price is never above its nominal or high one."""
    (tmp_path / "x.yaml").write_text(HBM)
    assert bitjoule("run", tmp_path / "x.yaml", "--out", tmp_path)[0] == 0
    table, summary = (pd.read_csv(tmp_path / "x" / f"{name}.csv") for name in ("results", "summary"))
    low, nominal, high = (table[end] for end in ("energy_low_pj", "energy_pj", "energy_high_pj"))
    assert ((low <= nominal) & (nominal <= high)).all()
    off_chip = table["action"].str.startswith("off_chip")
    hbm2 = {"low": 249.6, "nominal": 350, "high": 838.4}  # pJ for 64 bits: Accelergy, Jouppi et al., an A100
    for end, row_end in (("low", low), ("high", high)):
        np.testing.assert_allclose(row_end[off_chip] / nominal[off_chip], hbm2[end] / hbm2["nominal"])
    for end, row_end in (("energy_low_j", low), ("energy_j", nominal), ("energy_high_j", high)):
        for row in summary.to_dict("records"):
            here = (table["scheme"] == row["scheme"]) & ((table["phase"] == row["phase"]) | (row["phase"] == "request"))
            assert row[end] == pytest.approx(row_end[here].sum() / 1e12)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("memories.csv:7nm:sram:65536", "memories.csv:7nm:sram:131072", True),
        ("memories.csv:lpddr4", "memories.csv:hbm2", False),
        ("operations.csv:7nm:add:int8", "operations.csv:7nm:add:int4", False),
        ("platforms/a.yaml:arrays.x.accumulators.read_pj_per_bit",
         "platforms/b.yaml:arrays.y.accumulators.write_pj_per_bit", True),
        ("platforms/a.yaml:arrays.x.accumulators.read_pj_per_bit",
         "platforms/a.yaml:arrays.x.weight_registers.read_pj_per_bit", False),
        ("platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit",
         "platforms/b.yaml:nodes.7nm.accumulators.write_pj_per_bit", True),
        ("platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit",
         "platforms/a.yaml:nodes.7nm.weight_registers.read_pj_per_bit", False),
        ("platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit",
         "platforms/a.yaml:arrays.x.accumulators.read_pj_per_bit", False),
        ("platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit",
         "platforms/a.yaml:nodes.7nm.leakage_w@500.5MHz", False),
        ("platforms/a.yaml:nodes.7nm.leakage_w@500MHz", "platforms/b.yaml:nodes.7nm.leakage_w@1000MHz", True),
        ("platforms/a.yaml:buffers.x.read_pj", "platforms/a.yaml:buffers.y.write_pj", True),
        ("platforms/a.yaml:buffers.x.read_pj", "platforms/b.yaml:buffers.x.read_pj", False),
        ("technologies/t.yaml:mac:m:64x16", "technologies/t.yaml:load:m", True),
        ("technologies/t.yaml:mac:m:64x16", "technologies/t.yaml:mac:n:64x16", False),
    ],
)  # fmt: skip
def test_prices_that_hang_on_one_row_move_together(one, other, together):
    assert (shared_row(one, "7nm") == shared_row(other, "7nm")) == together


def test_bands_are_the_same_whether_or_not_machines_with_regulators_are_evaluated_beside_others(resolved, monkeypatch):
    own = "{name: own, like: ternary-hbm, regulator: {efficiency: {low: 0.8, nominal: 0.9, high: 0.95}}}"
    text = HBM.replace("schemes: [fp16, ", "schemes: [bitnet, ").replace("{scheme: fp16}", "{scheme: bitnet}")
    place = next(line for line in text.splitlines() if line.startswith("platforms"))
    experiment = resolved(text.replace(place, f"platforms: [ternary-hbm, {own}]"))
    together = run(experiment).bands
    monkeypatch.setattr(sums, "BLOCK_CASES", 4)  # one case at a time
    pd.testing.assert_frame_equal(run(experiment).bands, together, rtol=1e-12)
    assert len(together)


def test_the_share_with_a_band_has_the_losses_of_regulators_at_their_nominal_efficiency(resolved):
    """1 / 0.8 J are drawn for each J that is delivered, but for the host's; the ends of the efficiency are left out."""
    text = "platforms: [{name: lossy, like: ternary-edge, regulator: {efficiency: {low: 0.5, nominal: 0.8, high: 1}}}]"
    shares = []
    for low, high in ((0.5, 1.0), (0.75, 0.9)):
        own = text.replace("low: 0.5", f"low: {low}").replace("high: 1}", f"high: {high}}}")
        result = run(resolved(HBM.replace(HBM[HBM.index("platforms") : HBM.index("workload")], own + "\n")))
        table = result.bands[result.bands["phase"] == "decode"]
        shares.append(table["banded_share"].item())
    assert shares[0] == pytest.approx(shares[1], rel=1e-12)
    long = result.results
    long = long[(long["phase"] == "decode") & (long["scheme"] == "bitnet-b1.58") & (long["component"] != "regulator")]
    drawn_pj = long["energy_pj"] * np.where(long["operand"] == "host", 1, 1 / 0.8)
    moves = long["energy_low_pj"] != long["energy_high_pj"]
    assert shares[0] == pytest.approx(drawn_pj[moves].sum() / drawn_pj.sum(), rel=1e-9)


@pytest.mark.parametrize("lossy", ["bitnet-b1.58", "fp16"])
def test_a_regulator_of_one_side_alone_saves_most_and_least_at_the_ends_of_its_efficiency(resolved, tmp_path, lossy):
    """At each efficiency alone the prices move within their bands; the ends are those of all three."""
    edges = {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}

    def rows(low, nominal, high):
        efficiency = f"{{low: {low}, nominal: {nominal}, high: {high}}}"
        (tmp_path / "lossy.yaml").write_text(f"like: {edges[lossy]}\nregulator: {{efficiency: {efficiency}}}\n")
        text = HBM.replace(edges[lossy], str(tmp_path / "lossy.yaml"))
        return run(resolved(text)).bands.set_index("phase")

    whole = rows(0.6, 0.8, 0.95)
    alone = [rows(each, each, each) for each in (0.6, 0.8, 0.95)]
    for column, end in (("saving_low_j", min), ("saving_high_j", max), ("ratio_low", min), ("ratio_high", max)):
        for phase in ("prefill", "decode", "request"):
            values = [table.loc[phase, column] for table in alone]
            assert len(set(values)) == 3
            assert whole.loc[phase, column] == pytest.approx(end(values), rel=1e-9), (column, phase)
    assert whole["saving_j"].tolist() == pytest.approx(alone[1]["saving_j"].tolist(), rel=1e-9)


def test_what_a_regulator_of_one_side_loses_moves_with_the_prices_of_that_side(resolved, tmp_path):
    """At 0.8, 1.25 J are drawn for each J but the board's; a price is at one end on both sides."""
    efficiency = "{low: 0.8, nominal: 0.8, high: 0.8}"
    (tmp_path / "lossy.yaml").write_text(f"like: ternary-hbm\nregulator: {{efficiency: {efficiency}}}\n")
    result = run(resolved(HBM.replace("ternary-hbm", str(tmp_path / "lossy.yaml"))))
    long = result.results
    long = long[(long["phase"] == "decode") & (long["component"] != "regulator")]
    lossy = (long["scheme"] == "bitnet-b1.58") & (long["operand"] != "board")
    drawn = np.where(lossy, 1.25, 1.0) * np.where(long["scheme"] == "fp16", 1.0, -1.0) / 1e12
    causes = long["price"].map(lambda key: shared_row(key, "7nm"))
    saved = (long[list(ENDS)].mul(drawn, axis=0)).groupby(causes).sum()
    row = result.bands[result.bands["phase"] == "decode"].iloc[0]
    expected = (saved.min(axis=1).sum(), saved[ENDS[1]].sum(), saved.max(axis=1).sum())
    assert [row[name] for name in ("saving_low_j", "saving_j", "saving_high_j")] == pytest.approx(expected, rel=1e-9)
