"""The range and the default of every key of the YAML files: those written down in ``fields.yaml``.

They are decisions, which nothing computes, so they are recorded twice: a range or a default that changes, or a key that
is new, is changed there, too, where it stands beside the keys that have the same.
"""

import importlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

ROOT = Path(__file__).parents[1]
WRITTEN = yaml.safe_load((Path(__file__).parent / "fields.yaml").read_text(encoding="utf-8"))
FOLDERS = ("energy_models", "experiments", "sim", "gates", "rtl", "reports")
NUMBERS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
LENGTHS = {"minItems": "at least", "minLength": "at least", "minProperties": "at least",
           "maxItems": "at most", "maxLength": "at most"}  # fmt: skip
Keys = dict[str, dict[str, list[str]]]


@cache
def models() -> dict[str, type[BaseModel]]:
    """Every schema of the code, by its name; where several have one name, with the module's."""
    for path in (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))):
        if "Strict" in (text := path.read_text(encoding="utf-8")) or "pydantic" in text:
            parts = path.relative_to(ROOT).with_suffix("").parts
            importlib.import_module(".".join(("bitjoule", *parts)).removesuffix(".__init__"))
    found = defaultdict(list)
    for each in _derived(BaseModel):
        if each.__module__.startswith("bitjoule."):
            found[each.__name__].append(each)
    return {
        name if len(alike) == 1 else f"{one.__module__.removeprefix('bitjoule.')}.{name}": one
        for name, alike in found.items()
        for one in alike
    }


def _derived(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in of.__subclasses__():
        yield each
        yield from _derived(each)


def limits(schema: dict[str, Any], of: str = "") -> Iterator[str]:
    """Yield the bounds of a property in words: of its number, its length, its entries."""
    for key, value in schema.items():
        if key in NUMBERS:
            yield f"{of}{NUMBERS[key]} {int(value) if float(value).is_integer() else value}"
        elif key in LENGTHS:
            yield f"{of}length {LENGTHS[key]} {value}"
        elif key == "pattern":
            yield f"{of}{value}"
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            yield from limits(value, f"{of}of each ")
        elif key in ("anyOf", "oneOf"):
            for each in value:
                yield from limits(each, of)


def found() -> tuple[Keys, Keys]:
    """Return keys by model, by their ranges and by their defaults; a default that is empty is not listed."""
    ranges: Keys = defaultdict(lambda: defaultdict(list))
    defaults: Keys = defaultdict(lambda: defaultdict(list))
    for name, model in models().items():
        schema = model.model_json_schema()
        properties = schema.get("$defs", {}).get(model.__name__, schema).get("properties", {})
        for key in model.__annotations__:
            if key not in model.model_fields or key not in properties:
                continue
            text = ", ".join(sorted(limits(properties[key])))
            if text:
                ranges[text][name].append(key)
            default = properties[key].get("default")
            if default not in (None, "", [], {}):
                defaults[json.dumps(default)][name].append(key)
    return ranges, defaults


@pytest.mark.parametrize(("section", "index"), [("ranges", 0), ("defaults", 1)])
def test_every_key_has_the_range_and_the_default_that_is_written_down(section: str, index: int) -> None:
    places = [
        {(model, key): text for text, of in keys.items() for model, listed in of.items() for key in listed}
        for keys in (WRITTEN[section], found()[index])
    ]
    assert places[0] == places[1]


def of_numbers(text: str) -> bool:
    """Return whether a range is that of a number, not of a text or of entries."""
    return all(part.rsplit(" ", 1)[0] in NUMBERS.values() for part in text.split(", "))


def ends(text: str) -> Iterator[tuple[float, float]]:
    """Yield the last number within each end of a range, and the direction that leads out of it."""
    for words, number in (part.rsplit(" ", 1) for part in text.split(", ")):
        out = -math.inf if words in ("at least", "above") else math.inf
        yield (float(number) if words.startswith("at") else math.nextafter(float(number), -out)), out


@pytest.mark.parametrize("text", [text for text in WRITTEN["ranges"] if of_numbers(text)])
def test_a_key_takes_the_ends_of_its_range_and_nothing_beyond(text):
    for name, keys in WRITTEN["ranges"][text].items():
        for key in keys:
            field = models()[name].model_fields[key]
            adapter = TypeAdapter(Annotated[(field.annotation, None, *field.metadata)])
            for end, out in ends(text):
                whole = math.ceil(end) if out < 0 else math.floor(end)
                if is_taken(adapter, end):
                    assert not is_taken(adapter, math.nextafter(end, out)), (name, key)
                else:
                    assert is_taken(adapter, whole), (name, key)
                    assert not is_taken(adapter, whole + (1 if out > 0 else -1)), (name, key)


def is_taken(adapter: TypeAdapter[Any], value: float) -> bool:
    """Return whether a key takes a number, as it is written: no whole number for one with a point."""
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
