"""The FPGAs that a design can be placed on: `devices.csv`, one a row, with what each contains and its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, suggestion
from bitjoule.energy_models.inputs.facts import positive, read_facts

FILE = Path(__file__).parent / "devices.csv"
COLUMNS = (
    "device", "family", "part", "package", "option", "speed", "tables", "flip_flops", "block_ram", "pins",
    "uart_pins", "source", "where", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """One FPGA in one package.

    Parameters
    ----------
    name
        As ``--device`` takes it.
    family
        A key of `bitjoule.gates.fpga.families.FAMILIES`.
    part, package
        Of the vendor; the package as nextpnr spells it.
    option
        What nextpnr calls the chip.
    speed
        Speed grade; empty where the family has none.
    tables, flip_flops, block_ram
        How many it contains: tables of four inputs, flip-flops, blocks of memory.
    pins
        Pins of the package that a design may use.
    uart_pins
        Where nextpnr places no ports by itself: the pin of each port of the UART.
    """

    name: str
    family: str
    part: str
    package: str
    option: str
    speed: str
    tables: int
    flip_flops: int
    block_ram: int
    pins: int
    uart_pins: dict[str, str]

    @property
    def capacity(self) -> dict[str, int]:
        """What a design may run out of, by name."""
        return {
            "LUTs": self.tables,
            "flip-flops": self.flip_flops,
            "block RAM": self.block_ram,
            "pins": self.pins,
        }

    def describe(self) -> str:
        """Return part, package and speed grade for a reader."""
        speed = f", speed {self.speed}" if self.speed and self.speed not in self.part else ""
        return f"{self.part}, {self.package}{speed}"


@cache
def devices() -> Mapping[str, Device]:
    """Return the devices by name.

    Raises
    ------
    InputError
        The header or a row of the file is wrong.
    """
    found = {}
    for line, row in read_facts(FILE, COLUMNS):
        found[row["device"]] = Device(
            name=row["device"],
            family=row["family"],
            part=row["part"],
            package=row["package"],
            option=row["option"],
            speed=row["speed"],
            tables=int(positive(FILE, line, row, "tables")),
            flip_flops=int(positive(FILE, line, row, "flip_flops")),
            block_ram=int(positive(FILE, line, row, "block_ram")),
            pins=int(positive(FILE, line, row, "pins")),
            uart_pins=dict(place.split("=") for place in row["uart_pins"].split()),
        )
    return found


def find_device(name: str) -> Device:
    """Return a device.

    Parameters
    ----------
    name
        Of its row.

    Raises
    ------
    InputError
        There is none of that name.
    """
    known = devices()
    if name not in known:
        raise InputError([Problem("--device", 1, name, f"unknown device{suggestion(name, known)}", choices(known))])
    return known[name]
