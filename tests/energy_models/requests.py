"""Requests on machines, for tests."""

import numpy as np

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Cases
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.columns import columns
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System

COLUMNS = columns(Layout([presets()["llama-3-8b"]]), PHASE_NAMES)
PHASE = np.array([list(dict.fromkeys(c.phase for c in COLUMNS)).index(column.phase) for column in COLUMNS])
EDGE = {"fp16": "fp16-edge", "int8": "int8-edge", "bitnet": "ternary-edge", "bitnet-b1.58": "ternary-edge"}


def system(model="bitnet-b1.58-700m", scheme="bitnet-b1.58", platform=None, technology="7nm", machine=None, **rules):
    name = platform or EDGE.get(scheme, "ternary-edge")
    shape = presets()[model] if isinstance(model, str) else model
    places = [[(name, machine or platforms()[name])]]
    return System([shape], [schemes()[scheme]], [technologies()[technology]], places, **rules)


def as_papers(name):
    """Return a platform that takes all pairs, runs scores and values apart and adds as `actions` say."""
    counting = {"skips_masked_pairs": False, "attention": "separate", "accumulate": "paper"}
    return platforms()[name].model_copy(update=counting)


def evaluate(found, batch=1, prompt=64, new=8):
    sizes = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (batch, prompt, new)))
    zeros = np.zeros(len(sizes[0]), dtype=np.intp)
    return found.evaluate(Cases(zeros, zeros, *sizes), zeros, zeros)


def picked(values, **wanted):
    """Sum the columns whose names are as wanted; a value may be several names."""
    chosen = np.ones(len(COLUMNS), dtype=bool)
    for key, names in wanted.items():
        names = (names,) if isinstance(names, str) else names
        chosen &= np.array([getattr(column, key) in names for column in COLUMNS])
    return values[:, chosen].sum(axis=1)


def resized(name, factor):
    """Return a platform with larger buffers at the same prices of an access, and the same leakage."""
    platform = platforms()[name]
    machine = Machine(schemes()["fp16"], platform, technologies()["7nm"], name)
    buffers = {}
    for key, buffer in platform.buffers.items():
        operand = buffer.holds[0]
        prices = {end: machine.access(f"buffer_{end}", operand)[0].nominal_pj for end in ("read", "write")}
        update = {f"{end}_pj": price * buffer.width_bits for end, price in prices.items()}
        update |= {"memory": None, "size_bytes": int(buffer.size_bytes * factor)}
        buffers[key] = buffer.model_copy(update=update)
    nodes = {key: node.model_copy(update={"leakage_w": 0.001}) for key, node in platform.nodes.items()}
    return platform.model_copy(update={"buffers": buffers, "nodes": nodes, "static": None})
