"""The accelerator of a design: the configuration of the array that runs the linears of its scheme."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bitjoule.energy_models.formats.formats import factors, formats, width_bits
from bitjoule.energy_models.inputs.changes import BAND
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.templates import Formats
from bitjoule.energy_models.system.platform.array_schema import Array, Macs
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.exploration.space.accelerator import INSTANCES
from bitjoule.experiments.exploration.space.designs import Base, Design, build, sections
from bitjoule.experiments.exploration.space.knobs import Space
from bitjoule.experiments.hardware.platform import macs_of
from bitjoule.experiments.names.buildable import KEYS, held_k, sizes, store_faults
from bitjoule.rtl.config import (
    ACCUMULATION_BITS,
    ACTIVATION_BITS,
    INT8_MAX_K,
    MAX_K,
    AcceleratorConfig,
    ConfigError,
)
from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.rtl.faults import Fault

FP16, MULTIPLIED = "fp16", ("int8", "int4", "int2")  # formats, as the generator's encodings of weights
LATENCY_CYCLES = 2  # cycles of latency that every accelerator has, beside its pipeline's registers

Pair = tuple[str, str]  # of weights and activations


class Accelerator(NamedTuple):
    """The accelerator of a design.

    Parameters
    ----------
    design
        What was evaluated.
    array
        Name of the platform's array that it is.
    required
        Formats of the scheme's linears.
    config
        Its configuration.
    instances
        How many of them stand side by side.
    """

    design: Design
    array: str
    required: Formats
    config: AcceleratorConfig
    instances: int


class UnbuildableError(ValueError):
    """A design that the generator cannot build.

    Parameters
    ----------
    faults
        What is wrong, by key of the platform.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__(faults)


def machine_of(design: Design) -> Machine:
    """Return the scheme of a design on its platform.

    Parameters
    ----------
    design
        From `bitjoule.experiments.exploration.space.designs.build`.
    """
    return Machine(design.scheme, design.platform, design.technology, design.platform_name)


def accelerator_of(base: Base, space: Space, number: int) -> Accelerator:
    """Return the accelerator of a design.

    Parameters
    ----------
    base, space
        Of the exploration.
    number
        Of the design.

    Raises
    ------
    ImpossibleError
        The values of the design do not fit together.
    UnbuildableError
        The generator does not build such an array; the faults have the keys of the platform.
    UnpricedError
        No array computes the linears of the scheme.
    """
    assignment = space.assignment(number)
    design = build(base, assignment)
    machine = machine_of(design)
    required = machine.formats(MatmulKind.LINEAR)
    array, macs = machine.array(MatmulKind.LINEAR)
    name = machine.array_name(MatmulKind.LINEAR)
    own: Mapping[str, Any] = {}
    if base.accelerator is not None and base.accelerator[1] == name:
        knobs = sections(assignment).get("accelerator", {})
        own = base.accelerator[0].as_mapping() | {key: value for key, value in knobs.items() if key != INSTANCES}
    try:
        config = configuration_of(array, macs, (required.weights, required.activations), required.storage_name, own)
    except UnbuildableError as error:
        place = f"platform.arrays.{name}"
        raise UnbuildableError(tuple(fault._replace(key=f"{place}.{fault.key}") for fault in error.faults)) from None
    return Accelerator(design, name, required, config, array.instances * array.copies)


def configuration_of(
    array: Array, macs: Macs, linears: Pair, storage: str, own: Mapping[str, Any]
) -> AcceleratorConfig:  # fmt: skip
    """Return the configuration of one instance of an array.

    Parameters
    ----------
    array, macs
        The array, and which of its MACs runs the linears.
    linears
        Formats of their weights and activations.
    storage
        How the weights are packed: trits enter the array as they are stored, if the generator has that encoding.
    own
        The configuration that the array was made of, before knobs of the platform changed its sizes; empty without.

    Raises
    ------
    UnbuildableError
        The generator does not build such an array; the faults have the keys of the array.
    """
    faults = [*store_faults(array), *_formats_faults(macs, linears)]
    if faults:
        raise UnbuildableError(tuple(faults))
    computes = own or _computes(array, macs, linears, storage)
    mapping = {**computes, **sizes(array), "pipeline": array.pipeline_cycles - LATENCY_CYCLES}
    try:
        config = AcceleratorConfig.from_mapping(mapping)
    except ConfigError as error:
        keys = KEYS | {"pipeline": "pipeline_cycles"}
        found = (_with_latency(fault, array) if fault.key == "pipeline" else fault for fault in error.faults)
        raise UnbuildableError(tuple(fault._replace(key=keys.get(fault.key, fault.key)) for fault in found)) from None
    faults = [*_narrow(array, config), *_other_formats(config, _factors(macs, linears))]
    if faults:
        raise UnbuildableError(tuple(faults))
    return config


def _with_latency(fault: Fault, array: Array) -> Fault:
    """Return a fault of the pipeline's registers as one of the cycles of latency."""
    expected = f"{LATENCY_CYCLES} more than {fault.expected}"
    return fault._replace(wrong=f"got {array.pipeline_cycles}", expected=expected)


def _formats_faults(macs: Macs, linears: Pair) -> list[Fault]:
    """Return what of the formats that an array computes keeps it from being generated."""
    if macs.actions is None:
        wrong = f"{' x '.join(linears)} has a price of its own and no operations"
        return [Fault("macs", wrong, "mul and add, or add alone")]
    weights, activations = _factors(macs, linears)
    number = formats()[activations]
    narrow = number.kind == "integer" and number.bits <= ACTIVATION_BITS[-1]
    if macs.adds:
        known = narrow or activations == FP16
    else:
        known = activations == FP16 if weights == FP16 else narrow and weights in MULTIPLIED
    built = f"trits x integers of up to {ACTIVATION_BITS[-1]} bits or {FP16}, {', '.join(MULTIPLIED)} x such integers"
    return [] if known else [Fault("macs", f"computes {weights} x {activations}", f"{built}, {FP16} x {FP16}")]


def _factors(macs: Macs, linears: Pair) -> Pair:
    """Return the formats that an array computes the linears in: those of its product, if it multiplies."""
    product = next((action for action in macs.actions or () if action.startswith("mul")), None)
    return linears if product is None else factors(product.split()[1])


def _computes(array: Array, macs: Macs, linears: Pair, storage: str) -> dict[str, Any]:
    """Return the keys of a configuration that say what an array computes."""
    weights, activations = _factors(macs, linears)
    if not macs.adds:
        most_k = INT8_MAX_K[-1] if weights == "int8" else MAX_K[-1]
        computes = {"weight_encoding": weights, "activation_bits": width_bits(activations), "max_k": most_k}
        narrow = weights == FP16 and array.accumulators.bits < ACCUMULATION_BITS["fp32"]
        return computes | ({"datapath": "rounding_tree", "accumulation": FP16} if narrow else {})
    scaled = activations == FP16
    alike = [each for each in array.macs if each.adds and (FP16 in each.activations) == scaled]
    bits = max(width_bits(name) for each in alike for name in each.activations)
    zeros = any("ternary" in each.weights for each in alike)
    stored = storage in ENCODINGS and ENCODINGS[storage].zero == zeros
    trits = storage if stored else "ternary2" if zeros else "binary1"
    own = {"accumulation": "fp32", "max_k": MAX_K[-1]} if scaled else {"max_k": max(held_k(array, bits), 1)}
    return {"weight_encoding": trits, "activation_bits": bits, **own}


def _narrow(array: Array, config: AcceleratorConfig) -> Iterator[Fault]:
    """Yield a fault if the sums of the configuration need more bits than the array's accumulators have."""
    if array.accumulators.bits < config.accumulator_bits:
        wrong = f"got {array.accumulators.bits}"
        yield Fault("accumulators.bits", wrong, f"at least {config.accumulator_bits}, for max_k {config.max_k}")


def _other_formats(config: AcceleratorConfig, pair: Pair) -> Iterator[Fault]:
    """Yield a fault if the configuration computes other formats than those of the array."""
    computed = [
        (weights, number) for each in macs_of(config) for weights in each["weights"] for number in each["activations"]
    ]
    if pair not in computed:
        names = ", ".join(map(" x ".join, computed))
        yield Fault("macs", f"computes {' x '.join(pair)}", f"{names}, as its configuration does")


def platform_file(base: Base, accelerator: Accelerator, experiment: str, number: int) -> dict[str, Any]:
    """Return the platform of a design as its file holds it; the source of what knobs changed is the exploration.

    Parameters
    ----------
    base
        Of the exploration.
    accelerator
        Of the design.
    experiment, number
        Which design of which exploration.
    """
    platform, name = accelerator.design.platform, accelerator.design.platform_name
    written = platform.model_dump(mode="json", exclude_defaults=True)
    before, after = (dict(_leaves(each.model_dump(mode="json"))) for each in (base.platforms[name], platform))
    chosen = f"design {number} of exploration {experiment}"
    changed = {key: chosen for key, value in after.items() if key not in before or before[key] != value}
    sources = {key: text for key, text in platform.sources.items() if key not in changed}
    return written | {
        "description": f"{chosen[0].upper()}{chosen[1:]}, made of {name}",
        "sources": sources | changed,
    }


def _leaves(data: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings by dotted key; a band is one value."""
    for key, value in data.items():
        if isinstance(value, dict) and not set(value) <= set(BAND):
            yield from _leaves(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
