"""The Markov chain of the requests at each decode step, for geometric numbers of new tokens.

Each of the b sequences of a step ends with it with the probability 1/N. Those who stay and those who are prefilled
before the next step are in that one, and others wait.
"""

from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.admission import MOST_ROOM, Admission, still_to_wait
from bitjoule.energy_models.serving.batching.arrivals import Arrivals, Contexts
from bitjoule.energy_models.serving.batching.queueing import (
    Distribution,
    Sums,
    begun_by_one,
    binomial,
    busy_period,
    prefill_sums,
    served_sums,
    sums_of,
)

TAIL = 1e-9  # probability that is left out
ROUNDED = 1e-12  # probability that rounding may make
RARE = 1e-6  # probability of a time that is counted as the longest
WAITING = 6  # requests that wait, at most, for each sequence of the batch,
LONG_QUEUE = 15  # or for each that waits on average, about


class Chain(NamedTuple):
    """The Markov chain.

    Parameters
    ----------
    steps
        Probability of each number of requests at a step, from 1 on; the last one stands for more.
    between
        Times between tokens.
    admission
        Who joins the batch.
    """

    steps: Floats
    between: Distribution
    admission: Admission


class _Moves(NamedTuple):
    """What happens after a step of so many sequences.

    Parameters
    ----------
    batch
        The sequences.
    prefills
        By those who stay, with their probability: the probabilities of the prefills that follow, from 0 on up to as
        many as there is room for, by those who waited before the step, shape (waiting, room + 1).
    """

    batch: int
    prefills: dict[int, tuple[float, Floats]]


def chain_of(
    arrivals: Arrivals, step_s: Floats, prefill: Distribution, contexts: Contexts | None, load: float
) -> Chain:
    """Return the chain.

    Parameters
    ----------
    arrivals, step_s, prefill, contexts
        As for `steady_state`.
    load
        Rate of requests over the one that can be served, less than 1.
    """
    rate, most, stays = arrivals.requests_per_s, arrivals.max_batch, 1 - 1 / arrivals.new_tokens
    sums = prefill_sums(prefill)
    queue = 1 / ((1 - rate * prefill.mean) ** 2 * (1 - load))  # of clumps that come during prefills
    admission = Admission(rate, prefill, max(WAITING * most, int(LONG_QUEUE * queue)))
    states = most + admission.waiting
    moves, after = np.zeros((states, states)), []
    one = np.eye(1, admission.waiting + 1, 1)[0]  # the first after an idle time: it and those who come meanwhile
    came = begun_by_one(rate, sums) if most > MOST_ROOM else admission.total(one, most)
    for batch in range(1, most + 1):
        staying = binomial(batch, stays)
        waiting = range(admission.waiting + 1 if batch == most else 1)
        rows, prefills = np.zeros((len(waiting), states + 1 + admission.waiting)), {}
        if most - batch >= MOST_ROOM:  # always enough
            joined = busy_period(rate, sums, step_s[batch - 1])
            row = np.convolve(staying, joined)
            rows[0, : len(row)] = row[: rows.shape[1]]
            rows[0, -1] += row[rows.shape[1] :].sum()
            within = {stay: _within(joined[None, :], most - stay) for stay in np.flatnonzero(staying > TAIL).tolist()}
            prefills = {stay: (float(staying[stay]), each) for stay, each in within.items()}
        else:
            pools = np.stack([admission.pool(number, step_s[batch - 1]) for number in waiting])
            for stay in np.flatnonzero(staying > TAIL).tolist():
                total = np.atleast_2d(admission.total(pools if len(pools) > 1 else pools[0], most - stay))
                rows[:, stay : stay + total.shape[1]] += staying[stay] * total
                prefills[stay] = float(staying[stay]), _within(total, most - stay)
        rows[:, : len(came)] += rows[:, :1] * came[: rows.shape[1]]
        for number, row in enumerate(rows[: states - batch + 1]):
            moves[batch - 1 + number] = _folded(row[1:], states)
        after.append(_Moves(batch, prefills))
    steps = _stationary(moves)
    sizes = np.minimum(np.arange(states), most - 1)
    given_emptied = served_sums(rate, sums, float(steps @ step_s[sizes]))
    return Chain(steps, _between(steps, after, step_s, (sums, given_emptied), contexts), admission)


def beyond_share(chain: Chain) -> float:
    """Return the share of steps at which more requests wait than the chain has states for, about.

    The probabilities of long queues fall by the same factor from one to the next, and those beyond the last would, too.

    Parameters
    ----------
    chain
        The chain.
    """
    apart = len(chain.steps) // 10
    nearer, farther = chain.steps[-1 - 2 * apart], chain.steps[-1 - apart]
    if farther < ROUNDED:
        return 0.0
    factor = float(min(farther / nearer, 1.0)) ** (1 / apart) if apart else 1.0
    return min(float(farther) * factor**apart / (1 - factor), 1.0) if factor < 1 else 1.0


def to_wait(arrivals: Arrivals, step_s: Floats, chain: Chain) -> Floats:
    """Return the probabilities of how many requests must end before one that comes finds room, from 0 on.

    Parameters
    ----------
    arrivals, step_s, chain
        As for `steady_state`; its chain.
    """
    rate, most = arrivals.requests_per_s, arrivals.max_batch
    found = np.zeros(chain.admission.waiting + 1)
    for number, probability in enumerate(chain.steps):
        if probability > TAIL:
            batch = min(number + 1, most)
            staying = binomial(batch, 1 - 1 / arrivals.new_tokens)
            room = np.concatenate([np.zeros(most - batch), staying[::-1]])
            seconds = step_s[batch - 1]
            found += probability * seconds * still_to_wait(number + 1 - batch, rate * seconds, room, len(found))
    return np.asarray(found / found.sum())


def _within(total: Floats, room: int) -> Floats:
    """Return the probabilities of prefills, from those of all who are prefilled or wait: as many as there is room for.

    Where fewer are there, all are prefilled.
    """
    few = np.zeros((len(total), room + 1))
    inside = total[:, :room]
    few[:, : inside.shape[1]] = inside
    few[:, room] = np.maximum(1 - few.sum(axis=1), 0.0)
    return few


def _folded(row: Floats, states: int) -> Floats:
    """Return probabilities with those beyond the last state added to it."""
    inside = np.zeros(states)
    inside[: min(len(row), states)] = row[:states]
    inside[-1] += row[states:].sum()
    return np.asarray(inside / inside.sum())


def _stationary(moves: Floats) -> Floats:
    """Return the stationary distribution of a chain."""
    system = moves.T - np.eye(len(moves))
    system[-1] = 1.0
    found = np.linalg.solve(system, np.eye(1, len(moves), len(moves) - 1)[0])
    return np.asarray(np.maximum(found, 0) / np.maximum(found, 0).sum())


def _between(
    steps: Floats, after: list[_Moves], step_s: Floats, both: tuple[Sums, Sums], contexts: Contexts | None
) -> Distribution:
    """Return the distribution of the time between two tokens of a sequence: the prefills before a step, and the step.

    A sequence that was just prefilled waits for the prefills behind its own alone. Prefills that ended because nobody
    waited any more were shorter than those that ended because the batch was full: `both` has the times of any, and
    those of the former.
    """
    most = len(step_s)
    weights = np.zeros((most + 1, most + 1))  # of prefills that a token waits for, and the size of the step
    for batch, prefills in after:
        own = steps[batch - 1 :] if batch == most else steps[batch - 1 : batch]
        for stay, (chance, table) in prefills.items():
            shares = chance * (own @ table[: len(own)])
            for prefilled in np.flatnonzero(shares > TAIL).tolist():
                weights[prefilled, stay + prefilled] += shares[prefilled] * stay
                weights[:prefilled, stay + prefilled] += shares[prefilled]
    totals = None if contexts is None else sums_of(Distribution(contexts.tokens, contexts.probability), most + 1)
    seconds, found = [], []
    for size in np.flatnonzero(weights[:, 1:].any(axis=0)).tolist():  # less one
        sums = both[0] if size + 1 == most else both[1]
        within = sums.prefills <= most
        counts, waits, likely = sums.prefills[within], sums.seconds[within], sums.probability[within]
        of_step, probability = step_s[size : size + 1], np.ones(1)
        if contexts is not None and totals is not None:
            of_size = totals.prefills == size + 1
            more = totals.seconds[of_size] - (size + 1) * (contexts.tokens @ contexts.probability)
            of_step = np.maximum(of_step + more * contexts.step_s[size], 0)
            probability = totals.probability[of_size]
        weight = likely * weights[counts, size + 1]
        some = weight > weight.max() * RARE
        seconds.append(np.add.outer(waits[some], of_step).reshape(-1))
        found.append(np.outer(weight[some], probability).reshape(-1))
    times, shares = np.concatenate(seconds), np.concatenate(found)
    order = np.argsort(times, kind="stable")
    return Distribution(times[order], shares[order] / shares.sum())
