"""Makes the hardware of a design: Verilog, its verification, its synthesis, and the figures of both sides."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.experiments.exploration.building.configuration import Accelerator
from bitjoule.experiments.exploration.building.prediction import (
    Prediction,
    predicted,
    technology_at,
    zero_share,
)
from bitjoule.gates.calibration.calibration import float_stimulus, standard_plan
from bitjoule.gates.calibration.measurement import Measurement, measure
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import node_nm, short_name
from bitjoule.sim.bench.cases import directed_cases, random_cases
from bitjoule.sim.bench.verification import Hardware, VerificationReport

SEED = 0  # of the random cases, as of `bitjoule rtl verify`


@dataclass(frozen=True)
class Synthesis:
    """The netlist of an accelerator, and what was said of it before.

    Parameters
    ----------
    measurement
        Of the netlist.
    library
        Name and conditions of the cells.
    prediction
        What the exploration says of it; none if there are no prices at the library's node.
    unpredicted
        Why there is none.
    """

    measurement: Measurement
    library: str
    prediction: Prediction | None
    unpredicted: str


@dataclass(frozen=True)
class Built:
    """The hardware of a design.

    Parameters
    ----------
    accelerator
        What was built.
    cases
        Test cases that were to be run.
    report
        Of the verification.
    synthesis
        Of the netlist.
    """

    accelerator: Accelerator
    cases: int
    report: VerificationReport
    synthesis: Synthesis


def verify(accelerator: Accelerator, random: int) -> tuple[int, VerificationReport]:
    """Compare the Verilog with NumPy and with the cycle model in Verilator.

    Parameters
    ----------
    accelerator
        Of a design.
    random
        Number of random cases beside the corner cases.

    Returns
    -------
    tuple of int and VerificationReport
        The number of all cases, and what came of them.

    Raises
    ------
    SimulatorError
        The simulator is missing, or the build fails.
    """
    config = accelerator.config
    cases = [*directed_cases(config), *random_cases(config, random, SEED)]
    with tempfile.TemporaryDirectory(prefix="bitjoule-") as folder:
        return len(cases), Hardware(config, Path(folder)).verify(cases)


def synthesise(accelerator: Accelerator, library: Library) -> Synthesis:
    """Synthesise an accelerator, simulate its switching, and set what was predicted beside it.

    Parameters
    ----------
    accelerator
        Of a design.
    library
        The cells.

    Raises
    ------
    NetlistError
        The netlist does not compute what NumPy computes.
    RuntimeError
        Yosys failed.
    """
    prediction, unpredicted, technology, plan = None, "", None, standard_plan()
    try:
        technology = technology_at(accelerator, node_nm(library))
        prediction = predicted(accelerator, technology)
    except UnpricedError as error:
        unpredicted = "; ".join(map(str, error.args))
    zeros = zero_share(accelerator, technology, plan.zero_share)
    text = float_stimulus() if accelerator.config.floating_point else plan.stimulus
    measurement = measure(accelerator.config, library, f"{text},zeros:{zeros:g}" if zeros else text)
    return Synthesis(measurement, f"{short_name(library)}, {library.conditions}", prediction, unpredicted)
