"""Measurements made up by a closed form, in place of those of netlists."""

from bitjoule.gates.calibration.measurement import Effort, Measurement
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.rtl.config import AcceleratorConfig

NONZERO_FJ, ZERO_FJ = 80.0, 20.0  # of a MAC with 8 bits
SETTLED, WIRES, CLOCK = 0.75, 0.25, 0.125  # shares of all but the wires
PARTS = {"unpack": 0.0625, "select": 0.125, "tree": 0.25, "accumulate": 0.125, "registers": 0.25, "clock": 0.125,
         "control": 0.03125, "input": 0.03125, "wires": WIRES}  # fmt: skip
RECORDED = 0.4  # zeros of the recorded operands
RECORDED_FACTOR = 0.5  # of what they take


def zero_share(stimulus: str, zero: bool) -> float:
    """Return the share of zeros that a stimulus means."""
    if not zero:
        return 0.0
    return (
        RECORDED
        if stimulus.startswith("model:")
        else float((stimulus + ",zeros:0.25").split(",zeros:")[1].split(",")[0])
    )


def mac_fj(config: AcceleratorConfig, stimulus: str) -> float:
    """Return what a MAC takes, without wires, with glitches."""
    zeros = zero_share(stimulus, config.encoding.zero)
    energy = (NONZERO_FJ * (1 - zeros) + ZERO_FJ * zeros) * config.activation_bits / 8
    return energy * (RECORDED_FACTOR if stimulus.startswith("model:") else 1.0)


APART = 1 / 64  # of each netlist and the one before


def made_up(
    config: AcceleratorConfig, library: Library, stimulus: str, effort: Effort | None = None, names: int = 0
) -> Measurement:
    """Return a measurement whose every number follows from the configuration and the stimulus; see `mac_fj`."""
    assert effort is not None
    assert library.cells
    if stimulus == "model:nobody":
        raise StimulusError("no model 'nobody'; expected one that ships")
    macs = config.lanes * config.columns
    total = mac_fj(config, stimulus) * macs * (1 + names * APART)
    return Measurement(
        config=config.as_mapping(), stimulus=stimulus, held=config.tokens > 1,
        zero_share=zero_share(stimulus, config.encoding.zero), settled_fj=SETTLED * total, total_fj=total,
        wire_settled_fj=SETTLED * WIRES * total, wire_fj=WIRES * total,
        clock_fj=CLOCK * total, error_fj=0.01 * total, leakage_nw=30.0 * macs,
        area_um2=50.0 * macs * (1 - names * APART), cells=10 * macs, period_ns=1.5,
        parts_fj={part: share * total for part, share in PARTS.items()},
        parts_settled_fj={part: SETTLED * share * total for part, share in PARTS.items()},
        parts_um2={part: 50.0 * share * macs for part, share in PARTS.items() if part != "wires"},
    )  # fmt: skip
