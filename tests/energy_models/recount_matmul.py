"""One phase of the system accounting counted anew, from docs/accounting.md; it imports nothing of ours.

An array must hold all weights and sums of a matmul: then each value moves once, and no mapping is needed.
"""

from math import ceil

FLOATS, ENDS = ("fp32", "fp16", "bf16"), ("read", "write")


class Phase:
    """[count, price] by (component, operand, action, format), the cycles of the matmuls and those of their arrays."""

    def __init__(self, machine, vector, facts):
        self.machine, self.vector, self.facts, self.rows, self.cycles = machine, vector, facts, {}, 0.0
        self.computing = 0.0
        self.nest = None  # what a nest needs besides its last product
        self.spent = {"operations": 0, "buffer_read": 0, "buffer_write": 0}  # of element-wise parts

    def put(self, component, operand, action, form, count, price="vector"):
        if count:
            self.rows.setdefault((component, operand, action, form), [0, price])[0] += count

    def move(self, component, operand, action, form, values, buffer="activations", packed=False, run=None):
        """Count values that move; `run`: what of them is contiguous off-chip, and how many values, or whole rows."""
        size = self.facts["bits" if packed else "width"][form]
        self.put(component, operand, action, form, values * size, "off_chip" if action[0] == "o" else buffer)
        if action.startswith("off_chip") and self.facts["device"]:
            way, bits = action.removeprefix("off_chip_"), values * size
            rows = bits / 8 / self.facts["device"].opened(*(run or ("activations", None)), size / 8)
            self.put(component, operand, f"{way}_activate", "", rows, ("device", "activate"))
            for part in self.facts["device"].parts:
                self.put(component, operand, f"{way}_{part}", form, bits, ("device", part))
        return values * size

    def elements(self, component, function, count, written=None):
        for name, often in self.facts["functions"][function].items():
            if name in ENDS:
                form = written if written and name == "write" else self.vector
                way = f"buffer_{name}"
                self.spent[way] += self.move(component, "activations", way, form, count * often)
            elif name in ("mul", "add"):
                self.spent["operations"] += count * often
                self.put(component, "activations", name, self.vector, count * often)

    def matmul(self, part, m, k, n, times, holds, store, takes, into, out, weights="weights", bias=0, goes_on=False):
        """Count an (m, k) x (k, n) product; `into` and `out`: whether inputs and outputs cross the chip's edge.

        With `goes_on` the next one is computed in the same loops: each resource is busy for the sum of both.
        """
        name, array, actions, measured = self.facts["array"](holds, takes)
        width, bits, v, sums = self.facts["width"], self.facts["bits"], self.vector, array["accumulators"]
        inputs, outputs, values, lanes = m * k * times, m * n * times, k * n * times, array["lanes"]
        for verb, form in actions:
            terms = k - 1 if verb == "add" else k  # the first term of a sum is no addition
            self.put(part, "partial_sums" if verb == "add" else weights, verb, form, outputs * terms, name)
        at, form = (name, "load" if measured else "weights"), v if takes in FLOATS else "int32"
        self.put(part, weights, "register_write", holds, values * (1 if measured else width[holds]), at)
        self.put(part, weights, "register_read", holds, outputs * k * width[holds] * (not measured), at)
        updates = outputs * ceil(k if sums["per"] == "pe" else k / lanes) * sums["bits"]
        for way in ENDS:
            self.put(part, "partial_sums", f"register_{way}", form, updates, (name, "sums"))
            self.move(part, weights, f"buffer_{way}", store, values * self.facts["buffered"], "weights", packed=True)
            self.move(part, "activations", f"buffer_{way}", takes, inputs * (into or way == "read"))
            self.move(part, "outputs", f"buffer_{way}", v, outputs * (out or way == "write"))
        crossing = {"weights": (store, values * bits[store]), "activations": (takes, inputs * width[takes]),
                    "outputs": (v, outputs * width[v])}  # fmt: skip
        for operand, (kind, moved) in crossing.items():
            buffer = "weights" if operand == "weights" else "activations"
            at = (part, weights if operand == "weights" else operand, "wire", kind)
            self.put(*at, moved * self.facts["wired"].get(buffer, 0), ("wire", buffer))
        cached = weights != "weights"
        run = ("keys_values", {"keys": k, "values": n}[weights]) if cached else ("weights", k * n)
        self.move("kv_cache_read" if cached else part, weights, "off_chip_read", store, values, packed=True, run=run)
        self.move(part, "activations", "off_chip_read", takes, inputs * into)
        self.move(part, "outputs", "off_chip_write", v, outputs * out)
        self.put(part, "biases", "add", v, outputs * bias)
        for verb, form, often in self.facts["unpack"](store, takes, part, v):
            self.put(part, "unpacking", verb, form, values * often)
        fetched, brought, sent, edge = k * n * bits[store], m * k * width[takes], m * n * width[v], self.facts["edge"]
        load = lanes * array["columns"] * bits[store] / array["weight_registers"]["load_bits_per_cycle"]
        busy = [ceil(k / lanes) * ceil(n / array["columns"]) * max(m, load)]
        busy.append((fetched + brought * into + sent * out) / edge)
        for buffer in self.machine["buffers"].values():
            read = {"weights": fetched, "activations": brought + sent * out}
            written = {"weights": fetched, "activations": brought * into + sent}
            busy += [sum(bits_[o] for o in buffer["holds"]) / buffer["width_bits"] for bits_ in (read, written)]
        self.computing += times * busy[0]
        lanes, columns = min(lanes, k), min(array["columns"], n)  # what fills and drains the array
        ends = (
            bits[store] * lanes * columns * (self.nest is None) + width[takes] * lanes * into + width[v] * columns * out
        )
        more, ends_before, pipeline = self.nest or ([0] * len(busy), 0, 0)
        busy, ends = [a + b for a, b in zip(busy, more, strict=True)], ends + ends_before
        pipeline += array["pipeline_cycles"]
        self.nest = (busy, ends, pipeline) if goes_on else None
        self.cycles += 0 if goes_on else times * (max(busy) + load + pipeline + ends / edge)

    def pass_time(self, cycles):
        """Count leakage, or the static power of each part while it works and while it waits."""
        static = self.machine.get("static")
        if self.facts["device"]:
            static = {**(static or {}), "dram": None}
        if static is None:
            self.put("leakage", "chip", "leak", "", cycles, "leakage")
            return
        moving = sum(count for (_, _, action, _), (count, _) in self.rows.items() if action.startswith("off_chip"))
        self.put("static", "chip", "on", "", cycles, "leakage")
        for part in static:
            at = ("static", part, "on")
            if part in ("sram", "host", "board"):
                self.put(*at, "", cycles, at)
                continue
            busy = min(cycles, ceil(self.computing if part == "array" else moving / self.facts["edge"]))
            for state, count in (("busy", busy), ("idle", cycles - busy)):
                if isinstance(static[part], dict) and static[part].get(state) == 0:
                    continue  # no watts, no row
                self.put("static", part, state, "", count, ("static", part, state))
