"""Machines and models of the tests of serving."""

from typing import Any

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.requests import Served
from bitjoule.energy_models.serving.steps import Machine
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.workload import Experts

FREE = {"energy_pj_per_bit": 0.0, "bandwidth_gb_per_s": 1e9}


def machine(scheme: str = "bitnet-b1.58", platform: str = "ternary-hbm-90w", technology: str = "7nm") -> Machine:
    """Return a shipped machine."""
    hardware = platforms()[platform]
    return Machine(
        platform, hardware, schemes()[scheme], technologies()[technology], Objective.ENERGY, Experts.EXPECTED
    )


def model(**changes: Any) -> ModelShape:
    """Return a small transformer."""
    keys = {
        "layers": 4, "hidden": 256, "heads": 8, "kv_heads": 4, "ffn": 512, "ffn_gated": True, "activation": "silu",
        "vocabulary": 1000,
    }  # fmt: skip
    return ModelShape.model_validate(keys | changes)


def options(**keys: Any) -> Options:
    """Return a way to serve."""
    return Options.model_validate({"name": "test", **keys})


def decode_j(served: Served) -> float:
    """Return the nominal energy after the first token."""
    return float(sum(energy[1] for energy in served.decode_j.values()))


def prefill_j(served: Served) -> float:
    """Return the nominal energy until the first token."""
    return float(sum(energy[1] for energy in served.prefill_j.values()))
