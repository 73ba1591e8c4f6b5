"""One phase of the system accounting counted anew, from the equations of docs/accounting.md.

It imports nothing of ours. An array must hold all weights and sums of a matmul: then each value moves once, and no
mapping is needed.
"""

from math import ceil

FLOATS, ENDS = ("fp32", "fp16", "bf16"), ("read", "write")


class Phase:
    """[count, price] by (component, operand, action, format), the cycles of the matmuls and those of their arrays."""

    def __init__(self, machine, vector, facts, between=None):
        self.machine, self.vector, self.facts, self.rows, self.cycles = machine, vector, facts, {}, 0.0
        self.between = between or vector  # format of the values between the linears
        self.computing = 0.0
        self.nest = None  # what a nest needs besides its last product
        self.spent = {"operations": 0, "buffer_read": 0, "buffer_write": 0}  # of element-wise parts

    def put(self, component, operand, action, form, count, price="vector"):
        if count:
            self.rows.setdefault((component, operand, action, form), [0, price])[0] += count

    def move(self, component, operand, action, form, values, buffer="activations", packed=False, run=None, size=None):
        """Count values that move; `run`: what of them is contiguous off-chip, and how many values, or whole rows."""
        size = size or self.facts["bits" if packed else "width"][form]
        self.put(component, operand, action, form, values * size, "off_chip" if action[0] == "o" else buffer)
        if action.startswith("off_chip") and self.facts["device"]:
            way, bits = action.removeprefix("off_chip_"), values * size
            rows = bits / 8 / self.facts["device"].opened(*(run or ("activations", None)), size / 8)
            self.put(component, operand, f"{way}_activate", "", rows, ("device", "activate"))
            for part in self.facts["device"].parts:
                self.put(component, operand, f"{way}_{part}", form, bits, ("device", part))
        return values * size

    def elements(self, component, function, count, written=None):
        for name, often in self.in_units(component, function, count, written or self.between).items():
            if name in ENDS:
                form = written if written and name == "write" else self.between
                way = f"buffer_{name}"
                self.spent[way] += self.move(component, "activations", way, form, count * often)
            elif name in ("mul", "add"):
                self.spent["operations"] += count * often
                self.put(component, "activations", name, self.vector, count * often)

    def in_units(self, component, function, count, written, operand="activations"):
        """Count elements in the units that exist and give what is written, and return the amounts that are left."""
        left = dict(self.facts["functions"][function])
        for unit, work in left.pop("units", {}).items():
            widest = work.get("code_bits")
            fits = widest is None or (written[:3] == "int" and int(written[3:]) <= widest)
            if unit in self.facts["units"] and fits:
                self.put(component, operand, unit, self.vector, count)
                for verb in ("mul", "add"):
                    left[verb] = left.get(verb, 0) - work.get(verb, 0)
                    if operand == "activations":  # the cache's are not timed
                        self.spent["operations"] += count * work.get(verb, 0)
        return left

    def matmul(self, part, m, k, n, times, holds, store, takes, into, out, weights="weights", bias=0, goes_on=False,
               taken=None, active=1.0):  # fmt: skip
        """Count an (m, k) x (k, n) product; `into` and `out`: whether inputs and outputs cross the chip's edge.

        With `goes_on` the next one is computed in the same loops: each resource is busy for the sum of both. `taken`:
        bits of an input, with its share of scales; `active`: the share of the inputs that are not zero.
        """
        name, array, actions, measured = self.facts["array"](holds, takes)
        width, bits, v, sums = self.facts["width"], self.facts["bits"], self.between, array["accumulators"]
        mac = next(m for m in array["macs"] if holds in m["weights"] and takes in m["activations"])
        skips, packing, dense = mac.get("skips", []), self.facts["packing"](store), k
        each = packing.get("planes", 1) * (packing.get("nonzero", 1) if "weights" in skips else 1)
        share = active if "inputs" in skips else 1
        asked = 1 - (1 - share) ** max(m, 1)  # of the weights: those that any row of inputs asks for
        k = ceil(k * each * share) if each * share != 1 else k
        taken, of_weights = (taken or width[takes]) / (each * share), bits[store] / each
        inputs, outputs, values, lanes = m * k * times, m * n * times, k * n * times * asked / share, array["lanes"]
        for verb, form in actions:
            terms = k - 1 if verb == "add" else k  # the first term of a sum is no addition
            self.put(part, "partial_sums" if verb == "add" else weights, verb, form, outputs * terms, name)
        at, form = (name, "load" if measured else "weights"), v if takes in FLOATS else "int32"
        self.put(part, weights, "register_write", holds, values * (1 if measured else width[holds]), at)
        self.put(part, weights, "register_read", holds, outputs * k * width[holds] * (not measured), at)
        updates = outputs * ceil(k if sums["per"] == "pe" else k / lanes) * sums["bits"]
        for way in ENDS:
            self.put(part, "partial_sums", f"register_{way}", form, updates, (name, "sums"))
            self.move(
                part, weights, f"buffer_{way}", store, values * self.facts["buffered"], "weights", size=of_weights
            )
            self.move(part, "activations", f"buffer_{way}", takes, inputs * (into or way == "read"), size=taken)
            self.move(part, "outputs", f"buffer_{way}", v, outputs * (out or way == "write"))
        crossing = {"weights": (store, values * of_weights), "activations": (takes, inputs * taken),
                    "outputs": (v, outputs * width[v])}  # fmt: skip
        for operand, (kind, moved) in crossing.items():
            buffer = "weights" if operand == "weights" else "activations"
            at = (part, weights if operand == "weights" else operand, "wire", kind)
            self.put(*at, moved * self.facts["wired"].get(buffer, 0), ("wire", buffer))
        cached = weights != "weights"
        run = ("keys_values", {"keys": k, "values": n}[weights]) if cached else ("weights", dense * n * each)
        self.move(
            "kv_cache_read" if cached else part, weights, "off_chip_read", store, values, run=run, size=of_weights
        )
        self.move(part, "activations", "off_chip_read", takes, inputs * into, size=taken)
        self.move(part, "outputs", "off_chip_write", v, outputs * out)
        self.put(part, "biases", "add", self.vector, outputs * bias)
        for verb, form, often in self.facts["unpack"](store, takes, part, self.vector):
            self.put(
                part,
                "unpacking",
                verb,
                form,
                values * (often if (verb, form) == ("mul", self.vector) else often / each),
            )
        fetched, brought, sent, edge = values / times * of_weights, m * k * taken, m * n * width[v], self.facts["edge"]
        load = lanes * array["columns"] * of_weights / array["weight_registers"]["load_bits_per_cycle"]
        busy = [ceil(k / lanes) * ceil(n / array["columns"]) * max(m, load)]
        busy.append((fetched + brought * into + sent * out) / edge)
        for buffer in self.machine["buffers"].values():
            read = {"weights": fetched, "activations": brought + sent * out}
            written = {"weights": fetched, "activations": brought * into + sent}
            busy += [sum(bits_[o] for o in buffer["holds"]) / buffer["width_bits"] for bits_ in (read, written)]
        self.computing += times * busy[0]
        lanes, columns = min(lanes, k), min(array["columns"], n)  # what fills and drains the array
        tile = of_weights * asked / share * lanes * columns
        ends = tile * (self.nest is None) + taken * lanes * into + width[v] * columns * out
        more, ends_before, pipeline, load = self.nest or ([0] * len(busy), 0, 0, load)  # the first weights are the keys
        busy, ends = [a + b for a, b in zip(busy, more, strict=True)], ends + ends_before
        pipeline += array["pipeline_cycles"]
        self.nest = (busy, ends, pipeline, load) if goes_on else None
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
