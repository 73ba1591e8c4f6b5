"""The JSON Schema of experiment files: what ``bitjoule schema`` prints."""

from typing import Any

from pydantic.json_schema import models_json_schema

from bitjoule.energy_models.validation import Strict
from bitjoule.experiments.gates_schema import GatesExperiment
from bitjoule.experiments.prices_schema import PricesExperiment
from bitjoule.experiments.rtl_schema import RtlExperiment
from bitjoule.experiments.schema import Experiment

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS: dict[str, type[Strict]] = {"rtl": RtlExperiment, "gates": GatesExperiment, "compare": PricesExperiment}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of every experiment file; one of the keys of `KINDS` decides of which kind one is."""
    kinds: list[type[Strict]] = [Experiment, *KINDS.values()]
    refs, schema = models_json_schema([(kind, "validation") for kind in kinds])
    decided: dict[str, Any] = dict(refs[Experiment, "validation"])
    for key, kind in reversed(KINDS.items()):
        decided = {"if": {"required": [key]}, "then": refs[kind, "validation"], "else": decided}
    return {"$schema": DIALECT, "title": "bitjoule experiment", "type": "object", **decided, **schema}
