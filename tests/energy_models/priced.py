"""What a scheme on a machine at a technology pays, from the YAML that says so; it imports nothing of ours."""

from math import ceil

ENDS = ("low", "nominal", "high")
WIDTH = {"fp32": 32, "fp16": 16, "bf16": 16, "int8": 8, "int4": 4, "int3": 3, "int2": 2, "ternary": 2, "binary": 1}
FLOATS = ("fp32", "fp16", "bf16")
FLOAT_PRODUCTS = tuple(f"mul {form}" for form in FLOATS)


def band(amount, factor=1.0):
    """Return low, nominal and high of a number, or of a mapping of the three."""
    return tuple(factor * (amount[end] if isinstance(amount, dict) else amount) for end in ENDS)


class Device:
    """Channels of a DRAM device, from its entry in the data.

    Parameters
    ----------
    name, device, edge
        Its name and entry; the `off_chip` of a machine.
    """

    def __init__(self, name, device, edge):
        self.name, self.device, self.edge = name, device, edge
        self.chips, self.row = device.get("lockstep", 1), device["row_bytes"]
        gigabytes = device["channel_bits"] * device["gb_per_s_pin"] / 8
        fewest = ceil(edge["bandwidth_gb_per_s"] / gigabytes / self.chips) * self.chips
        self.count = edge.get("channels", fewest) * edge.get("ranks", 1)
        has_pins = "pins" in device or "energies" in device or any(s.get("io") for s in device["supplies"])
        self.parts = (*(("io",) if has_pins else ()), "phy")

    def opened(self, operand, values, bytes_each):
        """Return the bytes that each opened row gives."""
        run, written = None if values is None else values * bytes_each, self.edge.get("contiguous_bytes")
        written = written.get(operand) if isinstance(written, dict) else written
        if written is not None:
            return min(written, self.chips * self.row) / self.chips
        return self.row if run is None else run / (self.chips * ceil(run / self.chips / self.row))

    def price(self, part, way):
        """Return low, nominal and high of a bit in a part, of an opened row, or watts, and what moves it."""
        outside = {"io": "pins", "phy": "phy"}.get(part)
        if outside in self.device:
            return band(self.device[outside][f"{way}_pj_per_bit"]), f"device {self.name} {outside}"
        by = self.by_energies if "energies" in self.device else self.by_currents
        return by(part, way), f"device {self.name}"

    def by_energies(self, part, way):
        own = self.device["energies"]
        if part in ("core", "io"):
            share = own["io_share"] if part == "io" else 1 - own["io_share"]
            return band(own[f"{way}_pj_per_bit"], share)
        if part == "activate":
            return band(own["activate_pj"])
        watts = zip(band(own["open_w" if way == "busy" else "closed_w"]), band(own["refresh_w"]), strict=True)
        return tuple(self.count * sum(both) for both in watts)

    def by_currents(self, part, way):
        own = self.device
        value = 0.0
        for s in own["supplies"]:
            if part in ("core", "io") and s.get("io", False) == (part == "io"):
                burst = s["idd4r" if way == "read" else "idd4w"] - s["idd3n"]
                toggles = 1 + own.get("toggle_slope", 0) / 2
                value += s["volts"] * burst * toggles / own["channel_bits"] / own["gb_per_s_pin"]
            if part == "activate":
                standby = s["idd3n"] * own["ras_ns"] + s["idd2n"] * (own["rc_ns"] - own["ras_ns"])
                value += s["volts"] * (s["idd0"] * own["rc_ns"] - standby)
            if part == "waits":
                refresh = (s["idd5"] - s["idd2n"]) * own["rfc_ns"] / own["refi_ns"]
                value += self.count * s["volts"] * (s["idd3n" if way == "busy" else "idd2n"] + refresh) / 1000
        return band(own["band"], value)


class Priced:
    """A scheme on a machine at a technology.

    Parameters
    ----------
    scheme, machine, technology
        As their YAML writes them.
    data
        The data files: `storage`, `functions`, `drams`, and `memories` as low, nominal and high of a bit.
    """

    def __init__(self, scheme, machine, technology, data):
        self.scheme, self.machine, self.technology, self.data = scheme, machine, technology, data
        self.node = machine["nodes"].get(technology["name"]) or machine["nodes"][f"{technology['node_nm']}nm"]
        self.buffers = {operand: buffer for buffer in machine["buffers"].values() for operand in buffer["holds"]}
        edge = machine["off_chip"]
        name = edge.get("device")
        self.device = Device(name, data["drams"][name], edge) if name and data else None
        self.operations = {(o["operation"], o["format"]): o["energy_pj"] for o in technology["operations"]}

    def facts(self):
        """Return what a recount takes of data files and machine."""
        packings, bits = self.data["storage"], {}
        for name, packing in packings.items():
            shared = packing["scale_bits"] / packing["group"] if "group" in packing else 0
            bits[name] = packing["word_bits"] / packing.get("values", 1) + shared
        held = self.buffers["activations"]
        return {
            "width": WIDTH,
            "bits": bits,
            "group": {name: packing.get("group", 0) for name, packing in packings.items()},
            "holds": {name: packing["holds"] for name, packing in packings.items()},
            "functions": self.data["functions"],
            "units": self.units(),
            "buffered": "weights" in self.buffers,
            "wired": {o: {"wire_mm", "wire_pj_per_bit_mm"} <= {*b, *self.node} for o, b in self.buffers.items()},
            "room_bits": held["size_bytes"] * 8,
            "width_bits": held["width_bits"],
            "edge": self.machine["off_chip"]["bandwidth_gb_per_s"]
            * self.machine["off_chip"].get("achieved_share", 1)
            * 8e3
            / self.node["clock_mhz"],  # bits a cycle
            "device": self.device,
            "array": self.array,
            "unpack": self.unpack,
            "packing": packings.get,
        }

    def units(self):
        """Return the units of a BitLinear that the technology prices in the scheme's floating-point format."""
        if self.machine.get("elementwise") == "operations":
            return set()
        vector = self.scheme["vector"]
        return {operation for operation, form in self.operations if form == vector} - {"add", "mul"}

    def array(self, weights, activations):
        """Return the first array for the formats: name, keys, operations of a MAC, and whether that MAC is measured."""
        for name, array in self.machine["arrays"].items():
            for mac in array["macs"]:
                if weights in mac["weights"] and activations in mac["activations"]:
                    measured = self.paid(weights, activations, mac) is not None
                    whole = measured or "energy_pj" in mac
                    actions = [f"mac {activations}"] if whole else mac["actions"]
                    widens = {"accumulator"} | ({"fp32"} if actions[0] in FLOAT_PRODUCTS else set())
                    wide = self.machine.get("accumulate") in widens and array["accumulators"]["bits"] == 32
                    if wide and len(actions) == 2:
                        actions = [actions[0], "add fp32" if actions[0] in FLOAT_PRODUCTS else "add int32"]
                    return name, array, [action.split() for action in actions], measured
        raise LookupError(f"{weights} x {activations}")

    def paid(self, weights, activations, mac):
        """Return the MAC that is paid: where an array multiplies, that of its factors, or a narrower one."""
        multiplied = next((text.split()[1] for text in mac.get("actions", ()) if text.startswith("mul")), None)
        if multiplied is None:
            return self.measured(weights, activations)
        first, _, second = multiplied.partition("x")
        narrow = None if weights in ("ternary", "binary") else self.measured(weights, second or first)
        return narrow or self.measured(first, second or first)

    def measured(self, weights, activations):
        """Return the technology's MAC of the formats."""
        macs = self.technology.get("macs", [])
        return next((m for m in macs if (m["weights"], m["activations"]) == (weights, activations)), None)

    def unpack(self, store, activations, component, vector):
        """Return the operations for each weight between memory and array."""
        packing = self.data["storage"][store]
        found = [(*text.split(), often / packing.get("values", 1)) for text, often in packing.get("unpack", {}).items()]
        integer = packing["holds"].startswith("int") and component.endswith(("scores", "values", "head", "router"))
        cached = component.endswith(("scores", "values", "router"))  # or computed in another format
        adds = not cached and all(verb == "add" for verb, _ in self.array(packing["holds"], activations)[2])
        if activations in FLOATS and (("group" in packing and not adds) or integer):  # else the scale is on sums
            found.append(("mul", vector, 1.0))
        return found

    def loss(self):
        """Return what regulators lose of each unit, low, nominal and high."""
        if "regulator" not in self.machine:
            return (0.0, 0.0, 0.0)
        return tuple(1 / end - 1 for end in reversed(band(self.machine["regulator"]["efficiency"])))

    def price(self, action, form, tag):
        """Return low, nominal and high of a row's price, and what moves it within its band."""
        if tag == "leakage":
            return band(self.node["leakage_w"], 1e6 / self.node["clock_mhz"]), tag
        if tag[0] == "wire":
            return band(self.node["wire_pj_per_bit_mm"], self.buffers[tag[1]]["wire_mm"]), "wire"
        if tag[:2] == ("static", "dram") and self.device:
            watts, source = self.device.price("waits", tag[2])
            return tuple(end * 1e6 / self.node["clock_mhz"] for end in watts), source
        if tag[0] == "device":
            way = action.partition("_")[0]
            return self.device.price(tag[1], way)
        if tag[0] == "static":
            watts = self.machine["static"][tag[1]]
            own = watts[tag[2]] if isinstance(watts, dict) and tag[2] in watts else watts
            return band(own, 1e6 / self.node["clock_mhz"]), f"static {tag[1]}"
        if tag == "off_chip" and self.device:
            return self.device.price("core", action.removeprefix("off_chip_"))
        if tag == "off_chip":
            edge = self.machine["off_chip"]
            own = self.data["memories"].get(
                edge.get("memory"), edge.get(action.removeprefix("off_chip_") + "_pj_per_bit")
            )
            return band(own), tag
        if tag in ("weights", "activations"):
            buffer = self.buffers[tag]
            macro = (buffer.get("memory"), buffer["size_bytes"] / buffer.get("banks", 1), self.technology["node_nm"])
            if macro in self.data["memories"]:
                return band(self.data["memories"][macro]), "buffer"
            return band(buffer[action.removeprefix("buffer_") + "_pj"], 1 / buffer["width_bits"]), "buffer"
        if isinstance(tag, tuple) and tag[1] != "load":
            store = {"weights": "weight_registers", "sums": "accumulators"}[tag[1]]
            amount = action.removeprefix("register_") + "_pj_per_bit"
            if amount in self.node.get(store, {}):
                return band(self.node[store][amount]), f"{store} here"
            return band(self.machine["arrays"][tag[0]][store][amount]), store
        if isinstance(tag, tuple):
            return band(self.measured(form, self.scheme["activations"])["load_pj"]), "mac"
        if action != "mac":
            return band(self.operations[action, form]), f"{action} {form}"
        return self.mac(tag, form)

    def mac(self, name, activations):
        """Return the price of a MAC of an array, and what moves it."""
        array = self.machine["arrays"][name]
        measured = self.measured(self.scheme["weights"], activations)
        if measured is None:
            own = next(m["energy_pj"] for m in array["macs"] if activations in m["activations"] and "energy_pj" in m)
            return band(own), "own"
        zeros = self.technology["zero_share"] if self.scheme["weights"] == "ternary" else 0
        lanes, columns = array["lanes"], array["columns"]
        shares = {
            "nonzero": 1 - zeros,
            "zero": zeros,
            "column": 1 / lanes,
            "lane": 1 / columns,
            "cycle": 1 / lanes / columns,
        }
        return tuple(sum(measured[f"{n}_pj"][end] * share for n, share in shares.items()) for end in ENDS), "mac"
