"""What differs between families of FPGAs: the Yosys command, the cells that it makes, and how nextpnr is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bitjoule.gates.fpga import absorb_ecp5, absorb_gowin
from bitjoule.gates.fpga.devices import Device
from bitjoule.rtl.config import AcceleratorConfig

CONSTRAINTS = "pins.cst"  # of Gowin's, whose nextpnr places no ports by itself


@dataclass(frozen=True)
class Family:
    """A family of FPGAs.

    Parameters
    ----------
    synthesis
        The Yosys command.
    options
        Its options that gave the fewest tables: benchmarks/fpga.csv. None of them lets multipliers in: the arrays have
        none, and a block for one would hide tables.
    datapath
        The datapath of trits that takes the fewest tables.
    cells
        By quantity, beginnings of cells' names and how many each of them counts for. A carry cell of ECP5 takes two
        tables, a RAM of 16 x 4 bits four.
    package
        The Python package with nextpnr, without ``yowasp_``.
    arguments
        The arguments of nextpnr that name a device, and a router.
    absorb
        What moves tables into its carry cells, if these have inputs to spare:
        `bitjoule.gates.fpga.absorb_ecp5`, `bitjoule.gates.fpga.absorb_gowin`. Yosys does it by itself on iCE40.
    compares
        Whether comparisons with constants take fewer tables as logic than in carry cells: compare.v.
    chain_lanes
        Of `datapath`, what takes the fewest tables at no slower a clock.
    inverted_sums
        The same.
    sums_in_block_ram
        Whether running sums of several tokens take fewer tables in block RAM. Other families keep them in LUT RAM.
    decoder_blocks
        Block RAM, beside that of running sums, that may decode ``ternary5``: what every device of the family has.
    """

    synthesis: str
    options: str
    datapath: str
    cells: dict[str, dict[str, int]]
    package: str
    arguments: Callable[[Device], list[str]]
    absorb: Callable[[dict[str, Any]], int] | None = None
    compares: bool = False
    chain_lanes: int = 1
    inverted_sums: str = "none"
    sums_in_block_ram: bool = False
    decoder_blocks: int = 0

    def suited(self, config: AcceleratorConfig) -> AcceleratorConfig:
        """Return an array of trits that takes fewer tables of this family, with the same results and cycles.

        Parameters
        ----------
        config
            The array; one that multiplies stays as it is.
        """
        if config.multiplies:
            return config
        sums = "memory" if self.sums_in_block_ram and config.tokens > 1 else config.accumulators
        suited = replace(config, datapath=self.datapath, table_lanes=None, accumulators=sums)
        if config.scaled:  # no bench or proof has chains of aligned activations
            return replace(suited, chain_lanes=1, inverted_sums="none")
        suited = replace(suited, chain_lanes=self.chain_lanes, inverted_sums=self.inverted_sums, stored_decoders=0)
        return replace(suited, stored_decoders=self._stored_decoders(suited))

    def _stored_decoders(self, config: AcceleratorConfig) -> int:
        """Return the lanes whose bytes block RAM decodes, as far as there is some."""
        if config.weight_encoding != "ternary5":
            return 0
        left = self.decoder_blocks - (sum_blocks(config) if config.sums_in_memory else 0)
        return min(config.lanes, max(0, left // -(-config.columns // config.encoding.trits)))

    def count(self, cells: Mapping[str, int]) -> dict[str, int]:
        """Return tables, flip-flops and block RAM of a netlist.

        Parameters
        ----------
        cells
            Number of cells by type.
        """
        return {
            quantity: sum(
                weight * count
                for beginning, weight in weights.items()
                for cell, count in cells.items()
                if cell.startswith(beginning)
            )
            for quantity, weights in self.cells.items()
        }


BLOCK_RAM_BITS, BLOCK_RAM_WORDS = 16, 256  # of iCE40 at its widest


def sum_blocks(config: AcceleratorConfig) -> int:
    """Return the block RAM of iCE40 that the running sums of an array take.

    Parameters
    ----------
    config
        The array.
    """
    wide = -(-config.columns * config.accumulator_bits // BLOCK_RAM_BITS)
    return wide * -(-config.tokens // BLOCK_RAM_WORDS)


FAMILIES = {
    "ecp5": Family(
        synthesis="synth_ecp5",
        options="-nodsp -nowidelut",
        datapath="carry_chain",
        cells={
            "LUTs": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
            "flip-flops": {"TRELLIS_FF": 1},
            "block RAM": {"DP16KD": 1, "PDPW16KD": 1},
        },
        package="nextpnr_ecp5",
        arguments=lambda device: [
            device.option, "--package", device.package, "--speed", device.speed, "--lpf-allow-unconstrained",
        ],
        absorb=absorb_ecp5.absorb_operands,
        compares=True,
        chain_lanes=4,
    ),
    "ice40": Family(
        synthesis="synth_ice40",
        options="",
        datapath="carry_chain",
        cells={
            "LUTs": {"SB_LUT4": 1},
            "flip-flops": {"SB_DFF": 1},
            "block RAM": {"SB_RAM40": 1},
        },
        package="nextpnr_ice40",
        # The other router swaps the same arcs without end for some seeds (nextpnr issues 179, 1341).
        arguments=lambda device: [
            device.option, "--package", device.package, "--pcf-allow-unconstrained", "--router", "router2",
        ],
        chain_lanes=5,
        inverted_sums="after",
        sums_in_block_ram=True,
        decoder_blocks=30,  # of the UP5K; an HX8K has 32
    ),
    "gowin": Family(
        synthesis="synth_gowin",
        options="-nowidelut",
        datapath="carry_chain",
        cells={
            "LUTs": {"LUT": 1, "ALU": 1, "RAM16S": 4},
            "flip-flops": {"DFF": 1},
            "block RAM": {"SDP": 1, "DPB": 1, "DPX9": 1},
        },
        compares=True,
        absorb=absorb_gowin.absorb_operands,
        chain_lanes=4,
        inverted_sums="before",
        package="nextpnr_himbaechel_gowin",
        arguments=lambda device: [
            "--device", device.part, "-o", f"family={device.option}", "-o", f"cst={CONSTRAINTS}",
        ],
    ),
}  # fmt: skip
