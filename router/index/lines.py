"""Lines of the event log as the index wants them: in the order of its columns, nested values left as JSON."""

from collections.abc import Iterable

import msgspec


class PredictedLine(msgspec.Struct, frozen=True, kw_only=True, tag="predicted", gc=False):
    """A `Predicted`; fields stand in the order of the table's columns."""

    id: str
    model: str
    key: str | None
    time: float
    features: msgspec.Raw
    assigned: str
    served: str
    assigned_version: str
    version: str
    epoch: int
    phase: str
    enrolled: bool
    reason: str
    score: float | None
    prediction: float | None
    latency_ms: float
    error: str | None = None
    failed: bool = False
    place: int = 0
    shadows: msgspec.Raw = msgspec.Raw(b"[]")
    weight: int | None = None


class ObservedLine(msgspec.Struct, frozen=True, tag="observed", gc=False):
    """An `Observed`; fields stand in the order of the columns of what waits."""

    id: str
    model: str
    metric: str
    value: float
    time: float
    prediction_id: str | None = None
    key: str | None = None


class ShadowedLine(msgspec.Struct, frozen=True, kw_only=True, tag="shadowed", gc=False):
    """A `Shadowed`; fields stand in the order of the table's columns."""

    id: str
    version: str
    model: str
    score: float | None = None
    prediction: float | None = None
    latency_ms: float = 0.0
    dropped: str | None = None
    error: str | None = None


Line = PredictedLine | ObservedLine | ShadowedLine
_decoder = msgspec.json.Decoder(Line)


def decoded(payloads: Iterable[bytes]) -> tuple[list[Line], int]:
    """Lines, and how many made no sense."""
    lines, torn = [], 0
    for payload in payloads:
        try:
            lines.append(_decoder.decode(payload))
        except (ValueError, msgspec.DecodeError):
            torn += 1
    return lines, torn
