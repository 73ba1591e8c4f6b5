"""The bench in pieces: some cases of a plan in another process, and the report of all of them."""

import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.verification import Hardware, VerificationReport

CHUNK_CASES = 25  # of seconds, on most configurations: far longer than handing them out


def chunks_of(cases: Sequence[Case]) -> list[list[Case]]:
    """Return cases in pieces, in order.

    Parameters
    ----------
    cases
        Of the plan.
    """
    return [list(cases[start : start + CHUNK_CASES]) for start in range(0, len(cases), CHUNK_CASES)]


@lru_cache(maxsize=2)
def _built(config: AcceleratorConfig | LinearConfig, simulator: str, verilog: str | None) -> tuple[Hardware, object]:
    """Return a build of this process, and what removes its folder when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="bitjoule-")
    return Hardware(config, Path(folder.name), simulator, verilog=verilog), folder


def verify_chunk(
    config: AcceleratorConfig | LinearConfig, simulator: str, verilog: str | None, cases: Sequence[Case]
) -> VerificationReport:
    """Build the hardware, unless this process has it, and run some cases up to the first that fails.

    Parameters
    ----------
    config, simulator, verilog
        As for `bitjoule.sim.bench.verification.Hardware`.
    cases
        The cases.
    """
    hardware, _ = _built(config, simulator, verilog)
    return hardware.verify(cases)


def joined(reports: Sequence[VerificationReport]) -> VerificationReport:
    """Return the report of a plan, up to the first case that fails.

    Parameters
    ----------
    reports
        Of its pieces, in order.
    """
    failing = next((i for i, report in enumerate(reports) if report.failure), len(reports) - 1)
    until = reports[: failing + 1]
    return VerificationReport(
        cases=sum(report.cases for report in until),
        matmuls=sum(report.matmuls for report in until),
        exact_cycles=sum(report.exact_cycles for report in until),
        failure=until[-1].failure,
        cycles=sum(report.cycles for report in until),
        seconds=sum(report.seconds for report in until),
    )
