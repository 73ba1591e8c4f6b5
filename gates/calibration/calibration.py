"""A technology from measurements: operators alone, and the terms of each array's energy."""

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.prices.measured import (
    FEATURES,
    Conditions,
    LibertyFile,
    MeasuredMac,
    MeasuredOperation,
    MeasuredTechnology,
    Unit,
)
from bitjoule.gates.calibration.fit import Floats, identifiable, nonnegative_fit, relative_errors, table
from bitjoule.gates.calibration.linear_units import UNIT_FEATURES, standard_unit
from bitjoule.gates.calibration.measurement import Effort, Measurement, measure_all
from bitjoule.gates.calibration.operators import measure_operator
from bitjoule.gates.calibration.terms import (
    TERMS,
    activation_format,
    charged_fj,
    counts,
    counts_of,
    weight_format,
)
from bitjoule.gates.constants import constant, constants
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints, short_name
from bitjoule.gates.liberty.requirements import check_library
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.gates.stimuli.texts import check_operands, parse_operands
from bitjoule.rtl.config import MAX_BUS_BITS, AcceleratorConfig

STANDARD = Path(__file__).parents[1] / "data" / "standard.yaml"
NEEDED = ("nonzero", "load", "column", "lane")
PJ_PER_FJ = 1e-3
DIGITS = 6
MISSING = (
    "placement and wiring (wires by a rule of thumb), the clock's tree, SRAM; docs/measured-prices.md says how large "
    "each could be"
)

Progress = Callable[[int, int, str], None]


class CalibrationError(ValueError):
    """Measurements that no prices follow from."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Parameters
    ----------
    configs
        The largest array of each kind.
    operators
        Operation and format of each operator.
    stimulus
        Operands without a share of zeros, e.g. ``gaussian:32``.
    zero_share, zero_share_source
        Of the ternary weights that the technology is for, and where it is from.
    effort
        How long each is run.
    """

    configs: Sequence[AcceleratorConfig]
    operators: Sequence[tuple[str, str]]
    stimulus: str
    zero_share: float
    zero_share_source: str
    effort: Effort


def float_stimulus() -> str:
    """Return the operands of floating-point arrays: those of the integers, before they are scaled to them."""
    return f"gaussian:{constant('float-sigma'):g}"


def standard_plan() -> Plan:
    """Return what is measured unless something else is asked for: that of data/standard.yaml."""
    data = read_document(STANDARD).data
    return Plan(
        configs=[AcceleratorConfig.from_mapping(config) for config in data["arrays"]],
        operators=[(text.split()[0], text.split()[1]) for text in data["operators"]],
        stimulus=data["stimulus"],
        zero_share=data["zero_share"],
        zero_share_source=data["zero_share_source"],
        effort=Effort(),
    )


def fitted_configs(config: AcceleratorConfig) -> list[AcceleratorConfig]:
    """Return the arrays that an array's terms are told apart with: other lanes, other columns, weights that stay.

    Three numbers of columns, so that what grows with their number is told apart from what each of them adds.

    Parameters
    ----------
    config
        The largest.
    """
    lanes = max(8, config.lanes // 4)
    columns = max(1, config.columns // 4)
    smaller = [(lanes, columns), (config.lanes, columns), (lanes, config.columns)]
    sizes = [(config.lanes, config.columns, 1), (max(8, config.lanes // 2), max(1, config.columns // 2), 1)]
    sizes += [(*shape, tokens) for tokens in (1, int(constant("held-tokens"))) for shape in smaller]
    return list(dict.fromkeys(resized(config, *size) for size in sizes))


def resized(config: AcceleratorConfig, lanes: int, columns: int, tokens: int) -> AcceleratorConfig:
    """Return a configuration of another size whose bus brings a whole tile in each cycle.

    Parameters
    ----------
    config
        The configuration.
    lanes, columns, tokens
        Its new size.
    """
    wide = replace(config, lanes=lanes, columns=columns, tokens=tokens, weight_bus_bits=MAX_BUS_BITS)
    return replace(wide, weight_bus_bits=wide.tile_bits)


def stimuli(config: AcceleratorConfig, stimulus: str) -> list[str]:
    """Return the operands that an array is measured with: for trits several shares of zeros.

    Parameters
    ----------
    config
        The array.
    stimulus
        Without a share of zeros.
    """
    if config.floating_point and stimulus.startswith("gaussian"):
        stimulus = float_stimulus()
    if weight_format(config) != "ternary" or not stimulus.startswith(("gaussian", "uniform")):
        return [stimulus]
    return [f"{stimulus},zeros:{share:g}" for share in constants("zero-share")]


def check_sizes(config: AcceleratorConfig) -> None:
    """Refuse an array whose terms its smaller sizes could not tell apart, before anything is measured.

    Parameters
    ----------
    config
        The largest array.

    Raises
    ------
    CalibrationError
        It is too small.
    """
    cases = [(size, share) for size in fitted_configs(config) for share in constants("zero-share")]
    _check_terms(config, table([counts_of(size, size.tokens > 1, share) for size, share in cases], TERMS))


def _check_terms(config: AcceleratorConfig, features: Floats) -> None:
    lost = [name for i, name in enumerate(TERMS) if name in NEEDED and i not in identifiable(features)]
    if lost:
        raise CalibrationError(
            f"arrays up to {config.lanes} lanes x {config.columns} columns cannot separate the energy per "
            f"{', '.join(lost)} from the rest; expected at least 16 lanes and 2 columns"
        )


def measured_mac(config: AcceleratorConfig, measurements: Sequence[Measurement]) -> MeasuredMac:
    """Return the terms of an array's energy.

    Parameters
    ----------
    config
        The largest array.
    measurements
        Of arrays of its kind, the largest among them.

    Raises
    ------
    CalibrationError
        The arrays are too small.
    """
    features = table([counts(measurement) for measurement in measurements], TERMS)
    energies = np.array([charged_fj(measurement, measurements) for measurement in measurements])
    _check_terms(config, features)
    zero, nonzero = TERMS.index("zero"), TERMS.index("nonzero")
    shares = features[:, zero] / np.maximum(features[:, zero] + features[:, nonzero], 1.0)
    one_price = np.ptp(shares) < constant("least-zero-shares-apart")
    if one_price:
        features[:, nonzero] += features[:, zero]
        features[:, zero] = 0.0
    nominal = nonnegative_fit(features, energies[:, 1])
    low, high = (energies[:, end].sum() / energies[:, 1].sum() for end in (0, 2))
    terms = dict(zip(TERMS, nominal * PJ_PER_FJ, strict=True))
    if one_price or zero not in identifiable(features):
        terms["zero"] = terms["nonzero"]
    if not terms["nonzero"]:
        raise CalibrationError(
            f"{config.lanes} lanes x {config.columns} columns are too few to separate the MACs from the rest"
        )
    largest = max(measurements, key=lambda measurement: (not measurement.held, measurement.macs))
    size = AcceleratorConfig.from_mapping(dict(largest.config))
    return MeasuredMac(
        weights=weight_format(config),
        activations=activation_format(config),
        accumulation=config.accumulation if config.accumulation.startswith("fp") else "int32",
        datapath=config.datapath,
        **{f"{name}_pj": band(terms[name] * low, terms[name], terms[name] * high) for name in FEATURES},
        lanes=size.lanes,
        columns=size.columns,
        area_um2=rounded(largest.area_um2 / largest.macs),
        leakage_nw=rounded(largest.leakage_nw / largest.macs),
        period_ns=rounded(largest.period_ns),
        worst_fit=rounded(float(abs(relative_errors(features, energies[:, 1], nominal)).max())),
    )


def calibrate(
    plan: Plan, library: Library, node_nm: float, command: str, progress: Progress, executor: Executor
) -> MeasuredTechnology:
    """Measure operators and arrays in a library's cells.

    Parameters
    ----------
    plan
        What.
    library
        The cells.
    node_nm
        Their process node.
    command
        What measures it again.
    progress
        Called with steps done, steps in all and the step that is waited for.
    executor
        Measures; what is measured does not depend on it.

    Raises
    ------
    LibertyError, StimulusError
        Something is wrong with the library or the operands' text.
    NetlistError
        A netlist does not compute what NumPy computes.
    CalibrationError
        An array is too small.
    """
    kinds = [
        (weight_format(config), activation_format(config), config.datapath, config.accumulation)
        for config in plan.configs
    ]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is not None:
        raise CalibrationError(
            f"duplicate kind of array {' x '.join(twice[:2])}, {twice[2]}; expected one array per kind"
        )
    parse_operands(plan.stimulus)
    if "zeros:" in plan.stimulus:
        raise StimulusError(
            f"stimulus {plan.stimulus!r}: the calibration sets the share of zeros; expected no zeros:SHARE"
        )
    check_library(library)
    for config in plan.configs:
        check_sizes(config)
        for stimulus in stimuli(config, plan.stimulus):
            check_operands(stimulus, config)
    jobs = [(config, size) for config in plan.configs for size in fitted_configs(config)]
    # One job an array, whatever it is run on: two would wait for the same netlist. The short ones come last.
    order = sorted(jobs, key=lambda job: -(job[1].lanes * job[1].columns) / (job[0].lanes * job[0].columns))
    operators = [executor.submit(measured_operation, *operator, library, plan.effort) for operator in plan.operators]
    arrays = {
        size: executor.submit(measure_all, size, library, stimuli(config, plan.stimulus), plan.effort)
        for config, size in order
    }
    named = [" ".join(operator) for operator in plan.operators]
    named += [f"{_kind(config)}, {size.lanes} x {size.columns}" for config, size in order]
    steps = len(named)
    waiting: list[Future[list[Measurement]] | Future[MeasuredOperation]] = [*operators, *arrays.values()]
    for done, future in enumerate(waiting):
        progress(done, steps, named[done])
        future.result()
    by_config = {
        config: [measurement for size in fitted_configs(config) for measurement in arrays[size].result()]
        for config in plan.configs
    }
    progress(steps, steps, "")
    return MeasuredTechnology(
        description=f"Synthesised in the cells of {short_name(library)}, switching simulated",
        node_nm=node_nm,
        zero_share=plan.zero_share,
        zero_share_source=plan.zero_share_source,
        measured=Conditions(
            command=command,
            library=short_name(library),
            liberty=[LibertyFile(file=name, sha256=sha256) for name, sha256 in fingerprints(library).items()],
            voltage_v=library.voltage_v,
            stimulus=_stimulus(plan),
            wires=_wires(library, (measurement for group in by_config.values() for measurement in group)),
            missing=MISSING,
            versions={name: importlib.metadata.version(name) for name in ("amaranth", "bitjoule", "numpy", "pyosys")},
        ),
        operations=[operator.result() for operator in operators],
        macs=[measured_mac(config, measurements) for config, measurements in by_config.items()],
    )


def _kind(config: AcceleratorConfig) -> str:
    return f"{weight_format(config)} x {activation_format(config)}"


def _stimulus(plan: Plan) -> str:
    """Return all that was run, in words."""
    zeros = " and ".join(f"{share:g}" for share in constants("zero-share"))
    effort = ", ".join(f"{name} {value}" for name, value in asdict(plan.effort).items())
    return (
        f"arrays {plan.stimulus}, trits with {zeros} zeros, floating-point arrays {float_stimulus()} in place of any "
        f"gaussian; operators uniform integers, {float_stimulus()} floats, units of a BitLinear "
        f"tokens of {UNIT_FEATURES} of them; {effort}"
    )


def _wires(library: Library, measurements: Iterable[Measurement]) -> str:
    rules = [library.wire_load(measurement.area_um2, measurement.cells) for measurement in measurements]
    names = sorted({rule.name for rule in rules})
    rule_text = f"{names[0]}, or by other pitches" if len(names) > 1 else names[0]
    return f"{rule_text}; {rules[0].ff_per_um:g} fF/um"


def measured_operation(operation: str, number_format: str, library: Library, effort: Effort) -> MeasuredOperation:
    """Return what one operator, or one unit of a BitLinear, takes alone.

    Parameters
    ----------
    operation, number_format
        ``add``, ``mul`` or a unit, and its format.
    library
        The cells.
    effort
        How long it is run.
    """
    arithmetic = operation in ("add", "mul")
    measurement = (measure_operator if arithmetic else standard_unit)(operation, number_format, library, effort)
    named: Literal["add", "mul"] | Unit = operation  # type: ignore[assignment]  # one of those that are measured
    return MeasuredOperation(
        operation=named,
        format=number_format,
        energy_pj=band(*(energy_fj * PJ_PER_FJ for energy_fj in measurement.band_fj)),
        area_um2=rounded(measurement.area_um2),
        leakage_nw=rounded(measurement.leakage_nw),
        delay_ns=rounded(measurement.delay_ns),
    )


def band(low: float, nominal: float, high: float) -> Band:
    """Return a band with as many digits as the measurements are worth.

    Parameters
    ----------
    low, nominal, high
        In pJ.
    """
    return Band(low=rounded(low), nominal=rounded(nominal), high=rounded(high))


def rounded(value: float) -> float:
    """Return a number with six digits.

    Parameters
    ----------
    value
        The number.
    """
    return float(f"{value:.{DIGITS}g}")
