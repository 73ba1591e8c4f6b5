"""How the steady state of a server is found: in closed form or from its Markov chain, or request by request."""

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.arrivals import Arrivals, Contexts
from bitjoule.energy_models.serving.batching.queueing import Distribution
from bitjoule.energy_models.serving.batching.simulation import Demand, Simulated, simulate
from bitjoule.energy_models.serving.batching.steady_state import OFTEN_FULL, SteadyState, average_power, steady_state
from bitjoule.energy_models.serving.lengths import contexts_of

SIMULATION = "simulation"
SPREAD = 0.05  # of the time of a step, by the caches, beyond which the closed form of times between tokens is off


def found_state(
    arrivals: Arrivals, step_s: Floats, step_j: Floats, prefill_j: Floats, idle_w: Floats, demand: Demand,
    quantiles: tuple[float, ...],
) -> tuple[SteadyState, Simulated | None]:  # fmt: skip
    """Return the steady state of a server, and the simulation that it comes from, if it does.

    Closed forms and the Markov chain take no time. They do not cover a batch that is often full of requests whose
    lengths are not geometric, or whose prompts differ (times between tokens are off by up to seven percent then), and
    caches that change the time of a step by more than `SPREAD`.

    Parameters
    ----------
    arrivals, step_s, step_j, prefill_j, idle_w
        As for `bitjoule.energy_models.serving.batching.steady_state.steady_state`.
    demand
        Of the requests.
    quantiles
        Shares whose percentiles are asked for.

    Raises
    ------
    OverloadError
        Requests come faster than they can be served.
    """
    prefill = Distribution(demand.prefill_s, demand.prompts.probability)
    contexts = Contexts(*contexts_of(demand.prompts, demand.news), demand.cached_s) if demand.cached_s.any() else None
    state = steady_state(arrivals, step_s, step_j, prefill, prefill_j, idle_w, contexts)
    alike = arrivals.lengths is None and len(demand.prompts.tokens) == 1
    beyond_chain = state.waiting_share > OFTEN_FULL and not alike
    if not beyond_chain and state.step_spread <= SPREAD:
        return state, None
    simulated = simulate(arrivals, step_s, demand, quantiles)
    mean_batch, power_w = average_power(arrivals, simulated.at_step, step_j, prefill_j, simulated.idle_share, idle_w)
    return SteadyState(
        utilisation=1 - simulated.idle_share,
        mean_batch=mean_batch,
        waiting_share=simulated.full_share,
        power_w=power_w,
        energy_per_token_j=power_w / (arrivals.requests_per_s * arrivals.new_tokens),
        first_token_s=simulated.first_token_s,
        token_s=simulated.token_s,
        step_spread=state.step_spread,
        method=SIMULATION,
        beyond_share=0.0,
    ), simulated
