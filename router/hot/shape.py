"""What stays the same in answers and log lines of one variant under one plan, encoded once."""

from typing import Any, Final, NamedTuple

import msgspec

from registry.assignment import usable_key
from registry.records.plan import CHAMPION, TrafficPlan
from registry.records.version import Task
from router.hot.arms import CAPACITY

_encode = msgspec.json.encode
PLACES: Final = tuple(b"%d}" % place for place in range(CAPACITY))
"""Ends of log lines, by the place among the rows that were scored together."""


class Shape(NamedTuple):
    """
    The constant parts.

    Attributes:
        answer: Between the score and the prediction id of an answer, which is its last field.
        line: First fields of the line in the event log.
    """

    answer: bytes
    line: bytes


def shape_of(plan: TrafficPlan, assigned: str, served: str, *, enrolled: bool, reason: str, error: str | None) -> Shape:
    """Encode what follows from plan, variants and reason."""
    answer = {
        "variant": served,
        "assigned": assigned,
        "model_version": plan.version_of(served),
        "epoch": plan.epoch,
        "reason": error or reason,
    }
    line = {
        "type": "predicted",
        "model": plan.model,
        "assigned": assigned,
        "served": served,
        "assigned_version": plan.version_of(assigned),
        "version": plan.version_of(served),
        "epoch": plan.epoch,
        "phase": plan.phase,
        "enrolled": enrolled,
        "reason": reason,
    }
    if error is not None:
        line["error"] = error
    if plan.shadows and served == CHAMPION and reason != "forced":
        line["shadows"] = plan.shadows
    if enrolled:
        line["weight"] = plan.weight_of(assigned)
    return Shape(b"," + _encode(answer)[1:-1] + b',"prediction_id":', _encode(line)[:-1])


def predictions_of(scores: list[float], encoded: list[bytes], task: Task, threshold: float) -> list[bytes]:
    """What callers are told, as JSON: the class of a binary score, else the score itself."""
    if task == "regression":
        return encoded
    return [b"1" if score >= threshold else b"0" for score in scores]


def key_of(key: Any) -> bytes:
    """The key in a log line, as JSON: text, or an integer as decimal text; null if it cannot be dealt."""
    text = usable_key(key)[0]
    return b"null" if text is None else _encode(text)
