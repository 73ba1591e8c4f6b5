"""One phase counted anew on a machine whose mappings are searched: the accesses of the mapping that was chosen, walked.

Which tiles a matmul has is taken from the search (`Chosen`); how often each value then moves is counted by walking its
loops, and what else happens by `recount_matmul`.
"""

from functools import cache
from math import ceil

from bitjoule.energy_models.system.counting.nests import nest_costs
from bitjoule.energy_models.system.mappings.fused_attention import best_nest
from bitjoule.energy_models.system.mappings.mapping import Place, Tiles
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.work.steps import MatmulKind
from tests.energy_models.fast_walk import fast_walk, order_of, whole_tiles
from tests.energy_models.loop_walk import Walk, cycles
from tests.energy_models.recount_matmul import ENDS, FLOATS, Phase

KINDS = {"lm_head": MatmulKind.HEAD, "attention_scores": MatmulKind.SCORES, "attention_values": MatmulKind.VALUES}


@cache
def walked(problem):
    """Return what the mapping that the search chooses moves."""
    tiles = search(problem).tiles
    return fast_walk(problem, tiles, order_of(tiles.inner1), order_of(tiles.inner0))


class Chosen:
    """The tiles that a machine chooses.

    Parameters
    ----------
    machine
        Of the system accounting.
    kinds
        Of each linear.
    """

    def __init__(self, machine, kinds):
        self.machine, self.kinds = machine, {**kinds, **KINDS}

    def problem(self, part, m, k, n, away):
        """Return a matmul; `away`: whether what is between the matmuls crosses the chip's edge."""
        return self.machine.problem(self.kinds[part], float(m), float(k), float(n), not away, 0.0)

    def nest(self, m, d, context, v, away):
        """Return the tiles of queries and of keys, and both products."""
        scores = self.problem("attention_scores", m, d, context, away)
        values = self.problem("attention_values", m, context, v, away)
        opened = (None, None)
        found = best_nest(scores, values, nest_costs(self.machine, MatmulKind.SCORES, MatmulKind.VALUES, opened))
        return float(found.m1[0]), float(found.c1[0]), scores, values

    @cache  # noqa: B019 (few, in tests)
    def on_array(self, part, m, k, n):
        """Return the walk of a tile whose operands are in the buffer, in the order that takes less energy."""
        whole = self.problem(part, m, k, n, away=False)
        inside = Place(whole.outputs.buffer, False, False, 0.0)
        problem = whole._replace(weights=inside, activations=inside, outputs=inside)
        assert problem.array.weights_per_pe == 1
        sizes = (ceil(m), ceil(k / problem.array.lanes), ceil(n / problem.array.columns))
        walks = []
        for innermost in (0, 1):  # weights stay, or sums
            order = order_of(innermost)
            walk = fast_walk(
                problem, Tiles(*sizes, min(problem.array.depth, ceil(m)), 1, 1, 0, innermost), order, order
            )
            costs = whole.costs
            energy = walk.weight_fills * costs.weight_fill_pj + walk.sum_spills * costs.sum_spill_pj
            walks.append((energy + walk.activation_reads * costs.activation_read_pj, walk))
        return min(walks, key=lambda each: each[0])[1]


class MappedPhase(Phase):
    """As `Phase`, with the accesses of the mappings that are chosen."""

    def __init__(self, machine, vector, facts, between=None):
        super().__init__(machine, vector, facts, between)
        self.chosen, self.scores = facts["chosen"], None

    def matmul(self, part, m, k, n, times, holds, store, takes, into, out, weights="weights", bias=0, goes_on=False,
               taken=None, active=1.0):  # fmt: skip
        """Count an (m, k) x (k, n) product."""
        assert active == 1
        away = out if part == "attention_values" else into
        if goes_on:
            self.scores = (m, k, n, times)  # counted with the values
            self.formats = (holds, store, takes, weights)
            return
        if part == "attention_values" and self.scores:
            self._nest(m, n, times, holds, store, takes, weights, away)
            return
        problem = self.chosen.problem(part, m, k, n, away)
        walk = walked(problem)
        self._count(part, problem, walk, times, holds, store, takes, weights, (into, out), bias, taken)
        self.computing += times * walk.compute_cycles
        self.cycles += times * cycles(problem, walk)

    def _nest(self, m, v, times, holds, store, takes, weights, away):
        """Count scores and values in one nest of loops over tiles of queries and of keys."""
        _, d, context, _ = self.scores
        m1, c1, scores, values = self.chosen.nest(m, d, context, v, away)
        queries, keys = whole_tiles(m, m1), whole_tiles(context, c1)
        again = m * (len(keys) - 1)  # queries whose sums are rescaled
        spent, products, bits, compute = [], (scores, values), 0.0, 0.0
        for index, problem in enumerate(products):
            total = [0.0] * 9
            updates = added = 0.0
            for m0 in queries:
                for c0 in keys:
                    part = ("attention_scores", "attention_values")[index]
                    sizes = (m0, d, c0) if index == 0 else (m0, c0, v)
                    walk = self.chosen.on_array(part, *sizes)
                    total = [a + b for a, b in zip(total, walk, strict=True)]
                    updates += sizes[0] * sizes[2] * ceil(sizes[1] / problem.array.lanes)
                    added += sizes[0] * sizes[2] * (sizes[1] - 1)
            walk = Walk(*total)
            fetched = problem.k * problem.n * (len(queries) if len(keys) > 1 else 1)
            brought = problem.m * problem.k * problem.activations.off_chip
            spills = walk.sum_spills + again * v * index
            walk = walk._replace(weight_loads=fetched, activation_loads=brought, sum_spills=spills, sum_unloads=0)
            edge = fetched * problem.weights.bits + brought * problem.activations.bits
            edge += problem.m * problem.n * problem.outputs.bits * problem.outputs.off_chip
            spent.append((walk._replace(off_chip_bits=edge), updates + total[4], added))
            bits, compute = bits + edge, compute + walk.compute_cycles
        for index, problem in enumerate(products):
            walk, updates, added = spent[index]
            part, form = ("attention_scores", self.formats) if index == 0 else (
                "attention_values", (holds, store, takes, weights))  # fmt: skip
            self._count(
                part,
                problem,
                walk,
                times,
                *form,
                (away * (index == 0), away * index),
                0,
                None,
                updates=updates,
                added=added,
            )
        for function, count in (("softmax_row", again), ("softmax_rescale", again * v)):
            self.elements("softmax", function, count * times)
        array, busy = scores.array, [compute, bits / scores.off_chip_bits]
        for i, width in enumerate(scores.width_bits):
            read = written = 0.0
            for problem, (walk, _, _) in zip(products, spent, strict=True):
                outputs = problem.m * problem.n * problem.outputs.bits
                partial = walk.sum_spills * problem.sum_bits * (problem.outputs.buffer == i)
                read += walk.weight_fills * problem.weights.bits * (problem.weights.buffer == i) + partial
                read += walk.activation_reads * problem.activations.bits * (problem.activations.buffer == i)
                read += outputs * problem.outputs.off_chip * (problem.outputs.buffer == i)
                written += walk.weight_loads * problem.weights.bits * (problem.weights.buffer == i) + partial
                written += walk.activation_loads * problem.activations.bits * (problem.activations.buffer == i)
                written += outputs * (problem.outputs.buffer == i)
            busy += [read / width, written / width]
        lanes = min(array.lanes, d)
        first = scores.weights.bits * lanes * min(array.columns, context) + away * scores.activations.bits * lanes
        ends = (first + away * values.outputs.bits * min(array.columns, v)) / scores.off_chip_bits
        self.computing += times * compute
        self.cycles += times * (max(busy) + array.load_cycles + 2 * array.pipeline_cycles + ends)

    def _count(
        self, part, problem, walk, times, holds, store, takes, weights, edges, bias, taken, updates=None, added=None
    ):
        """Count the rows of a matmul, from what a walk says that it moves."""
        name, array, actions, measured = self.facts["array"](holds, takes)
        width, bits, v, sums = self.facts["width"], self.facts["bits"], self.between, array["accumulators"]
        (m, k, n), (into, out) = problem[:3], edges
        outputs, taken = m * n * times, taken or width[takes]
        for verb, form in actions:
            terms = outputs * k
            if verb == "add":
                terms = added * times if added is not None else outputs * (k - 1)
            self.put(part, "partial_sums" if verb == "add" else weights, verb, form, terms, name)
        at, form = (name, "load" if measured else "weights"), v if takes in FLOATS else "int32"
        fills, spilled = walk.weight_fills * times, (walk.sum_spills + walk.sum_unloads) * times
        self.put(part, weights, "register_write", holds, fills * (1 if measured else width[holds]), at)
        self.put(part, weights, "register_read", holds, outputs * k * width[holds] * (not measured), at)
        if updates is None:
            updates = m * n * ceil(k if sums["per"] == "pe" else k / array["lanes"]) + walk.sum_spills
        for way in ENDS:
            self.put(part, "partial_sums", f"register_{way}", form, updates * times * sums["bits"], (name, "sums"))
            moved = {
                "read": (walk.weight_fills, walk.activation_reads, out),
                "write": (walk.weight_loads, walk.activation_loads, 1),
            }
            filled, read, sent = moved[way]
            self.move(part, weights, f"buffer_{way}", store, filled * times, "weights", size=bits[store])
            self.move(part, "activations", f"buffer_{way}", takes, read * times, size=taken)
            self.move(part, "outputs", f"buffer_{way}", v, outputs * sent)
            self.put(part, "partial_sums", f"buffer_{way}", form, spilled * sums["bits"], "activations")
            self.put(part, "partial_sums", f"off_chip_{way}", form, walk.sum_unloads * times * sums["bits"], "off_chip")
        read_by = "kv_cache_read" if weights != "weights" else part
        self.move(read_by, weights, "off_chip_read", store, walk.weight_loads * times, size=bits[store])
        self.move(part, "activations", "off_chip_read", takes, walk.activation_loads * times * into, size=taken)
        self.move(part, "outputs", "off_chip_write", v, outputs * out)
        self.put(part, "biases", "add", self.vector, outputs * bias)
        for verb, form, often in self.facts["unpack"](store, takes, part, self.vector):
            self.put(part, "unpacking", verb, form, fills * often)
