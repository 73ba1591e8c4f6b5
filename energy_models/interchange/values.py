"""Values of another tool's YAML, with an error that says where; arithmetic that its files write as text."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import InputError, brief

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
LARGEST = 1e30
LONGEST = 500  # characters of an expression


def error(document: Document, path: KeyPath, wrong: str, expected: str) -> InputError:
    """Return the error for a value.

    Parameters
    ----------
    document, path
        Where it is.
    wrong, expected
        As for `Problem`.
    """
    return InputError([document.problem(path, wrong, expected)])


def child(document: Document, path: KeyPath, kind: type, data: Any, default: Any = None) -> Any:
    """Return a value of a mapping, checked for its type.

    Parameters
    ----------
    document, path
        Where it is; the last part is the key.
    kind
        ``dict``, ``list`` or ``str``.
    data
        The mapping.
    default
        What stands for a key that is missing; without it, the key is required.

    Raises
    ------
    InputError
        The key is missing, or its value is of another type.
    """
    found = data.get(path[-1]) if isinstance(data, dict) else None
    names: dict[type, str] = {dict: "a mapping", list: "a list", str: "text"}
    if found is None:
        if default is None:
            raise error(document, path[:-1], f"has no {path[-1]!r}", f"the key {path[-1]}: {names[kind]}")
        return default
    if not isinstance(found, kind):
        raise error(document, path, f"got {brief(found)}", names[kind])
    return found


def number(document: Document, path: KeyPath, value: Any, names: Mapping[str, float] | None = None) -> float:
    """Return a number, or the value of arithmetic that is written as text.

    Parameters
    ----------
    document, path
        Where it is.
    value
        A number, or text with numbers, ``+ - * / //``, parentheses, ``inf`` and `names`.
    names
        Values of further names, dots included.

    Raises
    ------
    InputError
        It is neither, or its value is negative or not a number.
    """
    expected = "a number that is not negative, or arithmetic with numbers, e.g. 1024*64*8"
    try:
        result = float(value) if not isinstance(value, str) else evaluate(value, names or {})
    except (ValueError, TypeError, SyntaxError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        raise error(document, path, f"got {brief(value)}", expected) from None
    if isinstance(value, bool) or math.isnan(result) or result < 0 or LARGEST < result < math.inf:
        raise error(document, path, f"got {brief(value)}", expected)
    return result


def evaluate(text: str, names: Mapping[str, float]) -> float:
    """Return the value of arithmetic.

    Parameters
    ----------
    text, names
        As for `number`; ``A if NAME else B`` takes A where the name's value is not zero.

    Raises
    ------
    ValueError, SyntaxError, ZeroDivisionError, OverflowError
        It is something else.
    """
    if len(text) > LONGEST:
        raise ValueError(text)
    return _value(ast.parse(text.split("#")[0].strip(), mode="eval").body, {"inf": math.inf, **names})


def _value(node: ast.AST, names: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.operand, names))
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, names) else node.orelse, names)
    if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in names:
        return names[ast.unparse(node)]
    raise ValueError(ast.unparse(node))
