"""The reference of the keys of experiment files, from the schema that `bitjoule schema` prints."""

from collections.abc import Iterator, Mapping
from typing import Any

from bitjoule.execution import json_schema
from bitjoule.kinds import kinds

REFERENCE = "#/$defs/"
HEAD = """# Keys of YAML files

Every key of experiment files, of what they may hold inline, and of platform files, as `bitjoule schema` prints them
for editors. [The experiment file](../experiment-file.md) explains them, [platforms](../platforms.md) those of a
machine. Unless a kind has a key of its own, a file is an energy experiment.
"""

Schema = Mapping[str, Any]


def yaml_reference() -> str:
    """Return the page: a table for each kind of experiment, and one for each mapping in them."""
    definitions = json_schema()["$defs"]
    by_key = sorted(kinds().items(), key=lambda item: item[1].kind.KEY)  # that without a key first
    roots = {kind.kind.schema().__name__: (name, kind.kind.KEY) for name, kind in by_key}
    found: dict[str, None] = dict.fromkeys(roots)
    waiting = list(roots)
    while waiting:
        for name in _named(definitions[waiting.pop(0)]):
            if name not in found:
                found[name] = None
                waiting.append(name)
    parts = [HEAD]
    for name in found:
        schema = definitions[name]
        if "enum" in schema:
            continue
        if name in roots:
            kind, key = roots[name]
            parts.append(f"## {_title(name)}\n\nKind `{kind}`{f', recognised by its key `{key}`' if key else ''}.\n")
        else:
            parts.append(f"## {_title(name)}\n")
        properties = schema.get("properties", {})
        if properties:
            parts.append(_table(properties, schema.get("required", []), definitions))
        else:
            parts.append(f"{_type(schema, definitions)}\n" if schema.get("type") != "object" else "A mapping.\n")
    return "\n".join(parts)


def _table(properties: Schema, required: list[str], definitions: Schema) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, value in properties.items():
        default = "required" if key in required else _code(value.get("default"))
        meaning = " ".join(str(value.get("description", "")).split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {_type(value, definitions)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _code(default: object) -> str:
    if default is None or default in ("", [], {}):
        return "none"
    text = {True: "true", False: "false"}[default] if isinstance(default, bool) else str(default)
    return f"`{text}`"


def _type(schema: Schema, definitions: Schema) -> str:
    """Return what a value may be."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        own = definitions[name]
        return _type(own, definitions) if "enum" in own else f"[{_title(name)}](#{_title(name).lower()})"
    if "const" in schema:
        return _code(schema["const"])
    if "enum" in schema:
        return " or ".join(_code(value) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema and all(set(option) - {"required"} for option in schema[key]):
            options = [_type(option, definitions) for option in schema[key] if option.get("type") != "null"]
            return " or ".join(dict.fromkeys(options))
    kind = schema.get("type", "any")
    if kind == "array":
        items = schema.get("items", {})
        return f"list of {_type(items, definitions)}" if items else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"mapping to {_type(values, definitions)}" if isinstance(values, Mapping) and values else "mapping"
    names = {"number": "number", "integer": "whole number", "string": "text", "boolean": "`true` or `false`"}
    bounds = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below", "maximum": "at most"}
    limits = [f"{word} {schema[key]:g}" for key, word in bounds.items() if key in schema]
    return " ".join([names.get(str(kind), str(kind)), *limits])


def _title(name: str) -> str:
    """Return the heading of a mapping; two of one name have their module before it."""
    *module, own = name.split("__")
    return f"{module[2]}-{own}" if len(module) > 2 else own


def _named(schema: object) -> Iterator[str]:
    """Yield the mappings that a schema refers to."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(REFERENCE)
        for value in schema.values():
            yield from _named(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _named(value)
