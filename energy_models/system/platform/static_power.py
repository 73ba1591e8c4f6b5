"""Static power: the watts of a platform that flow when nothing toggles, by part, and when a part is busy.

=========  ===================================================  =====================================================
part       what it is                                           busy while
=========  ===================================================  =====================================================
``array``  leakage and clock tree of arrays and vector unit     the arrays compute or load weights
``sram``   leakage of the buffers                               (always)
``phy``    memory controller and PHY                            off-chip bits move: bits over bandwidth
``dram``   standby and refresh of the off-chip memory           as ``phy``
``host``   SoC, host processor, I/O                             (always)
``board``  a whole board at idle, where parts are not known     (always)
=========  ===================================================  =====================================================

A part is idle in the rest of the phase. The leakage of a node (`leakage_w`) is array and buffers in one number: a
platform with static power counts it as the part ``chip``, and has no component ``leakage``.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.inputs.amounts import Amount, price_of
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.system.platform.dvfs import scaled_key, times
from bitjoule.energy_models.system.work.steps import ABSENT, StepPrice

PJ_PER_W_US = 1e6  # a watt for a microsecond is 1e6 pJ
CHIP, DRAM, COMPONENT = "chip", "dram", "static"


class BusyIdle(Strict):
    """Watts of a part while it works, and while it waits."""

    busy: Amount
    idle: Amount


CONFIGURED = "from_configuration"


def _configured(value: str) -> str:
    if value != CONFIGURED:
        raise wrong_value(f"got {brief(value)}", f"watts, {{low, nominal, high}} in watts, or {CONFIGURED}")
    return value


Leakage = Annotated[
    Annotated[Amount, Tag("amount")] | Annotated[str, AfterValidator(_configured), Tag("text")],
    Discriminator(lambda value: "text" if isinstance(value, str) else "amount"),
]


def clock_text(clock_mhz: float) -> str:
    """Return a clock as price keys of a cycle write it, so precise that the price follows from it.

    Parameters
    ----------
    clock_mhz
        The clock.
    """
    return f"{clock_mhz:.12g}MHz"


def _clock(value: str) -> str:
    if value != CONFIGURED:
        raise wrong_value(f"got {brief(value)}", f"MHz, or {CONFIGURED}")
    return value


Clock = Annotated[
    Annotated[float, Field(ge=1e-3, le=1e6), Tag("number")] | Annotated[str, AfterValidator(_clock), Tag("text")],
    Discriminator(lambda value: "text" if isinstance(value, str) else "number"),
]


def leaks(leakage: Leakage) -> bool:
    """Return whether a node leaks.

    Parameters
    ----------
    leakage
        Its `leakage_w`.
    """
    return isinstance(leakage, str) or price_of(leakage).high_pj > 0


def per_cycle(watts: Price, clock_mhz: float) -> Price:
    """Return watts as pJ of a cycle.

    Parameters
    ----------
    watts, clock_mhz
        Low, nominal and high; the clock.
    """
    return Price(*(end * PJ_PER_W_US / clock_mhz for end in watts))


def _power_kind(value: Any) -> str:
    return "activity" if isinstance(value, BusyIdle) or (isinstance(value, dict) and "low" not in value) else "amount"


Power = Annotated[
    Annotated[Amount, Tag("amount")] | Annotated[BusyIdle, Tag("activity")],
    Discriminator(_power_kind),
]


class StaticPower(Strict):
    """Watts by part; a part that is left out draws none."""

    array: Power | None = Field(default=None, description="arrays and vector unit, instead of nodes.*.leakage_w")
    sram: Amount | None = Field(default=None, description="buffers, instead of nodes.*.leakage_w")
    phy: Power | None = Field(default=None, description="memory controller and PHY")
    dram: Power | None = Field(default=None, description="standby and refresh of the off-chip memory")
    host: Amount | None = Field(default=None, description="SoC, host processor, I/O")
    board: Amount | None = Field(default=None, description="a whole board at idle, where its parts are not known")
    gated: dict[Literal["array", "phy", "dram"], Annotated[float, Field(ge=0, le=1)]] | None = Field(
        default=None,
        description="parts whose power is gated while they are idle, and the share of their watts that stays; waking "
        "up takes no time here",
    )

    @model_validator(mode="after")
    def _gated_parts(self) -> Self:
        for part in self.gated or ():
            amount = getattr(self, part)
            if amount is None or isinstance(amount, BusyIdle):
                wrong = "has no watts" if amount is None else "has watts for when it is idle"
                raise wrong_value(wrong, f"`{part}` as one amount, that of a part that works", "gated", part)
        return self


class State(NamedTuple):
    """A part in one state: a column of the long table.

    Parameters
    ----------
    part, state
        Operand and action there; ``on`` for a part that is never idle.
    cycles
        Index into the cycles of `state_cycles`.
    """

    part: str
    state: str
    cycles: int


ON, COMPUTING, NOT_COMPUTING, MOVING, NOT_MOVING = range(5)
STATES = (
    State(CHIP, "on", ON),
    State("array", "busy", COMPUTING),
    State("array", "idle", NOT_COMPUTING),
    State("sram", "on", ON),
    State("phy", "busy", MOVING),
    State("phy", "idle", NOT_MOVING),
    State("dram", "busy", MOVING),
    State("dram", "idle", NOT_MOVING),
    State("host", "on", ON),
    State("board", "on", ON),
)


def state_cycles(cycles: Any, computing: Any, moving: Any) -> tuple[Any, ...]:
    """Return the cycles of a phase, and those in which it computes, does not, moves off-chip bits, and does not.

    Parameters
    ----------
    cycles
        Whole cycles of the phase.
    computing, moving
        Cycles in which its arrays work, and off-chip memory, if nothing keeps them waiting.
    """
    busy = [np.minimum(np.ceil(part), cycles) for part in (computing, moving)]
    return cycles, busy[0], cycles - busy[0], busy[1], cycles - busy[1]


def static_cycles(
    lines: Sequence[Sequence[StepPrice]], machine: Indices, cycles: Floats, computing: Floats, moving: Floats
) -> Floats:
    """Return the cycles of each of `STATES` that draws power; shape (cases, phases, states).

    Parameters
    ----------
    lines, machine
        Of each machine, from `static_lines`; the machine of each case.
    cycles, computing, moving
        As for `state_cycles`, shape (cases, phases).
    """
    drawn = np.array([[line is not ABSENT for line in of_machine] for of_machine in lines])[machine]
    by_kind = np.stack(state_cycles(cycles, computing, moving), axis=2)
    return np.asarray(by_kind[..., [state.cycles for state in STATES]] * drawn[:, None], dtype=np.float64)


def static_lines(
    power: StaticPower | None, chip: StepPrice, clock_mhz: float, key: Callable[..., str],
    dram: Mapping[str, StepPrice] = MappingProxyType({}), factor: Callable[[str], float] = lambda _: 1.0,
) -> tuple[StepPrice, ...]:  # fmt: skip
    """Return what each of `STATES` costs in a cycle; all absent without static power.

    Parameters
    ----------
    power, chip
        Of a platform; leakage of its node in a cycle.
    clock_mhz, key
        Its clock, and its price keys by place.
    dram
        Standby and refresh of its DRAM device in a cycle, by state; empty without a device.
    factor
        From a part to what an operating point multiplies its watts with.
    """
    if power is None:
        return (ABSENT,) * len(STATES)
    return tuple(
        dram[state.state] if dram and state.part == DRAM else _line(power, state, chip, clock_mhz, key, factor)
        for state in STATES
    )


def _line(
    power: StaticPower, state: State, chip: StepPrice, clock_mhz: float, key: Callable[..., str],
    factor: Callable[[str], float],
) -> StepPrice:  # fmt: skip
    if state.part == CHIP:
        return chip if chip.price.high_pj else ABSENT
    place: tuple[str, ...] = (COMPONENT, state.part)
    amount = getattr(power, state.part)
    shares = {str(part): share for part, share in (power.gated or {}).items()}
    stays = shares.get(state.part, 1.0) if state.state == "idle" else 1.0
    if isinstance(amount, BusyIdle):
        amount, place = getattr(amount, state.state), (*place, state.state)
    of_point = factor(state.part) * stays
    price = times(price_of(amount or 0.0, PJ_PER_W_US / clock_mhz), of_point)
    price_key = scaled_key(f"{key(*place)}@{clock_text(clock_mhz)}", of_point)
    return StepPrice(1.0, "", price, price_key) if price.high_pj else ABSENT


class OverTime(NamedTuple):
    """What a mapping pays for its time at nominal prices, in pJ.

    Parameters
    ----------
    cycle_pj
        Leakage, or static power with nothing busy, of a cycle.
    computing_pj, moving_pj
        What a cycle in which the array computes, or off-chip bits move, costs more.
    """

    cycle_pj: float
    computing_pj: float = 0.0
    moving_pj: float = 0.0


def over_time(lines: Sequence[StepPrice], leakage: Price) -> OverTime:
    """Return what a mapping pays for its time.

    Parameters
    ----------
    lines
        From `static_lines`.
    leakage
        Of a cycle, counted where there is no static power.
    """
    if all(line is ABSENT for line in lines):
        return OverTime(leakage.nominal_pj)
    nominal = [0.0] * len(STATES)
    for state, line in zip(STATES, lines, strict=True):
        nominal[state.cycles] += line.price.nominal_pj
    idle = nominal[ON] + nominal[NOT_COMPUTING] + nominal[NOT_MOVING]
    return OverTime(idle, nominal[COMPUTING] - nominal[NOT_COMPUTING], nominal[MOVING] - nominal[NOT_MOVING])
