"""
What a rule's condition may say: a small, safe language over named metrics.

Names, numbers, + - * /, comparisons, and, or, not.
"""

import ast
import math
from collections.abc import Collection, Iterator

from flows.config.detection import fusion, joint, performance, season, streams

_OWN = {
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
METRICS = _OWN | season.METRICS | joint.METRICS | streams.METRICS | performance.METRICS | fusion.METRICS
LONGEST = 500  # characters: nothing that short is nested too deeply to be read
_OPERATORS = (
    *(ast.And, ast.Or, ast.Not, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)
_PLAIN = (ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Load, *_OPERATORS)


def parsed(condition: str) -> ast.expr:
    """
    Read a condition.

    Raises:
        SyntaxError: If it is none.
    """
    return ast.parse(condition.strip(), mode="eval").body


def condition_mistakes(condition: str, known: Collection[str]) -> list[str]:
    """
    All that is wrong with a condition.

    Args:
        condition: As written.
        known: Metrics that it may name.
    """
    if len(condition) > LONGEST:
        return [f"the condition has {len(condition)} characters, {LONGEST} are allowed"]
    try:
        tree = parsed(condition)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [f"{condition!r} is no condition such as 'error_increase > 0.15'"]
    return list(dict.fromkeys(_wrong(tree, known)))


def _wrong(tree: ast.expr, known: Collection[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id not in known:
                yield f"unknown metric {node.id!r}"
        elif isinstance(node, ast.Constant):
            if not _is_number(node.value):
                yield f"{ast.unparse(node)} is no number"
        elif isinstance(node, ast.operator | ast.unaryop | ast.cmpop) and not isinstance(node, _OPERATORS):
            yield f"the operator {type(node).__name__} is not allowed"
        elif isinstance(node, ast.expr) and not isinstance(node, _PLAIN):
            yield f"{ast.unparse(node)!r} is not allowed"


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
