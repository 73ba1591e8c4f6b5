"""Clocks of shipped platforms: what their FP16 arrays meet, from the measured technologies' files, or a number."""

import yaml

from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.system.platform.platforms import platforms


def _fp16_mhz(node):
    macs = yaml.safe_load((DATA / "technologies" / f"{node}-measured.yaml").read_text())["macs"]
    return 1e3 / max(mac["period_ns"] for mac in macs if mac["weights"] == mac["activations"] == "fp16")


MET_MHZ = {node: _fp16_mhz(node) for node in ("45nm", "7nm")}  # the slowest array of every edge and server chip
ASSUMED_MHZ = 500.0  # a round number for closed forms


def at(platform, clock_mhz=ASSUMED_MHZ):
    """Return a platform, or the shipped one of a name, at a clock that is a number."""
    found = platforms()[platform] if isinstance(platform, str) else platform
    nodes = {name: node.model_copy(update={"clock_mhz": clock_mhz}) for name, node in found.nodes.items()}
    return found.model_copy(update={"nodes": nodes})
