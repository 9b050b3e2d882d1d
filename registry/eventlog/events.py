"""What the event log holds; one line each."""

from typing import Any

import msgspec


class Predicted(msgspec.Struct, frozen=True, kw_only=True, tag="predicted", omit_defaults=True):
    """
    One answered request.

    Attributes:
        time: Event time, epoch seconds.
        assigned: Variant drawn; served: variant that answered; they differ on fallback.
        latency_ms: Of the assigned variant's own answer; the deadline when it was late.
        error: Why the assigned variant did not answer itself.
        place: Position among the rows scored together; latency counts once per group.
        failed: Nobody answered: the caller got an error.
        weight: Propensity of the assigned variant, parts per million; None where the key was not dealt.
        prediction: The value; or a class: 0 or 1, or the number of one of several.
        probabilities: Of every class, in the order of the version's; None unless there are several.
    """

    model: str
    id: str
    key: str | None
    time: float
    features: dict[str, Any]
    assigned: str
    served: str
    assigned_version: str
    version: str
    epoch: int
    phase: str
    enrolled: bool
    reason: str
    score: float | None
    prediction: float | int | None
    latency_ms: float
    error: str | None = None
    failed: bool = False
    place: int = 0
    shadows: tuple[str, ...] = ()
    weight: int | None = None
    probabilities: tuple[float, ...] | None = None


class Observed(msgspec.Struct, frozen=True, kw_only=True, tag="observed", omit_defaults=True):
    """One outcome, as it was acknowledged."""

    model: str
    id: str
    prediction_id: str | None = None
    key: str | None = None
    metric: str
    value: float
    time: float


class Shadowed(msgspec.Struct, frozen=True, kw_only=True, tag="shadowed", omit_defaults=True):
    """What became of one copy: scored, or dropped or failed with its reason."""

    model: str
    id: str
    version: str
    score: float | None = None
    prediction: float | int | None = None
    latency_ms: float = 0.0
    dropped: str | None = None
    error: str | None = None


Event = Predicted | Observed | Shadowed
