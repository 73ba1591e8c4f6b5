"""The JSON Schema of experiment files: what ``bitjoule schema`` prints."""

from typing import Any

from pydantic.json_schema import models_json_schema

from bitjoule.experiments.rtl_schema import RtlExperiment
from bitjoule.experiments.schema import Experiment

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of every experiment file; the key ``rtl`` decides of which kind one is."""
    refs, schema = models_json_schema([(Experiment, "validation"), (RtlExperiment, "validation")])
    return {
        "$schema": DIALECT,
        "title": "bitjoule experiment",
        "type": "object",
        "if": {"required": ["rtl"]},
        "then": refs[RtlExperiment, "validation"],
        "else": refs[Experiment, "validation"],
        **schema,
    }
