"""The experiment post_training_quantization as it ships, on its own machines, against a scalar re-count.

The tiles of each matmul are those that the search chooses; how often each value moves is counted by walking the loops
(`mapped_phase`), and everything else in scalars (`recount`). A row's price is looked up by its key.
"""

from collections import defaultdict

import pytest

import bitjoule
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.system import System
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.files import shipped_experiments
from tests.energy_models.clocks import MET_MHZ
from tests.energy_models.mapped_phase import Chosen, MappedPhase
from tests.energy_models.priced import Priced
from tests.energy_models.recount import recount
from tests.energy_models.test_recount import STORED, data_files
from tests.sampling import sampled

FILE = shipped_experiments("energy")["post_training_quantization"]
MODEL = "bitnet-6.7b"
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_up", "ffn_down")
SCHEMES = read_document(FILE).data["schemes"]
QUICK = ("bitnet", "w1a8-smoothquant")  # an array of 1024 PEs walks few steps
ROW = ["component", "operand", "action", "format"]


@pytest.fixture(scope="module")
def shipped():
    """Return the experiment, and its rows and summary as a user gets them."""
    result = bitjoule.run("post_training_quantization")
    return read_experiment(FILE), result.results, result.summary


def recounted(resolved, name):
    """Return the counts of a scheme's rows by phase."""
    written = read_document(DATA / "schemes.yaml").data["schemes"][name]
    stored = {"kv_cache": "fp16", "embedding": "fp16", "lm_head": "fp16"}
    scheme = {"name": name, "weight_storage": STORED[written["weights"]], **stored, **written}
    scheme["vector"] = scheme.get("rescale", scheme["activations"])
    (technology,) = resolved.technologies.values()
    place = resolved.platforms["edge"][name]
    system = System([resolved.models[MODEL]], [resolved.schemes[name]], [technology], [[place]])
    chosen = Chosen(
        Machine(resolved.schemes[name], place[1], technology, place[0]),
        {linear: system.layout.kind_of[linear] for linear in LINEARS},
    )
    netlists = [{"weights": mac.weights, "activations": mac.activations} for mac in technology.macs]
    machine = place[1].model_dump(mode="json", exclude_none=True)
    for node, written in machine["nodes"].items():  # the clock that the arrays meet, from the technologies' files
        assert written["clock_mhz"] == "from_configuration"
        written["clock_mhz"] = MET_MHZ[node]
    rows = read_document(DATA / "technologies" / f"{technology.name}.yaml").data["operations"]
    priced = Priced(scheme, machine, {"name": "7nm", "node_nm": 7, "operations": rows, "macs": netlists}, data_files())
    assert priced.units() == {"absmax", "quantise", "rescale", "rms_norm"}
    facts = {**priced.facts(), "experts": "expected", "phase": MappedPhase, "chosen": chosen}
    workload = resolved.experiment.workload
    sizes = (1, workload.prompt_tokens, workload.new_tokens)
    return recount(presets()[MODEL].with_defaults(), scheme, machine, *sizes, facts)[0]


@pytest.mark.parametrize("name", sampled(SCHEMES, 1, "schemes counted by walks", always=QUICK[:1]))
def test_the_joules_of_post_training_quantization_are_those_of_a_walk_through_its_loops(shipped, name):
    resolved, results, summary = shipped
    prices = defaultdict(set)
    own = results[results["scheme"] == name]
    for key, count, energy_pj in own[["price", "count", "energy_pj"]].itertuples(index=False):
        prices[key].add(float(f"{energy_pj / count:.9g}"))
    assert {key for key, values in prices.items() if len(values) > 1} <= {"", "regulator"}  # one price for each key
    totals = {}
    for phase, rows in recounted(resolved, name).items():
        ours = own[own["phase"] == phase].set_index(ROW)[["count", "energy_pj"]]
        assert set(ours.index) == set(rows)
        joules = 0.0
        for key, (count, _) in rows.items():
            row = ours.loc[key]
            assert row["count"] == pytest.approx(count, rel=1e-9, abs=1), (phase, key)
            joules += count * row["energy_pj"] / row["count"] * 1e-12
        totals[phase] = joules
    told = summary[summary["scheme"] == name].set_index("phase")["energy_j"]
    for phase, joules in {**totals, "request": sum(totals.values())}.items():
        assert told[phase] == pytest.approx(joules, rel=1e-9)
