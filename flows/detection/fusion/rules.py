"""
Rules over named metrics, never by `eval`; `flows.config.conditions` has the language.

A metric that is not known (not enough data) makes a comparison unknown, and a rule that
is unknown does not fire (Kleene's three-valued logic).
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from flows.config.conditions import parsed
from flows.config.detection.settings import Rule

Value = float | bool | None
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}

_EXTREMES: dict[str, Callable[[list[float]], float]] = {"max": max, "min": min}


def fires(rule: Rule, metrics: Mapping[str, float | None]) -> bool | None:
    """Whether the condition holds; None when a metric it needs is not known."""
    value = _value(parsed(rule.condition), metrics)
    return None if value is None else bool(value)


def _value(node: ast.expr, metrics: Mapping[str, float | None]) -> Value:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]  # the configuration lets numbers pass only
    if isinstance(node, ast.Name):
        known = metrics.get(node.id)
        return None if known is None or math.isnan(known) else known
    if isinstance(node, ast.BoolOp):
        return _logic(node, metrics)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, metrics)
        return None if value is None else (not value if isinstance(node.op, ast.Not) else -value)
    if isinstance(node, ast.BinOp):
        return _arithmetic(node, metrics)
    if isinstance(node, ast.Call):
        return _call(node, metrics)
    assert isinstance(node, ast.Compare)
    return _comparison(node, metrics)


def _call(node: ast.Call, metrics: Mapping[str, float | None]) -> float | None:
    values = [_value(part, metrics) for part in node.args]
    known = [float(value) for value in values if value is not None]
    if len(known) < len(values):
        return None
    assert isinstance(node.func, ast.Name)
    return abs(known[0]) if node.func.id == "abs" else _EXTREMES[node.func.id](known)


def _logic(node: ast.BoolOp, metrics: Mapping[str, float | None]) -> bool | None:
    values = [_value(part, metrics) for part in node.values]
    deciding = isinstance(node.op, ast.Or)
    if any(value is not None and bool(value) is deciding for value in values):
        return deciding
    return None if None in values else not deciding


def _arithmetic(node: ast.BinOp, metrics: Mapping[str, float | None]) -> float | None:
    left, right = _value(node.left, metrics), _value(node.right, metrics)
    if left is None or right is None or (isinstance(node.op, ast.Div) and right == 0):
        return None
    result = _ARITHMETIC[type(node.op)](left, right)
    return None if math.isnan(result) else result


def _comparison(node: ast.Compare, metrics: Mapping[str, float | None]) -> bool | None:
    values = [_value(part, metrics) for part in (node.left, *node.comparators)]
    if None in values:
        return None
    return all(_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, values, values[1:], strict=False))
