"""Checks of a hardware experiment before anything runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError, Problem, choices
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.experiments.hardware.costs import accelerator_machine
from bitjoule.experiments.hardware.linear_costs import linear_costs
from bitjoule.experiments.hardware.model import SCHEMES, SelectedModel, select_model
from bitjoule.experiments.hardware.schema import RtlExperiment, read_machine
from bitjoule.experiments.names.arrays import DESIGNS
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.platforms import MachineRead
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.configurations import shipped_configurations, shipped_linears
from bitjoule.sim.accelerator.cycles import MatmulShape

MAX_OPERAND_BYTES = 4 << 30  # of one bare matmul, its results included


class Prepared(NamedTuple):
    """A hardware experiment that can run.

    Parameters
    ----------
    experiment, document
        The experiment, and where it is written.
    design
        The accelerator, or a whole BitLinear.
    selected
        The model; none for bare matmuls.
    platform
        The platform of the experiment.
    inputs
        SHA-256 of the files of configuration and platform, by name.
    machine
        The machine around the accelerator; none for a model without integer matmuls.
    """

    experiment: RtlExperiment
    document: Document
    design: AcceleratorConfig | LinearConfig
    selected: SelectedModel | None
    platform: MachineRead
    inputs: Mapping[str, str]
    machine: Machine | None

    @property
    def config(self) -> AcceleratorConfig:
        """The accelerator; of a whole BitLinear, its array."""
        return self.design.array if isinstance(self.design, LinearConfig) else self.design

    @property
    def linear(self) -> LinearConfig | None:
        """The whole BitLinear, if it is one."""
        return self.design if isinstance(self.design, LinearConfig) else None

    @property
    def scheme(self) -> str:
        """The scheme of the model or the matmuls."""
        return self.selected.scheme if self.selected else SCHEMES["ternary"]


def prepare(experiment: RtlExperiment, document: Document) -> Prepared:
    """Return an experiment with its names resolved; nothing is built and no weight is read.

    Parameters
    ----------
    experiment, document
        The experiment, and where it is written.

    Raises
    ------
    InputError
        A model, configuration, platform or prompt is wrong, or they do not fit each other.
    """
    problems: list[Problem] = []
    with _gathered(problems):
        platform, inputs = read_machine(experiment, document)
    with _gathered(problems):
        design, config_inputs = _configuration(experiment, document)
    with _gathered(problems):
        selected = None if experiment.rtl.matmuls is not None else select_model(experiment, document)
    if problems:
        raise InputError(dict.fromkeys(problems))
    prepared = Prepared(experiment, document, design, selected, platform, config_inputs | inputs, None)
    if selected and not selected.multiplies_integers:
        return prepared
    _check_fit(prepared)
    _check_sizes(prepared)
    return prepared._replace(machine=_machine(prepared))


@contextmanager
def _gathered(problems: list[Problem]) -> Iterator[None]:
    """Keep the problems of a part, so that those of the others are told with them."""
    try:
        yield
    except InputError as error:
        problems += error.problems


def _configuration(
    experiment: RtlExperiment, document: Document
) -> tuple[AcceleratorConfig | LinearConfig, dict[str, str]]:
    """Return the accelerator's configuration, and the SHA-256 of its file by its name."""
    lookup, name = Lookup(document, [], {}), experiment.rtl.config
    result = lookup.find(DESIGNS, name, ("rtl", "config"))
    if result is None:
        raise InputError(lookup.problems)
    return result.value, lookup.inputs or {name: fingerprint((shipped_configurations() | shipped_linears())[name])}


def _check_fit(prepared: Prepared) -> None:
    """Reject an accelerator that cannot run the matmuls, whatever the engine."""
    run, config, selected = prepared.experiment.rtl, prepared.config, prepared.selected

    def refuse(wrong: str, expected: str) -> InputError:
        return InputError([prepared.document.problem(("rtl", "config"), f"{run.config} has {wrong}", expected)])

    encoding = f"weight_encoding {config.weight_encoding}"
    zeros = [name for name, encoding in ENCODINGS.items() if encoding.zero]
    if config.multiplies:
        raise refuse(f"{encoding}, an array with multipliers", f"a multiplier-free array: {', '.join(ENCODINGS)}")
    if config.scaled:
        raise refuse("accumulation fp32, an array with FP16 activations", "accumulation: exact")
    sizes = [linear.in_features for linear in selected.shape.linears] if selected else []
    widest = max(sizes + [matmul.k for matmul in run.matmuls or ()])
    if widest > config.max_k:
        raise refuse(f"max_k {config.max_k}, too small for K {widest}", f"max_k of at least {widest}")
    bits = width_bits(schemes()[prepared.scheme].activations)
    if config.activation_bits < bits:
        wrong = f"activation_bits {config.activation_bits}, too few for the activations' {bits}"
        raise refuse(wrong, f"activation_bits: {bits}")
    if prepared.scheme == SCHEMES["ternary"] and run.random_weights != 0 and not config.encoding.zero:
        raise refuse(f"{encoding}, which cannot encode zero weights", choices(zeros))
    if prepared.linear and run.engine == "numpy":
        wrong = f"engine numpy has no cycles of a whole BitLinear, which {run.config} is"
        raise InputError([prepared.document.problem(("rtl", "engine"), wrong, "rtl, or check")])


def _check_sizes(prepared: Prepared) -> None:
    problems = []
    for i, (m, k, n) in enumerate((size.m, size.k, size.n) for size in prepared.experiment.rtl.matmuls or ()):
        size_bytes = m * k + k * n + 4 * m * n
        if size_bytes > MAX_OPERAND_BYTES:
            wrong = f"{m}x{k}x{n} has operands and results of {size_bytes / 2**30:.1f} GiB"
            expected = f"at most {MAX_OPERAND_BYTES >> 30} GiB"
            problems.append(prepared.document.problem(("rtl", "matmuls", i), wrong, expected))
    if problems:
        raise InputError(problems)


def _machine(prepared: Prepared) -> Machine:
    scheme = schemes()[prepared.scheme]
    experiment, platform = prepared.experiment, prepared.platform
    technology = technologies()[experiment.technology]
    try:
        machine = accelerator_machine(
            prepared.config, scheme, platform.platform, technology, platform.name, experiment.rtl.clock_mhz
        )
        if prepared.linear:
            linear_costs(machine, prepared.linear, MatmulShape(1, 1, 1))
        return machine
    except UnpricedError as error:
        raise InputError([prepared.document.problem(("platform",), *error.args)]) from None
