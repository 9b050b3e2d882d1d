"""What callers send, and what they are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

Features = Mapping[str, Any] | Sequence[Any]
Moment = float | datetime | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One row of a batch.

    Attributes:
        features: By name, or by position. None and NaN are missing.
        key: The caller's stable id; it decides which variant answers.
        id: Your own prediction id; one is made if absent, so that asking again counts once.
        time: When it is asked for; now if absent.
    """

    features: Features
    key: str | int | None = None
    id: str | None = None
    time: Moment = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """
    One prediction.

    Attributes:
        prediction: The class (its name, of several), or the value; None if the champion failed.
        score: The probability of 1, of the predicted class of several, or the value; None if the champion failed.
        probabilities: Of every class by name, if there are several.
        variant: Who answered.
        assigned: Whom the key belongs to.
        prediction_id: Send it back with the outcome.
        reason: Why this variant; docs/http-api.md lists them.
    """

    prediction: float | int | str | None
    score: float | None
    variant: str
    assigned: str
    model_version: str
    epoch: int
    prediction_id: str
    reason: str
    probabilities: dict[str, float] = {}

    @property
    def fell_back(self) -> bool:
        """Whether the champion answered instead of the variant that the key belongs to."""
        return self.variant != self.assigned

    @property
    def failed(self) -> bool:
        """Whether nobody could answer this row."""
        return self.score is None


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of a prediction.

    Attributes:
        value: The label (of several classes the name or the number), or the value of a KPI.
        prediction_id: Of the prediction. Or give key: the newest prediction of that key.
        metric: "label", or the name of a KPI.
        time: When it was observed; now if absent.
        id: Your own idempotency key; by default made of prediction (or key and time) and metric.
    """

    value: float | str
    prediction_id: str | None = None
    key: str | int | None = None
    metric: str = "label"
    time: Moment = None
    id: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """
    What happened to one outcome.

    Attributes:
        status: "accepted" is on disk; "duplicate" was known; "conflict": another value was first and is kept;
            "invalid": refused, see said.
    """

    status: Literal["accepted", "duplicate", "conflict", "invalid"]
    said: str = ""

    @property
    def kept(self) -> bool:
        """Whether the router knows this outcome."""
        return self.status in ("accepted", "duplicate")
