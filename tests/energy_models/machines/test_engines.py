"""Times of engines in their steady state, in closed form from the times of single steps."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.machines.engines import Chips, Engine, Requests, engine_times, engines, fixed_times, room
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.serving.links import Link, all_reduce
from bitjoule.energy_models.serving.parallel import reductions
from bitjoule.energy_models.serving.steps import Machine, Steps
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.overheads import Overheads
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.workload import Experts

MODEL = "bitnet-b1.58-700m"
FREE = Link(energy_pj_per_bit=0.0, bandwidth_gb_per_s=1e9)
PLAIN = Engine(description="made up")
ONE = Requests(np.array([4.0]), np.array([100.0]), np.array([20.0]))


def on(chips=1, link=FREE, overheads=None, **off_chip):
    edge = platforms()["fp16-hbm"]
    update = {"overheads": overheads, "off_chip": edge.off_chip.model_copy(update=off_chip)}
    return Chips(edge.model_copy(update=update), "fp16-hbm", MODEL, schemes()["fp16"], chips, link)


def machine_of(where):
    how = (where.scheme, technologies()["7nm"], Objective.LATENCY, Experts.EXPECTED)
    return Machine(where.name, where.platform, *how)


def step_s(where, tokens, before, batch, **overheads):
    platform = where.platform
    if platform.overheads is not None:
        platform = platform.model_copy(update={"overheads": platform.overheads.model_copy(update=overheads)})
    return (
        machine_of(where._replace(platform=platform))
        .costs(presets()[MODEL], Steps.of((tokens, before, batch, 1, 1)))
        .latency_s[0]
    )


def test_a_token_waits_for_its_step_and_for_the_prefills_of_those_that_join():
    where = on(overheads=Overheads(step_us=300.0, request_us=20.0, matmul_us=5.0))
    found = engine_times(where, PLAIN, ONE)
    own = step_s(where, 1, 100 + 21 / 2 - 1, 4)
    joining = step_s(where, 100, 0, 1, step_us=0.0, matmul_us=0.0)
    assert found.token_s[0] == pytest.approx(own + 4 * joining / 20, rel=1e-9)
    assert found.first_token_s[0] == pytest.approx(joining + own + found.token_s[0] / 2, rel=1e-9)
    assert found.fixed_s[0] == pytest.approx(380e-6)


def test_requests_that_are_prefilled_together_wait_half_for_each_other_before_and_after():
    where = on(overheads=Overheads(matmul_us=5.0))
    found = engine_times(where, PLAIN.model_copy(update={"together": True}), ONE)
    own, joining = step_s(where, 1, 109.5, 4), step_s(where, 100, 0, 1, matmul_us=0.0)
    assert found.token_s[0] == pytest.approx(own + 1.5 * joining / 20, rel=1e-9)
    assert found.first_token_s[0] == pytest.approx(2.5 * joining, rel=1e-9)


def test_an_engine_has_fixed_times_of_its_own():
    where = on(overheads=Overheads(step_us=300.0, request_us=20.0))
    own = PLAIN.model_copy(update={"step_us": 1000.0})
    assert fixed_times(where.platform, own) == (1000.0, 20.0)
    slower = engine_times(where, own, ONE).token_s - engine_times(where, PLAIN, ONE).token_s
    assert slower[0] == pytest.approx(700e-6, rel=1e-3)
    assert fixed_times(on().platform, PLAIN) == (0.0, 0.0)


def test_requests_without_room_for_their_keys_and_values_wait():
    model = presets()[MODEL]
    bytes_each = 2 * model.layers * model.hidden * 2 * 120  # keys and values of FP16; as many heads of both
    assert (model.kv_heads or model.heads) == model.heads
    stored_bytes = machine_of(on()).stored(model)
    stored = float(stored_bytes.weights_bytes + stored_bytes.tables_bytes)
    where = on(capacity_bytes=int((stored + 3.5 * bytes_each) / 0.9))
    assert room(where, PLAIN, ONE)[0] == 3.0
    found, roomy = engine_times(where, PLAIN, ONE), engine_times(on(capacity_bytes=None), PLAIN, ONE)
    running = found.running[0]
    assert (running, roomy.running[0]) == (room(where, PLAIN, ONE)[0], 4.0)
    assert found.token_s[0] < roomy.token_s[0]
    waited = (4 / running - 1) * 20 * found.token_s[0]
    assert found.first_token_s[0] > waited


def test_chips_add_up_vectors_over_their_link_and_launch_that():
    slow = Link(energy_pj_per_bit=0.0, bandwidth_gb_per_s=0.1)
    overheads = Overheads(matmul_us=50.0)
    few = ONE._replace(prompt_tokens=np.array([1.0]))
    fast, linked = (engine_times(on(2, link, overheads), PLAIN, few) for link in (FREE, slow))
    model = presets()[MODEL]
    bits = np.array([4 * model.hidden * 16.0])
    gathered = 4 * model.vocabulary * 16 / 2 / 0.8e9
    added = reductions(model) * all_reduce(slow, 2, bits).seconds[0] + gathered
    joined = 4 / 20 * (reductions(model) * all_reduce(slow, 2, bits / 4).seconds[0] + gathered / 4)
    assert linked.token_s[0] - fast.token_s[0] == pytest.approx(added + joined, rel=1e-3)
    alone = engine_times(on(2, FREE, Overheads()), PLAIN, ONE).token_s
    launched = engine_times(on(2, FREE, overheads), PLAIN, ONE).token_s - alone
    assert launched[0] > reductions(model) * 50e-6


def test_every_engine_that_ships_says_what_it_is():
    assert {"trtllm", "vllm", "sglang"} <= set(engines())
    assert all(each.description for each in engines().values())
