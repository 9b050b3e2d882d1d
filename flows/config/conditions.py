"""
What a rule's condition may say: a small, safe language over named metrics.

Names, numbers, + - * /, comparisons, and, or, not, abs(x), min(x, ...), max(x, ...).
"""

import ast
import difflib
import math
import warnings
from collections.abc import Collection, Iterator

from flows.config.detection import cadence, fusion, joint, performance, season, streams

_OWN = {
    "rows": "rows in the newest window",
    "labelled": "labelled rows in the error windows",
    "drifted_features": "features that drifted",
    "high_drift_features": "features with a PSI beyond threshold and noise",
    "max_psi": "largest PSI",
    "max_ks": "largest Kolmogorov-Smirnov D or Cramer's V",
    "outlier_share": "largest share of outliers of a feature",
    "missing_increase": "largest rise of the share of missing values",
    "prediction_drift": "1 if the champion's scores drifted against those of its holdout, else 0",
    "label_drift": "1 if the labels drifted, else 0",
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
METRICS = (
    _OWN | season.METRICS | joint.METRICS | streams.METRICS | performance.METRICS | fusion.METRICS | cadence.METRICS
)
LONGEST = 500  # characters: nothing that short is nested too deeply to be read
FUNCTIONS = ("abs", "max", "min")
_OPERATORS = (
    *(ast.And, ast.Or, ast.Not, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)
_PLAIN = (ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare)


def parsed(condition: str) -> ast.expr:
    """
    Read a condition; line ends are blanks.

    Raises:
        SyntaxError: If it is none.
    """
    plain = condition.replace("\n", " ").replace("\r", " ").strip()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of "1or 2", which is read, if not liked
        return ast.parse(plain, mode="eval").body


def condition_mistakes(condition: str, known: Collection[str]) -> list[str]:
    """
    All that is wrong with a condition, with the column of each mistake, counted from 1.

    Args:
        condition: As written.
        known: Metrics that it may name.
    """
    if len(condition) > LONGEST:
        return [f"the condition has {len(condition)} characters, {LONGEST} are allowed"]
    blanks = len(condition) - len(condition.lstrip())
    try:
        tree = parsed(condition)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or len(condition.strip()) + 1
        return [f"{condition!r} is no condition such as 'error_increase > 0.15' (column {column + blanks})"]
    places = _Places(condition.strip(), blanks)
    return list(dict.fromkeys(f"{what}{places.of(node)}{more}" for node, what, more in _wrong(tree, known)))


class _Places:
    """Where in the text a node stands; the tree counts bytes, people count characters."""

    def __init__(self, text: str, blanks: int) -> None:
        self.raw, self.blanks = text.encode(errors="replace"), blanks

    def of(self, node: ast.expr) -> str:
        return f" at column {len(self.raw[: node.col_offset].decode(errors='ignore')) + self.blanks + 1}"


def _wrong(tree: ast.expr, known: Collection[str]) -> Iterator[tuple[ast.expr, str, str]]:
    """Node, what is wrong with it, and what might have been meant."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in called:
            yield from ((node, what, more) for what, more in _wrong_node(node, known))


def _wrong_node(node: ast.expr, known: Collection[str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Name):
        if node.id not in known:
            yield f"unknown metric {node.id!r}", _meant(node.id, known)
    elif isinstance(node, ast.Constant):
        if not _is_number(node.value):
            yield f"{ast.unparse(node)} is no number", ""
    elif isinstance(node, ast.Call):
        yield from _wrong_call(node)
    elif isinstance(node, _PLAIN):
        yield from ((f"the operator {name} is not allowed", "") for name in _foreign_operators(node))
    else:
        yield f"{ast.unparse(node)!r} is not allowed", ""


def _meant(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _wrong_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    if not isinstance(node.func, ast.Name):
        yield f"{ast.unparse(node)!r} is not allowed", ""
    elif node.func.id not in FUNCTIONS:
        yield f"unknown function {node.func.id!r}", f", there are {', '.join(FUNCTIONS)}"
    elif node.keywords or len(node.args) < 1 or (node.func.id == "abs" and len(node.args) > 1):
        yield f"{ast.unparse(node)!r} has the wrong arguments", ""


def _foreign_operators(node: ast.expr) -> Iterator[str]:
    found = [getattr(node, "op", None), *getattr(node, "ops", ())]
    return (type(one).__name__ for one in found if one is not None and not isinstance(one, _OPERATORS))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
