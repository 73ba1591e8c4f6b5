"""Checks a configuration's Verilog against NumPy, in a simulator: plan, build, run, report."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import LINEAR_TOP, linear_verilog
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.cocotb_build import build, run
from bitjoule.sim.bench.simulators import SimulatorError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VerificationReport:
    """The result of a run of the bench.

    Parameters
    ----------
    cases, matmuls
        How many were run without a failure.
    exact_cycles
        Number of cases whose cycles were predicted, and equal.
    failure
        The first case that failed and how, or None.
    cycles, seconds
        Clock cycles simulated, and the time that took without the build.
    """

    cases: int
    matmuls: int
    exact_cycles: int
    failure: dict[str, Any] | None
    cycles: int
    seconds: float

    @property
    def cycles_per_s(self) -> float:
        """Speed of the simulation, the bench included."""
        return self.cycles / self.seconds


class Hardware:
    """A configuration's Verilog, built for a simulator; may run many plans.

    Parameters
    ----------
    config
        The configuration, of the array alone or of a whole BitLinear.
    folder
        Where the build goes.
    simulator
        ``verilator`` or ``icarus``.
    waves, coverage, optimise
        As for `bitjoule.sim.bench.cocotb_build.build`.
    verilog
        Other text than the generator's, for faults put in by hand.

    Raises
    ------
    SimulatorError
        The simulator is missing or the build fails.
    """

    def __init__(
        self,
        config: AcceleratorConfig | LinearConfig,
        folder: Path,
        simulator: str = "verilator",
        *,
        waves: bool = False,
        coverage: bool = False,
        optimise: str = "-O1",
        verilog: str | None = None,
    ) -> None:
        self.config = config
        self._folder = folder
        self._waves = waves
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(config, LinearConfig):
            self._top, generate = LINEAR_TOP, partial(linear_verilog, config)
        else:
            self._top, generate = TOP, partial(accelerator_verilog, config)
        source = folder / f"{self._top}.v"
        source.write_text(generate() if verilog is None else verilog, encoding="utf-8")
        self._runner = build(
            source, self._top, folder / "build", simulator, waves=waves, coverage=coverage, optimise=optimise
        )

    def verify(self, cases: Sequence[Case], name: str = "run", progress: Progress | None = None) -> VerificationReport:
        """Run cases, up to the first that fails.

        Parameters
        ----------
        cases
            The cases.
        name
            Names the folder of logs and waveforms.
        progress
            Called now and then with cases done and cases in all.

        Raises
        ------
        SimulatorError
            The simulation itself breaks.
        """
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        plan, report, done = folder / "plan.json", folder / "report.json", folder / "progress"
        report.unlink(missing_ok=True)
        plan.write_text(
            json.dumps(
                {
                    "config": self.config.as_mapping(),
                    "cases": [case.as_mapping() for case in cases],
                    "report": str(report),
                    "progress": str(done),
                }
            ),
            encoding="utf-8",
        )
        with _Watcher(done, len(cases), progress):
            environment = {"BITJOULE_PLAN": str(plan)}
            run(self._runner, self._top, folder, "bitjoule.sim.bench.bench", environment, waves=self._waves)
        outcome = json.loads(report.read_text(encoding="utf-8"))
        finished = outcome["done"]
        return VerificationReport(
            cases=len(finished),
            matmuls=sum(len(case.shapes) for case in cases[: len(finished)]),
            exact_cycles=sum(bool(case.get("cycles_known")) for case in finished),
            failure=outcome["failure"],
            cycles=outcome["cycles"],
            seconds=outcome["seconds"],
        )

    def matmul(self, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
        """Return the product that the hardware computes; compared with NumPy's on the way.

        Parameters
        ----------
        x, w
            Activations (M, K) and weights (K, N): int8, or float16 for ``fp16``.

        Raises
        ------
        SimulatorError
            The product or its cycles are wrong, or the simulation breaks.
        """
        operands = self._folder / "operands.npz"
        np.savez(operands, x=x, w=w)
        shape = MatmulShape(x.shape[0], x.shape[1], w.shape[1])
        report = self.verify([Case("given operands", (shape,), given=str(operands))], "matmul")
        if report.failure:
            raise SimulatorError(f"the hardware's product is wrong: {report.failure}")
        product: NDArray[Any] = np.load(operands.with_suffix(".npy"))
        return product

    def coverage_file(self, name: str = "run") -> Path:
        """Return where a run counted lines and toggles.

        Parameters
        ----------
        name
            As for `verify`.
        """
        return self._folder / name / "coverage.dat"

    def waveform(self, name: str = "run") -> Path | None:
        """Return the waveform of a run, if it wrote one.

        Parameters
        ----------
        name
            As for `verify`.
        """
        places = [self._folder / name, self._folder / "build"]
        return next((file for place in places for file in [*place.glob("*.fst"), *place.glob("*.vcd")]), None)


class _Watcher:
    """Calls a progress function from another thread while the simulation runs."""

    def __init__(self, file: Path, total: int, progress: Progress | None) -> None:
        self._file, self._total, self._progress = file, total, progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._file.write_text("0", encoding="ascii")
        if self._progress:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._progress:
            self._thread.join()

    def _watch(self) -> None:
        assert self._progress is not None  # noqa: S101
        while not self._stop.wait(0.2):
            text = self._file.read_text(encoding="ascii")
            self._progress(int(text or 0), self._total)
