"""The whole system accounting, from YAML to the tables that a user gets, against a count that shares no code."""

import csv
import json
import random
from collections import defaultdict
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
import yaml

from bitjoule import cli
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.experiments.files import shipped_experiments
from tests.energy_models.priced import Priced
from tests.energy_models.recount import recount
from tests.sampling import sampled

UNEVEN = Path(__file__).with_name("uneven.yaml")
CASE = ("model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens")
ENERGIES = ("energy_low_pj", "energy_pj", "energy_high_pj")
HELD = ("weights_bytes", "tables_bytes", "kv_cache_bytes", "activations_bytes")
CLOSE = 1e-9
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C where PyYAML has it
UNREGULATED = ("static host", "static board")
LOST = ("regulator", "delivered", "loss", "")
TIME = (("leakage", "chip", "leak", ""), ("static", "chip", "on", ""))


@cache
def data_files():
    """Return the facts that are data, as a recount takes them."""
    memories = {}
    with (DATA / "memories.csv").open() as handle:
        for row in csv.DictReader(handle):
            ends = {"low": "energy_low_pj", "nominal": "energy_pj", "high": "energy_high_pj"}
            a_bit = {end: float(row[name]) / float(row["access_bits"]) for end, name in ends.items()}
            memories[row["memory"]] = a_bit
            if row["capacity_bytes"] and row["node_nm"]:
                memories[row["kind"], float(row["capacity_bytes"]), float(row["node_nm"])] = a_bit
    files = ("storage", "functions", "drams")
    read = {name: yaml.safe_load((DATA / f"{name}.yaml").read_text())[name] for name in files}
    return {**read, "memories": memories}


@cache
def _written():
    return json.dumps(yaml.safe_load(UNEVEN.read_text()))


def as_written():
    """Return the uneven experiment, a new one without shared parts each time."""
    return json.loads(_written())


def table(path, keys=CASE):
    """Return the rows of a CSV file by case."""
    found = defaultdict(list)
    with path.open() as handle:
        for row in csv.DictReader(handle):
            found[tuple(row[key] for key in keys)].append(row)
    return found


def requests(experiment):
    """Yield each case of an experiment as its tables name it, what it is priced by, and its recount."""
    known, workload = data_files(), experiment["workload"]
    lists = [experiment[key] for key in ("models", "schemes", "technologies", "platforms")]
    sizes = [workload[key] for key in ("batch", "prompt_tokens", "new_tokens")]
    for model, scheme, technology, machine, *size in product(*lists, *sizes):
        whole = {**scheme, "vector": scheme.get("rescale", scheme["activations"])}
        priced = Priced(whole, machine, technology, known)
        names = [entry["name"] for entry in (model, scheme, technology, machine)]
        yield (
            (*names, *map(str, size)),
            priced,
            recount(model, whole, machine, *size, {**priced.facts(), "experts": experiment["experts"]}),
        )


def run(experiment, folder):
    """Run an experiment as a user does and return the folder of its results."""
    path = folder / "experiment.yaml"
    path.write_text(yaml.dump(experiment, Dumper=DUMPER, sort_keys=False))
    with redirect_stdout(StringIO()):
        assert cli.main(["run", str(path), "--out", str(folder)]) == 0
    return folder / experiment["name"]


def drawn(spent, end, loss):
    """Return joules from the supply at an end of each price's band, where regulators lose a share."""
    return [joules[end] * (1 + loss * (source not in UNREGULATED)) for (source, _), joules in spent.items()]


def check(experiment, folder):
    """Compare every row of results.csv, summary.csv, memory.csv and bands.csv with the recount."""
    results, summaries = table(folder / "results.csv"), table(folder / "summary.csv")
    memories = table(folder / "memory.csv", (CASE[0], CASE[1], *CASE[4:]))
    spent = {}
    for case, priced, (phases, held, parameters) in requests(experiment):
        ours = {
            tuple(row[key] for key in ("phase", "component", "operand", "action", "format")): row
            for row in results.pop(case)
        }
        for phase, rows in phases.items():
            delivered = [0.0, 0.0, 0.0]
            for key, (count, tag) in rows.items():
                price, source = priced.price(*key[2:], tag)
                row, at = ours.pop((phase, *key), None), (case, phase, *key)
                assert row is not None, at
                assert float(row["count"]) == pytest.approx(count, rel=CLOSE, abs=1), at  # whole numbers in the file
                cycle = price[2] if key[0] in ("leakage", "static") else 0  # cycles are rounded up from a sum of floats
                for name, end in zip(ENERGIES, price, strict=True):
                    assert float(row[name]) == pytest.approx(count * end, rel=CLOSE, abs=cycle), (*at, name)
                by_source = spent.setdefault((*case, phase), defaultdict(lambda: [0.0, 0.0, 0.0]))
                for i, end in enumerate(price):
                    by_source[source, price[0] != price[2]][i] += count * end / 1e12
                    delivered[i] += count * end * (source not in UNREGULATED)
            if any(priced.loss()):
                row = ours.pop((phase, *LOST))
                assert float(row["count"]) == pytest.approx(delivered[1], rel=1e-6)
                for name, end, loss in zip(ENERGIES, delivered, priced.loss(), strict=True):
                    assert float(row[name]) == pytest.approx(end * loss, rel=1e-6), (case, phase, name)
        assert not ours, (case, list(ours))
        if len(phases) == 2:
            request = spent[*case, "request"] = defaultdict(lambda: [0.0, 0.0, 0.0])
            for phase in phases:
                for source, ends in spent[*case, phase].items():
                    request[source] = [a + b for a, b in zip(request[source], ends, strict=True)]
        seconds = {
            phase: next(rows[key][0] for key in TIME if key in rows) / priced.node["clock_mhz"] / 1e6
            for phase, rows in phases.items()
        }
        seconds["request"] = sum(seconds.values())
        batch, prompt, new = map(int, case[4:])
        tokens = {"prefill": batch * prompt, "decode": batch * new, "request": batch * (prompt + new)}
        summary = {row["phase"]: row for row in summaries.pop(case)}
        assert set(summary) == {*phases, *(("request",) if len(phases) == 2 else ())}
        for phase, row in summary.items():
            low, nominal, high = (sum(drawn(spent[*case, phase], end, loss)) for end, loss in enumerate(priced.loss()))
            expected = {"energy_low_j": low, "energy_j": nominal, "energy_high_j": high, "parameters": parameters}
            expected |= {"energy_per_token_j": nominal / tokens[phase], "tokens_per_s": tokens[phase] / seconds[phase]}
            expected |= {"latency_s": seconds[phase], "memory_bytes": sum(held)}
            for name, value in expected.items():
                assert float(row[name]) == pytest.approx(value, rel=1e-6), (case, phase, name)
        (memory,) = memories[case[0], case[1], *case[4:]]
        for name, value in zip(HELD, held, strict=True):
            assert float(memory[name]) == pytest.approx(value, rel=CLOSE), (case, name)
    assert not results
    assert not summaries
    return spent


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Return the experiment, the folder of its results, and the joules by what moves their price."""
    experiment = yaml.safe_load(UNEVEN.read_text())
    folder = run(experiment, tmp_path_factory.mktemp("uneven"))
    return experiment, folder, check(experiment, folder)


def test_every_row_of_the_tables_is_counted_and_priced_as_by_hand(uneven):
    experiment, _, spent = uneven
    cases = [len(experiment[key]) for key in ("models", "schemes", "technologies", "platforms")]
    assert len(spent) == cases[0] * cases[1] * cases[2] * cases[3] * 2 * 3  # batches, phases and their sum


def test_ratios_and_bands_are_those_of_prices_that_move_for_both_sides_at_once(uneven):
    experiment, folder, spent = uneven
    summaries, bands = table(folder / "summary.csv"), table(folder / "bands.csv")
    flips = set()
    loss_of = {machine["name"]: Priced(experiment["schemes"][0], machine, experiment["technologies"][0], None).loss()
               for machine in experiment["platforms"]}  # fmt: skip
    for (*case, phase), mine in spent.items():
        base = spent[case[0], experiment["baseline"]["scheme"], *case[2:], phase]
        losses = loss_of[case[3]]
        totals = [sum(drawn(joules, 1, losses[1])) for joules in (base, mine)]
        row = next(row for row in summaries[tuple(case)] if row["phase"] == phase)
        assert float(row["ratio_to_baseline"]) == pytest.approx(totals[0] / totals[1], rel=1e-6)
        if base is mine:
            continue
        row = next(row for row in bands[tuple(case)] if row["phase"] == phase)
        levels = []
        for loss in losses:  # the regulators' efficiency moves for both sides, too
            saved = defaultdict(lambda: [0.0, 0.0, 0.0])
            for sign, joules in ((1, base), (-1, mine)):
                for (source, _), ends in joules.items():
                    factor = sign * (1 + loss * (source not in UNREGULATED))
                    saved[source] = [a + factor * b for a, b in zip(saved[source], ends, strict=True)]
            levels.append(saved)
        least, most = (end(sum(end(ends) for ends in saved.values()) for saved in levels) for end in (min, max))
        nominal = sum(ends[1] for ends in levels[1].values())
        near = max(totals) * CLOSE
        assert float(row["saving_low_j"]) == pytest.approx(least, rel=1e-6, abs=near), (case, phase)
        assert float(row["saving_j"]) == pytest.approx(nominal, rel=1e-6, abs=near), (case, phase)
        assert float(row["saving_high_j"]) == pytest.approx(most, rel=1e-6, abs=near), (case, phase)
        assert row["flips"] == str(least < 0 < most)
        banded = sum(drawn({key: ends for key, ends in mine.items() if key[1]}, 1, losses[1]))
        assert float(row["banded_share"]) == pytest.approx(banded / totals[1], rel=1e-6)
        flips.add((least < 0, nominal < 0, most < 0))
    assert {(True, False, False), (True, True, False), (True, True, True), (False, False, False)} <= flips


def shaken(draw, experiment):
    """Return the experiment with one case of each list, its numbers drawn anew."""

    def price():
        return dict(zip(("low", "nominal", "high"), sorted(draw.uniform(0.001, 2) for _ in range(3)), strict=True))

    model, scheme, technology, machine = (
        json.loads(json.dumps(draw.choice(experiment[key])))  # a copy without shared parts
        for key in ("models", "schemes", "technologies", "platforms")
    )
    kv_heads, heads_each = draw.randint(1, 4), draw.randint(1, 4)
    model |= {"heads": kv_heads * heads_each, "kv_heads": kv_heads, "experts": draw.randint(1, 6)}
    model["active_experts"] = draw.randint(1, model["experts"])
    for key, most in (("layers", 4), ("hidden", 120), ("head_dim", 24), ("ffn", 160), ("vocabulary", 300)):
        model[key] = draw.choice([1, draw.randint(1, most), draw.randint(1, most), draw.randint(1, most)])
    for key, value in model.items():
        model[key] = draw.random() < 0.5 if isinstance(value, bool) else value
    model |= {
        "norm": draw.choice(["rmsnorm", "layernorm"]),
        "activation": draw.choice(["relu", "relu2", "gelu", "silu"]),
    }
    model["learned_positions"] = draw.choice([0, 50])
    scheme |= {key: draw.choice(["fp16", "int8", "int4", "ternary3", "bf16"]) for key in ("embedding", "lm_head")}
    for operation in technology["operations"]:
        operation["energy_pj"] = price()
    chosen = random.Random(model["hidden"])  # leaves the draws of what follows as they were
    rows = [row for row in technology["operations"] if row["operation"] in ("add", "mul") or chosen.random() < 0.8]
    technology["operations"] = rows
    machine["elementwise"] = chosen.choice(["units", "units", "operations"])
    for array in machine["arrays"].values():
        array |= {"lanes": draw.randint(1, 20), "columns": draw.randint(1, 20), "pipeline_cycles": draw.randint(0, 9)}
        array["accumulators"]["per"] = draw.choice(["pe", "column"])
        for store in ("weight_registers", "accumulators"):
            for way in ("read", "write"):
                array[store][f"{way}_pj_per_bit"] = price()
        array["weight_registers"]["load_bits_per_cycle"] = draw.randint(1, 200)
    for buffer in machine["buffers"].values():
        buffer["width_bits"] = draw.randint(1, 200)
    machine["off_chip"]["bandwidth_gb_per_s"] = draw.uniform(0.5, 200)
    if draw.random() < 0.7:
        parts = [part for part in ("phy", "dram", "host", "board") if draw.random() < 0.7]
        machine["static"] = {part: price() for part in parts}
        machine["static"] |= {part: {"busy": price(), "idle": price()} for part in parts[:1] if part in ("phy", "dram")}
    if draw.random() < 0.7:
        machine["regulator"] = {"efficiency": dict(zip(("low", "nominal", "high"), (0.7, 0.8, 1.0), strict=True))}
    machine |= {"vector": {"lanes": draw.randint(1, 40)}, "skips_masked_pairs": draw.random() < 0.5}
    machine["arrays"]["integers"]["accumulators"]["bits"] = draw.choice([29, 32])
    machine["accumulate"] = draw.choice(["paper", "fp32", "accumulator"])
    machine["attention"] = draw.choice(["separate", "fused"])
    workload = {
        "batch": [draw.randint(1, 9)],
        "prompt_tokens": [draw.randint(1, 40)],
        "new_tokens": [draw.randint(0, 3)],
    }
    lists = {"models": [model], "schemes": [scheme], "technologies": [technology], "platforms": [machine]}
    rules = {"experts": draw.choice(["expected", "bound"])}
    machine["off_chip"]["achieved_share"] = draw.choice([1.0, draw.uniform(0.1, 1)])
    if draw.random() < 0.7:
        with_device(draw, machine)
    return {"name": "shaken", "accounting": "system", **rules, **lists, "workload": workload}


def with_device(draw, machine, device=None):
    """Give a machine a DRAM device."""
    known = data_files()["drams"]
    operands = ("weights", "keys_values", "activations", "embedding")
    edge = {key: machine["off_chip"][key] for key in ("bandwidth_gb_per_s", "achieved_share")}
    edge["device"] = device or draw.choice(sorted(known))
    chips = known[edge["device"]].get("lockstep", 1)
    if draw.random() < 0.3:
        edge |= {"channels": chips * 4096, "ranks": draw.randint(1, 3)}
    if draw.random() < 0.5:
        edge["contiguous_bytes"] = draw.choice(
            [draw.uniform(8, 5000), {name: draw.uniform(8, 5000) for name in operands if draw.random() < 0.5}]
        )
    machine["off_chip"] = edge
    if machine.get("static"):
        machine["static"].pop("dram", None)
        idle = machine["static"].get("phy")
        if idle:  # its clocks are in the energy of a bit while bits move
            machine["static"]["phy"] = {"busy": 0, "idle": idle.get("idle", idle)}


@pytest.mark.parametrize("device", sampled(sorted(data_files()["drams"]), 5, "devices that are recounted"))
def test_so_are_the_parts_of_a_dram_device(device, tmp_path):
    draw = random.Random(device)
    experiment = shaken(draw, as_written())
    (machine,) = experiment["platforms"]
    machine["off_chip"] = {"bandwidth_gb_per_s": draw.uniform(0.5, 60), "achieved_share": draw.uniform(0.3, 1)}
    with_device(draw, machine, device)
    check(experiment, run(experiment, tmp_path))


@pytest.mark.parametrize("seed", sampled(range(12), 4, "machines that are recounted"))
def test_so_are_random_machines_models_and_requests(seed, tmp_path):
    experiment = shaken(random.Random(seed), as_written())
    check(experiment, run(experiment, tmp_path))


def test_queries_are_written_in_their_own_format_where_linears_take_floats(tmp_path):
    experiment = as_written()
    formats = {"weights": "int4", "activations": "fp16", "attention": "int8", "rescale": "fp16"}
    stored = {"weight_storage": "int4", "kv_cache": "int4", "embedding": "bf16", "lm_head": "int8"}
    experiment["schemes"] = [{"name": "queries", **formats, **stored}]
    experiment["models"], experiment["platforms"] = experiment["models"][1:], experiment["platforms"][:1]
    experiment["baseline"] = {"technology": "arrays"}
    check(experiment, run(experiment, tmp_path))


ROLES = {
    "weights": "ternary", "activations": "int8", "attention": "fp16", "rescale": "fp32", "between": "bf16",
    "weight_storage": "pq2_0", "kv_cache": "fp16", "keys": "q8_0", "values": "int4", "embedding": "q4_0",
    "lm_head": "q2_0", "head": "int8", "router": "bf16", "activation_group": 24,
    "linears": {
        "o_proj": {"weight_storage": "trit_planes"},
        "ffn_down": {"activations": "int4", "weight_storage": "ternary_3of4", "active_inputs": 0.5},
    },
    "transforms": [
        {"kind": "hadamard", "on": ["o_proj", "ffn_down"], "block": 4},
        {"kind": "hadamard", "on": ["k_proj"], "of": "outputs", "block": 4},
        {"kind": "kronecker", "on": ["q_proj"]},
        {"kind": "channels", "on": ["ffn_up"]},
    ],
}  # fmt: skip
FLOAT_SUMS = {
    "weights": "ternary", "activations": "fp16", "attention": "fp16", "rescale": "fp16", "weight_storage": "pq2_0",
    "kv_cache": "fp16", "embedding": "pq2_0", "lm_head": "pq2_0",
}  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "skips"),
    [(ROLES, []), (ROLES, ["inputs", "weights"]), (FLOAT_SUMS, [])],
    ids=["roles", "roles_skip", "float_sums"],
)
def test_so_are_formats_of_each_role_and_what_they_add(scheme, skips, tmp_path):
    experiment = as_written()
    experiment["schemes"] = [{"name": "roles", **scheme}]
    experiment["baseline"] = {"platform": "split"}
    experiment["technologies"], experiment["workload"]["batch"] = experiment["technologies"][:1], [3]
    price = {"low": 0.005, "nominal": 0.006, "high": 0.009}
    for operation, form in (("add", "int4"), ("mul", "int4"), ("rescale", "fp32")):
        row = {"operation": operation, "format": form, "energy_pj": price, "area_um2": 1, "leakage_nw": 1}
        experiment["technologies"][0]["operations"].append(row)
    for machine in experiment["platforms"]:
        adders = machine["arrays"]["adders"]["macs"]
        adders[0]["skips"] = skips
        adders.append({"weights": ["ternary"], "activations": ["int4"], "actions": ["add int4"], "skips": skips})
        if scheme is FLOAT_SUMS:
            adders.append({"weights": ["ternary"], "activations": ["fp16"], "actions": ["add fp16"]})
    experiment["models"][1] |= {"ffn": 56, "head_dim": 12}
    check(experiment, run(experiment, tmp_path))


STORED = {"fp16": "fp16", "int8": "int8", "int4": "int4", "int2": "int2", "binary": "binary1"}


def test_so_is_every_scheme_of_post_training_quantization(tmp_path):
    """Count the experiment that ships on a machine whose mappings need no search: the largest matrix is one tile."""
    shipped = read_document(shipped_experiments("energy")["post_training_quantization"]).data
    experiment = as_written()
    written = read_document(DATA / "schemes.yaml").data["schemes"]  # YAML 1.2, where `on` is text
    stored = {"kv_cache": "fp16", "embedding": "fp16", "lm_head": "fp16"}
    experiment["schemes"] = [
        {"name": name, "weight_storage": STORED[written[name]["weights"]], **stored, **written[name]}
        for name in shipped["schemes"]
    ]
    (model,) = shipped["models"]
    shape = presets()[model].with_defaults()
    experiment["models"] = [{key: shape[key] for key in experiment["models"][0] if key != "name"} | {"name": model}]
    experiment["technologies"] = experiment["technologies"][:1]
    price = {"low": 0.005, "nominal": 0.006, "high": 0.009}
    row = {"operation": "add", "format": "int4", "energy_pj": price, "area_um2": 1, "leakage_nw": 1}
    experiment["technologies"][0]["operations"].append(row)
    machine = experiment["platforms"][0]
    for array in machine["arrays"].values():
        array |= {"lanes": 512, "columns": 500}  # few blocks: the search is short
        array["weight_registers"]["weights"] = array["accumulators"]["depth"] = 1 << 22
    machine["arrays"]["floats"]["macs"][1]["weights"].append("int2")
    for buffer in machine["buffers"].values():
        buffer["size_bytes"] = 1 << 30
    experiment["platforms"], experiment["baseline"] = [machine], shipped["baseline"]
    experiment["workload"] = {key: [value] for key, value in {"batch": 1, **shipped["workload"]}.items()}
    spent = check(experiment, run(experiment, tmp_path))
    joules = {case[1]: sum(ends[1] for ends in spent[case].values()) for case in spent if case[-1] == "request"}
    assert joules["int8"] == joules["int8-smoothquant"]  # folded
    assert joules["bitnet"] == joules["w1a8"] < min(joules[name] for name in ("int8", "w4a16", "w2a16", "w4a4"))
