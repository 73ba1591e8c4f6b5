"""A platform of ours from another tool's accelerator, with the name of everything that could not be carried over."""

import math
from typing import Any

from bitjoule.energy_models.interchange.levels import Hardware, Level, finite

INTEGER = {1: "int1", 2: "int2", 3: "int3", 4: "int4", 8: "int8", 16: "int16", 32: "int32"}
CLOCK_MHZ = 1000.0  # of files that count cycles alone
MAX_BITS = 64  # of an accumulator here
ASSUMED = "assumption: "


def rounded(value: float) -> float:
    """Return a value without the last digits of binary arithmetic, which no file wrote.

    Parameters
    ----------
    value
        Any.
    """
    return float(f"{value:.12g}")


class Imported:
    """The platform of an accelerator.

    Parameters
    ----------
    hardware
        What a reader found.
    technology
        The technology whose prices stand where the file gives none.
    clock_mhz
        Instead of the file's.

    Attributes
    ----------
    platform
        Keys and values of a platform file.
    left_out
        What was not carried over or had to be assumed, a line each.
    """

    def __init__(self, hardware: Hardware, technology: str = "45nm", clock_mhz: float | None = None) -> None:
        self.hardware = hardware
        self.left_out = list(hardware.left_out)
        self.sources: dict[str, str] = {}
        self.by_file = f"{hardware.name} of {hardware.tool}"
        if clock_mhz is None and hardware.clock_mhz is None:
            self._note(f"the file counts cycles: a clock of {CLOCK_MHZ:g} MHz was assumed (--clock-mhz)")
        self.clock_mhz = clock_mhz or hardware.clock_mhz or CLOCK_MHZ
        buffers = self._buffers()
        self.platform: dict[str, Any] = {
            "description": f"{hardware.name}, read from a file of {hardware.tool}",
            "arrays": {"pes": self._array(buffers)},
            "vector": {"lanes": hardware.columns},
            "buffers": buffers,
            "off_chip": self._off_chip(),
            "nodes": {technology: self._node()},
        }
        self.sources["vector.lanes"] = f"{ASSUMED}one element-wise operation for each column a cycle"
        self._note(f"element-wise operations: {hardware.columns} a cycle were assumed")
        self.platform["sources"] = self.sources

    def _note(self, line: str) -> None:
        self.left_out.append(line)

    def _array(self, buffers: dict[str, Any]) -> dict[str, Any]:
        hardware, bits = self.hardware, self.hardware.operand_bits
        number = INTEGER[bits]
        macs: dict[str, Any] = {"weights": [number], "activations": [number]}
        energy = self._mac_pj()
        self.sources["arrays.pes.lanes"] = self.sources["arrays.pes.columns"] = self.by_file
        if energy is None:
            macs["actions"] = [f"mul {number}", f"add {'int32' if bits > 1 else 'int16'}"]
            self._note("energy of a multiply-accumulate: not in the file, taken from the technology")
            self.sources["arrays.pes.macs"] = f"{ASSUMED}a multiplication and an addition of the technology"
        else:
            macs["energy_pj"] = rounded(energy)
            self.sources["arrays.pes.macs"] = self.by_file
        array = {
            "lanes": hardware.lanes,
            "columns": hardware.columns,
            "macs": [macs],
            "weight_registers": self._registers(buffers),
            "accumulators": self._accumulators(),
        }
        if hardware.pipeline_cycles:
            array["pipeline_cycles"] = hardware.pipeline_cycles
            self.sources["arrays.pes.pipeline_cycles"] = self.by_file
        return array

    def _mac_pj(self) -> float | None:
        """Return the energy of a MAC with the registers of inputs in it, which platforms have no key for."""
        energy = self.hardware.mac_pj
        for level in self.hardware.inner("inputs"):
            if level.holds != {"inputs"}:
                continue
            if energy is None or level.read_pj_per_bit is None:
                self._note(f"{level.name}: inputs in the PEs, which platforms have no key for")
                continue
            energy += level.read_pj_per_bit * self.hardware.operand_bits
            self._note(
                f"{level.name}: inputs in the PEs, which platforms have no key for; a read of it was added to the "
                "energy of a multiply-accumulate, writing it was not"
            )
        return energy or None

    def _innermost(self, operand: str, key: str) -> Level | None:
        levels = self.hardware.inner(operand)
        for level in levels[:-1]:
            self._note(f"{level.name}: a second memory of {operand} in the PEs; {levels[-1].name} is the array's {key}")
        return levels[-1] if levels else None

    def _prices(self, level: Level, at: str) -> dict[str, float]:
        prices = {"read_pj_per_bit": level.read_pj_per_bit, "write_pj_per_bit": level.write_pj_per_bit}
        if None in prices.values():
            self._note(f"{level.name}: no energy in the file; it costs nothing here")
        self.sources[at] = self.by_file
        return {key: rounded(value) for key, value in prices.items() if value}

    def _registers(self, buffers: dict[str, Any]) -> dict[str, Any]:
        hardware, at = self.hardware, "arrays.pes.weight_registers"
        level = self._innermost("weights", "weight registers")
        above = next((b["width_bits"] for b in buffers.values() if "weights" in b["holds"]), None)
        load = float(above or hardware.levels[0].read_bits or math.inf)
        if not math.isfinite(load):
            load = float(hardware.lanes * hardware.columns * hardware.operand_bits)
            self._note("the path of weights has no limit in the file: all registers load in one cycle here")
        if level is None:
            self._note("no memory of weights in the PEs: one register each was assumed, at no energy")
            self.sources[at] = f"{ASSUMED}a register for each PE"
            return {"load_bits_per_cycle": load}
        weights = max(1, int(level.size_bits // hardware.operand_bits)) if finite(level.size_bits) else 1
        return {"weights": weights, **self._prices(level, at), "load_bits_per_cycle": load}

    def _accumulators(self) -> dict[str, Any]:
        hardware, at = self.hardware, "arrays.pes.accumulators"
        level = self._innermost("outputs", "accumulators")
        bits = min(MAX_BITS, 2 * hardware.operand_bits)
        if level is None:
            self._note("no memory of outputs in the PEs: one accumulator a column was assumed, at no energy")
            self.sources[at] = f"{ASSUMED}an accumulator for each column"
            return {"per": "column", "depth": 1, "bits": max(bits, 32)}
        if finite(level.size_bits) and level.size_bits < bits:
            self._note(f"{level.name}: {level.size_bits:g} bits cannot hold a product; {bits} bits were assumed")
        depth = max(1, int(level.size_bits // bits)) if finite(level.size_bits) else 1
        per = "column" if level.shared_by_lanes else "pe"
        return {"per": per, "depth": depth, "bits": bits, **self._prices(level, at)}

    def _buffers(self) -> dict[str, Any]:
        """Return one buffer for activations and at most one for weights; other levels are named."""
        hardware = self.hardware
        inputs, outputs = hardware.shared(["inputs"]), hardware.shared(["outputs"])
        weights = hardware.shared(["weights"])
        chosen: dict[str, tuple[list[Level], list[str]]] = {}
        for level, also in ((self._one(inputs, "inputs"), "activations"), (self._one(weights, "weights"), "weights")):
            if level is not None:
                chosen.setdefault(level.name, ([level], []))[1].append(also)
        out = self._one(outputs, "outputs")
        if out is not None and out.name not in chosen:
            first = next((name for name, (_, holds) in chosen.items() if "activations" in holds), None)
            if first is None:
                chosen[out.name] = ([out], ["activations"])
            else:
                chosen[first][0].append(out)
                self._note(f"{out.name}: outputs; one buffer here holds inputs and outputs: {first}, as large as both")
        if not any("activations" in holds for _, holds in chosen.values()):
            chosen["buffer"] = ([self._assumed_buffer()], ["activations"])
        return {name: self._buffer(name, levels, holds) for name, (levels, holds) in chosen.items()}

    def _assumed_buffer(self) -> Level:
        hardware = self.hardware
        bits = float(hardware.lanes * hardware.operand_bits + hardware.columns * MAX_BITS)
        self._note("no memory on the chip holds inputs or outputs: a buffer of one step was assumed, at no energy")
        return Level("buffer", frozenset({"inputs"}), bits, False, False, 0.0, 0.0, math.inf, math.inf)

    def _one(self, levels: list[Level], operand: str) -> Level | None:
        if not levels:
            return None
        largest = max(levels, key=lambda level: level.size_bits)
        for level in levels:
            if level is not largest:
                self._note(f"{level.name}: a second memory of {operand} on the chip; {largest.name} is the buffer")
        return largest

    def _buffer(self, name: str, levels: list[Level], holds: list[str]) -> dict[str, Any]:
        hardware, first = self.hardware, levels[0]
        most = max(hardware.lanes * hardware.operand_bits, hardware.columns * MAX_BITS)
        widths = [bits for level in levels for bits in (level.read_bits, level.write_bits) if finite(bits)]
        if not widths:
            self._note(f"{name}: no limit of its bandwidth in the file; {most} bits a cycle here")
        width = math.floor(min(w for w in widths if w is not None)) if widths else most
        unequal = {level.read_bits for level in levels} | {level.write_bits for level in levels}
        if widths and len(unequal) > 1:
            self._note(f"{name}: reads and writes differ in width; the smaller, {width} bits a cycle, is taken")
        size = sum(level.size_bits for level in levels)
        if not math.isfinite(size):
            size = float(1 << 40)
            self._note(f"{name}: without a limit in the file; {size:g} bits here")
        buffer: dict[str, Any] = {"holds": holds, "size_bytes": math.ceil(size / 8), "width_bits": max(1, width)}
        self.sources[f"buffers.{name}"] = self.by_file
        if first.read_pj_per_bit is None or first.write_pj_per_bit is None:
            self._note(f"{name}: no energy in the file, taken from the technology's SRAM of its size")
            return {**buffer, "memory": "sram"}
        for level in levels[1:]:
            if (level.read_pj_per_bit, level.write_pj_per_bit) != (first.read_pj_per_bit, first.write_pj_per_bit):
                self._note(f"{level.name}: its energies differ from those of {first.name}, which are taken for both")
        width = buffer["width_bits"]
        read, write = (rounded(price * width) for price in (first.read_pj_per_bit, first.write_pj_per_bit))
        return {**buffer, "read_pj": read, "write_pj": write}

    def _off_chip(self) -> dict[str, Any]:
        hardware, outer = self.hardware, self.hardware.levels[0]
        bits = [b for b in (outer.read_bits, outer.write_bits) if b is not None and math.isfinite(b)]
        width = min(bits) if bits else float(hardware.lanes * hardware.columns * hardware.operand_bits)
        if not bits:
            self._note(f"{outer.name}: no limit of its bandwidth in the file; a weight for each PE a cycle here")
        elif len({outer.read_bits, outer.write_bits}) > 1:
            self._note(f"{outer.name}: reads and writes differ in width; the smaller is taken")
        memory: dict[str, Any]
        if outer.read_pj_per_bit is None or outer.write_pj_per_bit is None:
            memory = {"memory": "lpddr4"}
            self._note(f"{outer.name}: no energy in the file; LPDDR4 was assumed")
            self.sources["off_chip.memory"] = f"{ASSUMED}LPDDR4"
        else:
            read, write = rounded(outer.read_pj_per_bit), rounded(outer.write_pj_per_bit)
            memory = {"read_pj_per_bit": read, "write_pj_per_bit": write}
            self.sources["off_chip"] = self.by_file
        return {**memory, "bandwidth_gb_per_s": rounded(width * self.clock_mhz / 8e3)}

    def _node(self) -> dict[str, Any]:
        leakage = sum(level.leakage_w for level in self.hardware.levels) + self.hardware.mac_leakage_w
        self.sources["nodes"] = self.by_file if self.clock_mhz == self.hardware.clock_mhz else f"{ASSUMED}its clock"
        return {"clock_mhz": self.clock_mhz, **({"leakage_w": leakage} if leakage else {})}
