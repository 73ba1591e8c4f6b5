"""YAML 1.2's core schema on PyYAML, which reads YAML 1.1: ``010`` as 8, ``2:08`` as 128, ``4e0`` as text.

ruamel.yaml 0.19 was tried: it reads ``1_000`` and ``0b11`` as numbers in its 1.2 mode, too, which the core schema does
not. What follows is the table of https://yaml.org/spec/1.2.2/#103-core-schema, and the merge key ``<<``.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import yaml

Place = tuple[str | int, ...]  # keys and indices from the root
MERGE_TAG = "tag:yaml.org,2002:merge"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_CORE = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        _FLOAT,
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    (MERGE_TAG, r"<<", ["<"]),
)
_PREFIXES = {"0o": 8, "0x": 16}


class CoreLoader(yaml.SafeLoader):
    """PyYAML's pure-Python safe loader with the core schema's scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way


class CoreDumper(yaml.SafeDumper):
    """PyYAML's safe dumper that also quotes text which the core schema reads as something else, e.g. ``1e3``."""


def _construct_int(loader: CoreLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text[2:], _PREFIXES[text[:2]]) if text[:2] in _PREFIXES else int(text)


def _construct_float(loader: CoreLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


for _tag, _pattern, _first in _CORE:
    CoreLoader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)
    CoreDumper.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)
CoreLoader.add_constructor(_INT, _construct_int)
CoreLoader.add_constructor(_FLOAT, _construct_float)


@cache
def fast_loader() -> type[CoreLoader]:
    """Return a loader of the same scalars for files that this package ships, some four times as fast.

    Its events come from libyaml where PyYAML has it. libyaml takes some text that PyYAML's own parser refuses, and
    words errors differently; its composer, which is not used, overflows the stack on deep nesting. Files of users are
    for `CoreLoader`.
    """
    if not yaml.__with_libyaml__:
        return CoreLoader
    parts = (yaml.composer.Composer, yaml.CSafeLoader)

    def begin(self: Any, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        yaml.composer.Composer.__init__(self)

    own = {"__init__": begin, "yaml_implicit_resolvers": CoreLoader.yaml_implicit_resolvers}
    return cast(type[CoreLoader], type("FastLoader", parts, own | {"yaml_constructors": CoreLoader.yaml_constructors}))


def write_yaml(data: Any, width: int = 120) -> str:
    """Return data as YAML that reads the same by YAML 1.2 and by PyYAML's 1.1.

    Parameters
    ----------
    data
        Nested dicts, lists and scalars.
    width
        Where lines are folded.
    """
    text: str = yaml.dump(data, Dumper=CoreDumper, sort_keys=False, allow_unicode=True, width=width)
    return text


def write_marked(data: Mapping[str, Any], marks: Mapping[Place, str], width: int = 120) -> str:
    """Return data as YAML; what has the same mark throughout is marked once, at its key.

    Parameters
    ----------
    data
        Nested dicts, lists and scalars.
    marks
        Texts of comments, by the path of the values that hold no others.
    width
        Where lines are folded, comments not counted.
    """
    text = write_yaml(dict(data), width)
    lines = text.splitlines()
    for line, mark in _comments(yaml.compose(text), marks, ()):
        lines[line] += f"  # {mark}"
    return "\n".join(lines) + "\n"


def _comments(node: Any, marks: Mapping[Place, str], path: Place) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment below a node."""
    for key, line, value in _parts(node):
        at = (*path, key)
        found = set(_marks(value, marks, at))
        if len(found) > 1:
            yield from _comments(value, marks, at)
        elif found != {""}:
            nested = isinstance(value, yaml.CollectionNode) and value.value
            last = line if nested else value.end_mark.line - (value.end_mark.column == 0)  # folded text ends further on
            yield last, found.pop()


def _marks(node: Any, marks: Mapping[Place, str], path: Place) -> Iterator[str]:
    """Yield the mark of each value that holds no others."""
    parts = list(_parts(node))
    if not parts:
        yield marks.get(path, "")
    for key, _, value in parts:
        yield from _marks(value, marks, (*path, key))


def _parts(node: Any) -> Iterator[tuple[str | int, int, Any]]:
    """Yield the key, its line and the value of each entry of a mapping or a list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.value, key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield i, item.start_mark.line, item
