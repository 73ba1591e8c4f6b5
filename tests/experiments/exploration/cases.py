"""Explorations that the tests share."""

import copy

from bitjoule.experiments.exploration.resolve import resolve
from bitjoule.experiments.files import open_experiment

SMALL = {
    "name": "small",
    "models": ["bitnet-125m"],
    "scheme": "bitnet-b1.58",
    "technology": "7nm",
    "platform": "ternary-edge",
    "workload": {"prompt_tokens": 64, "new_tokens": 16},
    "explore": {
        "knobs": {
            "platform.arrays.adders.columns": [8, 16, 32],
            "platform.buffers.weights.size_bytes": {"start": 65536, "stop": 262144, "factor": 2},
            "platform.off_chip.bandwidth_gb_per_s": [12.8, 25.6],
        },
        "objectives": ["energy_j", "latency_s", "area_mm2"],
    },
}


def document(**changes):
    """Return the contents of a file: keys have double underscores for dots, those of `explore` included."""
    made = copy.deepcopy(SMALL)
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = made
        for parent in parents:
            place = place[parent]
        place[last] = value
    return made


def resolved(**changes):
    """Return a checked exploration."""
    return resolve(open_experiment(document(**changes)))
