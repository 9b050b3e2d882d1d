"""
Rules over named metrics: a small, safe language, never `eval`.

Names, numbers, + - * /, comparisons, and, or, not. A metric that is not known (not
enough data) makes a comparison unknown, and a rule that is unknown does not fire
(Kleene's three-valued logic).
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from flows.config.model import ModelConfig, Rule
from flows.errors import ConfigError

Value = float | bool | None
METRICS = {
    "rows": "rows in the newest window",
    "labelled": "labelled rows in the error windows",
    "drifted_features": "features that drifted",
    "high_drift_features": "features with a PSI beyond threshold and noise",
    "max_psi": "largest PSI",
    "max_ks": "largest Kolmogorov-Smirnov D or Cramer's V",
    "outlier_share": "largest share of outliers of a feature",
    "missing_increase": "largest rise of the share of missing values",
    "error": "mean loss of the newest labelled window",
    "error_increase": "relative rise of the error over the windows before",
    "error_p": "one-sided p-value of that rise",
    "baseline_error": "champion's loss on its holdout",
    "baseline_increase": "relative rise of the champion's own error over that baseline",
    "baseline_p": "one-sided p-value of that rise",
    "accuracy": "share of right classes in the newest labelled window",
    "age_days": "days since the champion was trained",
    "new_rows": "labelled rows since the last retraining",
}
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


def check_rules(config: ModelConfig) -> None:
    """
    Refuse conditions that could never be decided.

    Raises:
        ConfigError: With every mistake of every rule.
    """
    known = {*METRICS, *config.data.kpis}
    mistakes = [f"rule {rule.name!r}: {m}" for rule in config.detection.rules for m in _mistakes(rule.condition, known)]
    if mistakes:
        raise ConfigError(
            f"The rules of {config.model} were refused.",
            "; ".join(mistakes) + ".",
            f"Known metrics: {', '.join(sorted(known))}.",
        )


def fires(rule: Rule, metrics: Mapping[str, float | None]) -> bool | None:
    """Whether the condition holds; None when a metric it needs is not known."""
    value = _value(ast.parse(rule.condition.strip(), mode="eval").body, metrics)
    return None if value is None else bool(value)


def _mistakes(condition: str, known: set[str]) -> list[str]:
    try:
        tree = ast.parse(condition.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return [f"{condition!r} is no condition"]
    mistakes = []
    for node in ast.walk(tree.body):
        if isinstance(node, ast.Name):
            mistakes += [f"unknown metric {node.id!r}"] if node.id not in known else []
        elif not _allowed(node):
            mistakes.append(f"{ast.unparse(node)!r} is not allowed")
    return mistakes


def _allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    plain = (ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Compare, ast.Load)
    return isinstance(node, plain) or type(node) in _COMPARE or type(node) in _ARITHMETIC


def _value(node: ast.expr, metrics: Mapping[str, float | None]) -> Value:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]  # check_rules let numbers pass only
    if isinstance(node, ast.Name):
        return metrics.get(node.id)
    if isinstance(node, ast.BoolOp):
        return _logic(node, metrics)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, metrics)
        return None if value is None else (not value if isinstance(node.op, ast.Not) else -value)
    if isinstance(node, ast.BinOp):
        return _arithmetic(node, metrics)
    assert isinstance(node, ast.Compare)
    return _comparison(node, metrics)


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
    return _ARITHMETIC[type(node.op)](left, right)


def _comparison(node: ast.Compare, metrics: Mapping[str, float | None]) -> bool | None:
    values = [_value(part, metrics) for part in (node.left, *node.comparators)]
    if None in values:
        return None
    return all(_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, values, values[1:], strict=False))
