"""A scheme on a platform at a technology: which array runs a matmul, and what each thing it does costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bitjoule.energy_models.formats.formats import add_only, formats, scaled, width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.accesses import UnpricedError, buffer_price, off_chip_price
from bitjoule.energy_models.system.mapping import Fixed, MatmulProblem
from bitjoule.energy_models.system.platforms import Array, Macs, Node, Platform
from bitjoule.energy_models.system.steps import ABSENT, NOTHING, STEPS, MatmulKind, Step, StepPrice
from bitjoule.energy_models.system.templates import Chip, Formats, template

PJ_PER_W_US = 1e6  # a watt for a microsecond is 1e6 pJ


@dataclass(frozen=True, eq=False)
class Machine:
    """A scheme on a platform at a technology.

    Parameters
    ----------
    scheme, platform, technology
        Which.
    name
        The platform's, for messages.
    """

    scheme: Scheme
    platform: Platform
    technology: Technology
    name: str

    @cached_property
    def node(self) -> Node:
        """Clock and leakage.

        Raises
        ------
        UnpricedError
            The platform is not built at this technology.
        """
        for name in (self.technology.name, self.technology.node):
            if name in self.platform.nodes:
                return self.platform.nodes[name]
        nodes = ", ".join(self.platform.nodes)
        raise UnpricedError(
            f"platform {self.name} has no clock at {self.technology.name} (nodes: {nodes})",
            f"one of {nodes}, or a key nodes.{self.technology.node} in the platform's file",
        )

    @cached_property
    def cycle_pj(self) -> Price:
        """Leakage of the chip in a cycle."""
        return price_of(self.node.leakage_w, PJ_PER_W_US / self.node.clock_mhz)

    @property
    def cycle_key(self) -> str:
        """Where the leakage stands, and the clock that it is taken at."""
        nodes, node = self.platform.nodes, self.technology.node
        shared = node in nodes and nodes[node].leakage_w == self.node.leakage_w
        return f"{self.key('nodes', node if shared else self.technology.name, 'leakage_w')}@{self.node.clock_mhz:g}MHz"

    def key(self, *place: str | int) -> str:
        """Return the price key of an amount in the platform's file.

        Parameters
        ----------
        place
            Keys and indices from the root.
        """
        return f"platforms/{self.name}.yaml:{'.'.join(map(str, place))}"

    @cached_property
    def off_chip_bits(self) -> float:
        """Bits that off-chip memory moves a cycle."""
        return self.platform.off_chip.bandwidth_gb_per_s * 8e3 / self.node.clock_mhz

    @cached_property
    def width_bits(self) -> int:
        """Bits that the activations' buffer reads, and that it writes, a cycle."""
        return list(self.platform.buffers.values())[self.buffer("activations")].width_bits

    @cached_property
    def vector_bits(self) -> int:
        """Bits of a value between the linears."""
        return width_bits(self.scheme.vector)

    def buffer(self, operand: str) -> int:
        """Return the index of the buffer that holds an operand, -1 if none does.

        Parameters
        ----------
        operand
            ``weights`` or ``activations``.
        """
        buffers = list(self.platform.buffers.values())
        return next((i for i, buffer in enumerate(buffers) if operand in buffer.holds), -1)

    def formats(self, kind: MatmulKind) -> Formats:
        """Return the formats of a matmul.

        Parameters
        ----------
        kind
            What it is for.
        """
        scheme = self.scheme
        cached, queried = scheme.attention_operands
        weights, part, activations = {
            "linear": (scheme.weights, "weight_storage", scheme.activations),
            "router": (scheme.router, "embedding", scheme.router),
            "attention": (cached, "kv_cache", queried),
            "head": (scheme.stored("lm_head").holds, "lm_head", scheme.vector),
        }[kind.role]
        outputs = scheme.activations if kind.standalone else scheme.vector
        return Formats(weights, scheme.storage_name(part), scheme.stored(part), activations, outputs)

    def array(self, kind: MatmulKind) -> tuple[Array, Macs]:
        """Return the array that runs a matmul, and what a MAC costs there.

        Parameters
        ----------
        kind
            What the matmul is for.

        Raises
        ------
        UnpricedError
            No array computes its formats.
        """
        if kind not in self._known_arrays:
            self._known_arrays[kind] = self._first_array(kind)
        return self._known_arrays[kind]

    @cached_property
    def _known_arrays(self) -> dict[MatmulKind, tuple[Array, Macs]]:
        return {}

    def _first_array(self, kind: MatmulKind) -> tuple[Array, Macs]:
        wanted = self.formats(kind)
        for array in self.platform.arrays.values():
            macs = array.macs_for(wanted.weights, wanted.activations)
            if macs is not None:
                return array, macs
        has = dict.fromkeys(
            f"{w} x {a}"
            for array in self.platform.arrays.values()
            for macs in array.macs
            for w in macs.weights
            for a in macs.activations
        )
        pair = f"{wanted.weights} x {wanted.activations}"
        part = {"linear": "linears", "head": "LM head"}.get(kind.role, kind.role)
        raise UnpricedError(
            f"no array of platform {self.name} computes {pair}, the {part} of the scheme",
            f"{', '.join(has)}; or a line in `macs` of one of its arrays",
        )

    def operation(self, action: str, number_format: str) -> Price:
        """Return the price of an operation.

        Parameters
        ----------
        action, number_format
            ``mul`` or ``add``, and its format.

        Raises
        ------
        UnpricedError
            The technology has none.
        """
        if not self.technology.has_price(action, number_format):
            wrong = (
                f"{self.technology.name} has no price for {action} {number_format}, which platform {self.name} needs"
            )
            known = dict.fromkeys(f for _, f in self.technology.rows)
            raise UnpricedError(wrong, f"one of the formats {', '.join(known)}")
        return self.technology.price(action, number_format)

    @cached_property
    def _known_lines(self) -> dict[MatmulKind, Mapping[Step, StepPrice]]:
        return {}

    def lines(self, kind: MatmulKind) -> Mapping[Step, StepPrice]:
        """Return what each step of a matmul costs.

        Parameters
        ----------
        kind
            What the matmul is for.

        Raises
        ------
        UnpricedError
            A price is missing.
        """
        if kind not in self._known_lines:
            self._known_lines[kind] = self._lines(kind)
        return self._known_lines[kind]

    def _lines(self, kind: MatmulKind) -> Mapping[Step, StepPrice]:
        array, macs = self.array(kind)
        wanted = self.formats(kind)
        lines = dict.fromkeys(STEPS, ABSENT)
        technology = self.technology
        name = next(key for key, own in self.platform.arrays.items() if own is array)

        def put(operand: str, action: str, line: StepPrice) -> None:
            step = next(s for s in STEPS if (s.operand, s.action) == (operand, action))
            lines[step] = line

        measured = self.technology.mac_of_actions(wanted.weights, macs.actions or ())
        if measured is not None:
            trits = formats()[wanted.weights].kind == "ternary"
            zero_share = technology.zero_share if trits else 0.0
            price = measured.price(array.lanes, array.columns, zero_share)
            key = technology.mac_key(measured, array.lanes, array.columns, trits)
            put("weights", "mac", StepPrice(1.0, wanted.activations, price, key))
            loaded = StepPrice(1.0, wanted.weights, price_of(measured.load_pj), technology.load_key(measured))
            put("weights", "register_write", loaded)
        elif macs.energy_pj is not None:
            price = Price(macs.energy_pj, macs.energy_pj, macs.energy_pj)
            key = self.key("arrays", name, "macs", array.macs.index(macs), "energy_pj")
            put("weights", "mac", StepPrice(1.0, wanted.activations, price, key))
        for text in (macs.actions or ()) if measured is None else ():
            action, number_format = text.split()
            price = self.operation(action, number_format)
            operand = "weights" if action == "mul" else "partial_sums"
            put(operand, action, StepPrice(1.0, number_format, price, technology.price_key(action, number_format)))
        if kind.rescaled:
            vector = self.scheme.vector
            put(
                "biases",
                "add",
                StepPrice(1.0, vector, self.operation("add", vector), technology.price_key("add", vector)),
            )
        for (action, number_format), times in self._unpacking(kind).items():
            price = self.operation(action, number_format)
            put(
                "unpacking", action, StepPrice(times, number_format, price, technology.price_key(action, number_format))
            )

        registers, sums = array.weight_registers, array.accumulators
        for way in ("read", "write"):
            amount = f"{way}_pj_per_bit"
            per_bit = price_of(getattr(registers, amount))
            if per_bit.high_pj and measured is None:
                key = self.key("arrays", name, "weight_registers", amount)
                put("weights", f"register_{way}", StepPrice(width_bits(wanted.weights), wanted.weights, per_bit, key))
            per_bit = price_of(getattr(sums, amount))
            if per_bit.high_pj:
                key = self.key("arrays", name, "accumulators", amount)
                put("partial_sums", f"register_{way}", StepPrice(sums.bits, wanted.sums, per_bit, key))
        stored = {
            "weights": (wanted.storage.bits, wanted.storage_name),
            "activations": (width_bits(wanted.activations), wanted.activations),
            "partial_sums": (sums.bits, wanted.sums),
            "outputs": (width_bits(wanted.outputs), wanted.outputs),
        }
        for operand, (bits, name) in stored.items():
            for step in STEPS:
                if step.operand == operand and step.action.startswith(("buffer", "off_chip")):
                    price, key = self.access(step.action, "weights" if operand == "weights" else "activations")
                    lines[step] = StepPrice(bits, name, price, key)
        return lines

    def access(self, action: str, operand: str) -> tuple[Price, str]:
        """Return the price of moving one bit, and the key of its source.

        Parameters
        ----------
        action
            ``buffer_read``, ``buffer_write``, ``off_chip_read`` or ``off_chip_write``.
        operand
            ``weights`` or ``activations``: which buffer.

        Raises
        ------
        UnpricedError
            The technology does not price the buffer's memory.
        """
        if action.startswith("off_chip"):
            reads = action.endswith("read")
            own = self.key("off_chip", "read_pj_per_bit" if reads else "write_pj_per_bit")
            return off_chip_price(self.platform.off_chip, reads, own)
        index = self.buffer(operand)
        if index < 0:
            return NOTHING, ""
        place, buffer = list(self.platform.buffers.items())[index]
        reads = action.endswith("read")
        own = self.key("buffers", place, "read_pj" if reads else "write_pj")
        return buffer_price(buffer, reads, self.technology, own)

    def _unpacking(self, kind: MatmulKind) -> dict[tuple[str, str], float]:
        """Return the operations for each weight between memory and array."""
        wanted = self.formats(kind)
        found: dict[tuple[str, str], float] = {}
        for text, times in wanted.storage.unpack.items():
            action, number_format = text.split()
            found[action, number_format] = times / wanted.storage.values
        holds = wanted.storage.holds
        multiplied = wanted.storage.group > 0 or (scaled(holds) and not add_only(holds) and not kind.rescaled)
        if multiplied and not scaled(wanted.activations):  # otherwise the scales are the outputs'
            found["mul", self.scheme.vector] = 1.0
        return found

    @cached_property
    def _templates(self) -> dict[tuple[MatmulKind, bool], tuple[MatmulProblem, Fixed]]:
        return {}

    def problem(
        self, kind: MatmulKind, m: float, k: float, n: float, resident: bool, reserved_bits: float
    ) -> MatmulProblem:
        """Return a matmul for the mapping search.

        Parameters
        ----------
        kind
            What it is for.
        m, k, n
            Its sizes.
        resident
            Whether what lies between the matmuls stays in the buffer as a whole.
        reserved_bits
            Its room there.
        """
        if (kind, resident) not in self._templates:
            self._templates[kind, resident] = self._template(kind, resident)
        known, fixed = self._templates[kind, resident]
        capacity = tuple(
            bits - (reserved_bits if i == known.outputs.buffer else 0.0) for i, bits in enumerate(known.capacity_bits)
        )
        costs = known.costs._replace(fixed_pj=fixed.energy_pj(m, k, n))
        return known._replace(m=m, k=k, n=n, capacity_bits=capacity, costs=costs)

    def _template(self, kind: MatmulKind, resident: bool) -> tuple[MatmulProblem, Fixed]:
        array, _ = self.array(kind)
        chip = Chip(
            array, tuple(self.platform.buffers.values()), self.buffer("weights"), self.buffer("activations"),
            self.off_chip_bits, self.cycle_pj.nominal_pj,
        )  # fmt: skip
        return template(kind, resident, chip, self.formats(kind), self.lines(kind))

    def least_bits(self, kind: MatmulKind) -> float:
        """Return the room that the smallest tiles of a matmul need beside what stays in the activations' buffer.

        Parameters
        ----------
        kind
            What the matmul is for.
        """
        array, _ = self.array(kind)
        wanted = self.formats(kind)
        bits = float(array.lanes * width_bits(wanted.activations))
        bits += array.columns * max(array.accumulators.bits, width_bits(wanted.outputs))
        if self.buffer("weights") == self.buffer("activations"):
            bits += array.lanes * array.columns * wanted.storage.bits
        return bits
