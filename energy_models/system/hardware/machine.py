"""A scheme on a platform at a technology: which array runs a matmul, and what each of its steps costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.errors import choices
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.technology import Technology, row_to_add
from bitjoule.energy_models.system.hardware.arrays import first_array
from bitjoule.energy_models.system.hardware.at_point import AtPoint
from bitjoule.energy_models.system.hardware.roles import density_of, formats_of, scaling
from bitjoule.energy_models.system.hardware.silicon import leakage_w, node_clock_mhz
from bitjoule.energy_models.system.hardware.sparsity import Density
from bitjoule.energy_models.system.hardware.step_lines import step_lines
from bitjoule.energy_models.system.hardware.templates import Chip, Formats, Template, template
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem
from bitjoule.energy_models.system.platform.accesses import UnpricedError, buffer_price, off_chip_price
from bitjoule.energy_models.system.platform.array_schema import Array, Macs
from bitjoule.energy_models.system.platform.channels import BITS_PER_BYTE, Channels, channels_of, run_of
from bitjoule.energy_models.system.platform.dvfs import scaled_key, times
from bitjoule.energy_models.system.platform.platforms import Node, Platform
from bitjoule.energy_models.system.platform.static_power import clock_text, over_time, per_cycle, static_lines
from bitjoule.energy_models.system.work.steps import ABSENT, NOTHING, MatmulKind, Step, StepPrice


@dataclass(frozen=True, eq=False)
class Machine(AtPoint):
    """A scheme on a platform at a technology.

    Parameters
    ----------
    scheme, platform, technology
        What it runs, on what hardware, at which prices.
    name
        The platform's, for messages.
    """

    scheme: Scheme
    platform: Platform
    technology: Technology
    name: str

    @cached_property
    def node(self) -> Node:
        """What its file says of its technology; `clock_mhz` is the clock.

        Raises
        ------
        UnpricedError
            The platform is not built at this technology.
        """
        name = self._node_name
        if name is not None:
            return self.platform.nodes[name]
        nodes = ", ".join(self.platform.nodes)
        raise UnpricedError(
            f"platform {self.name} has no clock at {self.technology.name} (nodes: {nodes})",
            f"{choices(self.platform.nodes)}, or a key nodes.{self.technology.node} in the platform's file",
        )

    @cached_property
    def clock_mhz(self) -> float:
        """Its clock; raises `UnpricedError` where it follows from arrays that were not synthesised."""
        return node_clock_mhz(self.platform, self.technology, self.node) * self.operating.clock

    @cached_property
    def _node_name(self) -> str | None:
        names = (self.technology.name, self.technology.node)
        return next((name for name in names if name in self.platform.nodes), None)

    def register_price(self, array: str, part: str, direction: str) -> tuple[Price, str]:
        """Return the price of a bit of a register, and its key: the node's where it gives one, or else the array's.

        Parameters
        ----------
        array
            Name of the array.
        part
            ``weight_registers`` or ``accumulators``.
        direction
            ``read`` or ``write``.
        """
        amount = f"{direction}_pj_per_bit"
        value = getattr(getattr(self.node, part), amount, None)
        if value is not None:
            return self.at_volts(price_of(value), self.key("nodes", str(self._node_name), part, amount))
        value = getattr(getattr(self.platform.arrays[array], part), amount)
        return self.at_volts(price_of(value), self.key("arrays", array, part, amount))

    @cached_property
    def static(self) -> tuple[StepPrice, ...]:
        """What each of `STATES` costs in a cycle; all absent on a platform without static power."""
        chip, clock_mhz = StepPrice(1.0, "", self.cycle_pj, self.cycle_key), self.clock_mhz
        waiting = self.dram.waiting(clock_mhz) if self.dram else {}
        return static_lines(self.platform.power, chip, clock_mhz, self.key, waiting, self.operating.watts)

    @cached_property
    def dram(self) -> Channels | None:
        """The channels of its DRAM device, if it has one."""
        return channels_of(self.platform.off_chip)

    @property
    def regulator(self) -> StepPrice:
        """What a pJ that goes through the regulators loses there."""
        part = self.platform.regulator
        return StepPrice(1.0, "", part.loss, self.key("regulator", "efficiency")) if part else ABSENT

    @cached_property
    def cycle_pj(self) -> Price:
        """Leakage of the chip in a cycle."""
        watts = leakage_w(self.platform, self.technology, self.node.leakage_w)
        return times(per_cycle(watts, self.clock_mhz), self.operating.leakage)

    @property
    def cycle_key(self) -> str:
        """Key of the leakage in the platform's file, and the clock that a cycle has."""
        nodes, node = self.platform.nodes, self.technology.node
        shared = node in nodes and nodes[node].leakage_w == self.node.leakage_w
        key = f"{self.key('nodes', node if shared else self.technology.name, 'leakage_w')}@{clock_text(self.clock_mhz)}"
        return scaled_key(key, self.operating.leakage)

    def key(self, *place: str | int) -> str:
        """Return the price key of an amount in the platform's file.

        Parameters
        ----------
        place
            Keys and indices from the root.
        """
        return f"platforms/{self.name}.yaml:{'.'.join(map(str, place))}"

    @cached_property
    def width_bits(self) -> int:
        """Bits per cycle that the activations' buffer reads, and also writes."""
        return list(self.platform.buffers.values())[self.buffer("activations")].width_bits

    @cached_property
    def vector_bits(self) -> int:
        """Bits of a value between the linears."""
        return width_bits(self.scheme.residual)

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
        return formats_of(self.scheme, kind)

    def density(self, kind: MatmulKind) -> Density:
        """Return the products that a matmul takes for each weight and input.

        Parameters
        ----------
        kind
            What it is for.
        """
        return density_of(self.scheme, kind, self.formats(kind), self.array(kind)[1])

    def scaling(self, kind: MatmulKind) -> tuple[float, float]:
        """Return the values of a sum that share scales, 0 for all, and the products with scales for each such sum.

        Parameters
        ----------
        kind
            What the matmul is for.
        """
        if kind not in self._known_scaling:
            (array, macs), required = self.array(kind), self.formats(kind)
            actions = array.actions(macs, self.platform.accumulate)
            measured = self.technology.mac_of_actions(required.weights, actions) is not None
            self._known_scaling[kind] = scaling(self.scheme, kind, required, macs, measured)
        return self._known_scaling[kind]

    @cached_property
    def _known_scaling(self) -> dict[MatmulKind, tuple[float, float]]:
        return {}

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
            self._known_arrays[kind] = first_array(self.platform, self.name, self.formats(kind), kind.role)
        return self._known_arrays[kind]

    def array_name(self, kind: MatmulKind) -> str:
        """Return the name of the array that runs a matmul.

        Parameters
        ----------
        kind
            What the matmul is for.

        Raises
        ------
        UnpricedError
            No array computes its formats.
        """
        array, _ = self.array(kind)
        return next(name for name, candidate in self.platform.arrays.items() if candidate is array)

    @cached_property
    def _known_arrays(self) -> dict[MatmulKind, tuple[Array, Macs]]:
        return {}

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
            priced = dict.fromkeys(f for _, f in self.technology.rows)
            lacking = (f"{action},{name}" for name in self.technology.lacking(action, number_format))
            row = row_to_add(self.technology, " and ".join(lacking))
            raise UnpricedError(wrong, f"{row}one of the formats {', '.join(priced)}")
        return times(self.technology.price(action, number_format), self.operating.energy)

    @cached_property
    def _known_lines(self) -> dict[tuple[MatmulKind, float | None], Mapping[Step, StepPrice]]:
        return {}

    def opened_bytes(self, kind: MatmulKind, k: float, n: float) -> float | None:
        """Return the bytes that each DRAM row gives that is opened for a matmul's weights; none without a device.

        Parameters
        ----------
        kind, k, n
            What the matmul is for; its sizes.
        """
        if self.dram is None:
            return None
        operand, values = run_of(kind, k, n)
        return float(self.dram.opened_bytes(operand, values * self.formats(kind).storage.bits / BITS_PER_BYTE))

    def lines(self, kind: MatmulKind, opened_bytes: float | None = None) -> Mapping[Step, StepPrice]:
        """Return what each step of a matmul costs; off-chip accesses with all their parts.

        Parameters
        ----------
        kind
            What the matmul is for.
        opened_bytes
            From `opened_bytes`; default: whole rows.

        Raises
        ------
        UnpricedError
            A price is missing.
        """
        if (kind, opened_bytes) not in self._known_lines:
            self._known_lines[kind, opened_bytes] = step_lines(self, kind, opened_bytes)
        return self._known_lines[kind, opened_bytes]

    def access(
        self, action: str, operand: str, opened_bytes: float | None = None, stored: str = ""
    ) -> tuple[Price, str]:
        """Return the price of moving one bit, and the key of its source.

        Parameters
        ----------
        action
            ``buffer_read``, ``buffer_write``, ``off_chip_read``, ``off_chip_write``; ``wire``, to the arrays.
        operand
            ``weights`` or ``activations``: which buffer.
        opened_bytes
            As for `lines`.
        stored
            Storage or format of the bit, where off-chip data have their own toggle rate.

        Raises
        ------
        UnpricedError
            The technology does not price the buffer's memory.
        """
        if action.startswith("off_chip"):
            reads, way = action.endswith("read"), action.removeprefix("off_chip_")
            if self.dram is not None:
                opened_bytes = opened_bytes or self.dram.opened_bytes("activations")
                return self.dram.price(way, opened_bytes, stored), self.dram.core(way, stored)[1]
            platform_key = self.key("off_chip", "read_pj_per_bit" if reads else "write_pj_per_bit")
            return off_chip_price(self.platform.off_chip, reads, platform_key, self.technology, stored)
        index = self.buffer(operand)
        if index < 0:
            return NOTHING, ""
        (place, buffer), reads = list(self.platform.buffers.items())[index], action.endswith("read")
        if action == "wire":
            key = self.key("buffers", place, f"wire_mm@{self._node_name}")
            return self.at_volts(price_of(self.node.wire_pj_per_bit_mm, buffer.wire_mm), key)
        platform_key = self.key("buffers", place, "read_pj" if reads else "write_pj")
        return self.at_volts(*buffer_price(buffer, reads, self.technology, platform_key))

    @cached_property
    def _templates(self) -> dict[tuple[MatmulKind, bool, float | None], Template]:
        return {}

    def problem(
        self,
        kind: MatmulKind,
        m: float,
        k: float,
        n: float,
        resident: bool,
        reserved_bits: float,
        distinct: float = 1.0,
    ) -> MatmulProblem:
        """Return a matmul for the mapping search.

        Parameters
        ----------
        kind
            What it is for.
        m, k, n
            Its sizes.
        resident
            Whether the values between the matmuls all stay in the buffer.
        reserved_bits
            Bits of the buffer that they take.
        distinct
            As of `MatmulProblem`.
        """
        of_kind = self.problem_template(kind, resident, self.opened_bytes(kind, k, n))
        return of_kind.filled(m, k, n, reserved_bits, distinct)

    def problem_template(self, kind: MatmulKind, resident: bool, opened_bytes: float | None) -> Template:
        """Return the matmuls of a kind without their sizes.

        Parameters
        ----------
        kind, resident
            As for `problem`.
        opened_bytes
            From `opened_bytes`.
        """
        of = (kind, resident, opened_bytes)
        if of not in self._templates:
            self._templates[of] = self._template(*of)
        return self._templates[of]

    def _template(self, kind: MatmulKind, resident: bool, opened_bytes: float | None) -> Template:
        array, _ = self.array(kind)
        chip = Chip(
            array, tuple(self.platform.buffers.values()), self.buffer("weights"), self.buffer("activations"),
            self.off_chip_bits, over_time(self.static, self.cycle_pj),
        )  # fmt: skip
        priced = self.lines(kind, opened_bytes)
        return template(kind, resident, chip, self.formats(kind), priced, self.density(kind))

    def least_bits(self, kind: MatmulKind) -> float:
        """Return the room that the smallest tiles of a matmul need in the activations' buffer besides resident values.

        Parameters
        ----------
        kind
            What the matmul is for.
        """
        array, _ = self.array(kind)
        required = self.formats(kind)
        bits = float(array.lanes * required.activation_bits)
        bits += array.columns * max(array.accumulators.bits, width_bits(required.outputs))
        if self.buffer("weights") == self.buffer("activations"):
            bits += array.lanes * array.columns * required.storage.bits
        return bits
