"""Price keys: the path from an energy to the row that prices it, as ``FILE:PLACE`` in the data.

=============================================  ========================================================================
key                                            price of
=============================================  ========================================================================
``operations.csv:45nm:add:int8``               an operation, from its row or derived from other rows
``technologies/T.yaml:add:int8``               an operation of a measured technology
``technologies/T.yaml:quantise:fp16``           an element in a unit of a BitLinear
``technologies/T.yaml:mac:M:64x16:zeros``      a MAC of a full array of 64 x 16; ``zeros``: with its share of zero trits
``technologies/T.yaml:load:M``                 a weight that enters such an array
``technologies/T.yaml:in-mac:M``               an addition that the price of a MAC includes: zero
``technologies/T.yaml:sram:131072``            a bit of a bank of so many bytes, by the technology's own rows
``technologies/T.yaml:dram:lpddr4``            a bit of off-chip memory, by the technology's own row
``memories.csv:lpddr4``                        a bit of off-chip memory
``drams.yaml:lpddr4-3200:read:2048``            a bit of a DRAM device, with so many bytes for each row that is opened
``drams.yaml:lpddr4-3200:core_read``           a bit from an open row, without data pins; ``core_write``
``drams.yaml:hbm2-1200:core_read:0.25``        the same at another toggle rate than that of random data
``drams.yaml:lpddr4-3200:io_read``             a bit on the device's data pins; ``io_write``
``drams.yaml:ddr4-2400:pins.read_pj_per_bit``  the same, where the currents leave the pins out
``drams.yaml:lpddr4-3200:phy.read_pj_per_bit`` a bit in controller and PHY
``drams.yaml:lpddr4-3200:activate``            a row that is opened
``drams.yaml:lpddr4-3200:busy:2@500MHz``       a cycle of standby and refresh of two channels; ``idle``
``memories.csv:7nm:sram:131072``               a bit of a bank of so many bytes, between two rows
``platforms/P.yaml:arrays.A.accumulators...``  an amount of a platform's own, by its keys; of a buffer, of a bit
``platforms/P.yaml:nodes.N.accumulators...``    the same at one node, where the platform gives it
``platforms/P.yaml:nodes.N.leakage_w@500MHz``  a cycle of leakage at that clock
``platforms/P.yaml:static.dram.busy@500MHz``   a cycle of a part's static power at that clock
``platforms/P.yaml:buffers.B.wire_mm@7nm``     a bit on the wires between a buffer and the arrays
``platforms/P.yaml:regulator.efficiency``      what is lost for each pJ behind the regulators
``...*0.64``                                   any of these, times what an operating point of the platform makes of it
=============================================  ========================================================================
"""

from functools import lru_cache

STORES = ("weight_registers", "accumulators")


@lru_cache(maxsize=4096)  # a case has hundreds of prices, of a few dozen keys
def shared_row(key: str, technology: str) -> str:
    """Return the row that a price depends on: prices of one row move together within their bands.

    All sizes of a memory of one technology are priced from the same rows; the registers and accumulators of all
    machines, their leakage at one technology, the static power of each part, wires and
    regulators are based on one assumption each. All that a DRAM device takes by its currents depends on one row, too.

    Parameters
    ----------
    key
        A price key.
    technology
        Name of the technology whose price it is.
    """
    file, _, place = key.partition("*")[0].partition(":")
    if file.startswith("platforms/"):
        section, *names = place.split(".")
        if section == "nodes":
            store = names[-2] if len(names) > 1 else ""
            return f"{store if store in STORES else 'leakage'}:{technology}"
        if place.partition("@")[0].endswith(".wire_mm"):
            return f"wires:{technology}"
        if section == "regulator":
            return section
        if section == "static":
            return f"static:{names[0].partition('@')[0]}"
        amount = names[1] if section == "arrays" else section
        return amount if amount in STORES else f"{file}:{amount}"
    if file == "drams.yaml":
        device, _, part = place.partition(":")
        interface = part.partition(".")[0] if part.endswith("_pj_per_bit") else ""
        return ":".join(filter(None, (file, device, interface)))
    if file == "memories.csv":
        _, _, kind = place.rpartition(":")[0].rpartition(":")
        return f"{file}:{kind}:{technology}" if kind else f"{file}:{place}"
    if file.startswith("technologies/") and place.startswith("sram:"):
        return f"{file}:sram"
    if place.startswith(("mac:", "load:")):
        return f"{file}:{place.split(':')[1]}"
    return key.partition("*")[0]
