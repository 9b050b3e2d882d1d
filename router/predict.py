"""Answer rows: each its own key, its own decision; a challenger's failure is the champion's answer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from registry.assignment import Assignment
from registry.eventlog.events import Predicted
from registry.records.plan import CHAMPION
from router.decode import Row, encodable
from router.errors import RouterError
from router.models import Loaded, Snapshot, reason_of


class NoAnswer(RouterError):
    """The champion failed; callers get an error, never a silent promotion."""

    status = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one group of rows got from one variant."""

    scores: Sequence[float | None]
    predictions: Sequence[Any]
    latency_ms: float
    error: str | None = None


async def answer(
    snapshot: Snapshot, rows: Sequence[Row], *, clock: Callable[[], float], new_id: Callable[[], str]
) -> list[Predicted]:
    """
    Score all rows by one snapshot.

    Returns:
        One event per row, in order; failed ones say so.
    """
    assignments = [snapshot.plan.assign(row.key) for row in rows]
    groups: dict[str, list[int]] = {}
    for index, assignment in enumerate(assignments):
        groups.setdefault(assignment.variant, []).append(index)
    events: list[Predicted | None] = [None] * len(rows)
    for variant, indices in groups.items():
        outcome = await _ask(snapshot, variant, [rows[i].features for i in indices])
        served = variant
        if outcome.error is not None and variant != CHAMPION:
            served = CHAMPION
            backup = _champion(snapshot, [rows[i].features for i in indices])
            outcome = Outcome(backup.scores, backup.predictions, outcome.latency_ms, outcome.error)
        for place, i in enumerate(indices):
            events[i] = _event(snapshot, rows[i], assignments[i], served, outcome, place, clock, new_id)
    return [event for event in events if event is not None]


async def _ask(snapshot: Snapshot, variant: str, features: list[dict[str, Any]]) -> Outcome:
    if variant == CHAMPION:
        return _champion(snapshot, features)
    if snapshot.stopped is not None:
        return Outcome((), (), 0.0, "stopped")
    breaker = snapshot.breakers[variant]
    if not breaker.allows():
        return Outcome((), (), 0.0, "breaker_open")
    try:
        outcome = await _challenger(snapshot.loaded[variant], features, snapshot.plan.guards.deadline_ms)
    except BaseException:
        breaker.failed()  # a request that was given up must not leave its probe open for ever
        raise
    if outcome.error is None:
        breaker.succeeded()
    else:
        breaker.failed()
    return outcome


async def _challenger(loaded: Loaded, features: list[dict[str, Any]], deadline_ms: float) -> Outcome:
    started = time.perf_counter()
    try:
        # Its own single thread: a hung challenger hangs nobody else.
        work = asyncio.get_running_loop().run_in_executor(loaded.pool, loaded.prove, features)
    except RuntimeError:  # the machine has no thread left
        return Outcome((), (), 0.0, "raised")
    done, _ = await asyncio.wait({work}, timeout=deadline_ms / 1000)
    spent = (time.perf_counter() - started) * 1000
    if not done:
        work.cancel()
        work.add_done_callback(_forget)
        return Outcome((), (), deadline_ms, "deadline")
    error = work.exception()
    if error is not None:
        return Outcome((), (), spent, reason_of(error))
    scores, predictions = work.result()
    return Outcome(scores, predictions, spent)


def _champion(snapshot: Snapshot, features: list[dict[str, Any]]) -> Outcome:
    started = time.perf_counter()
    try:
        scores, predictions = snapshot.champion.answer(features)
    except Exception as error:  # noqa: BLE001 - told to the caller as an error with its prediction id
        nothing = [None] * len(features)
        return Outcome(nothing, nothing, (time.perf_counter() - started) * 1000, f"champion_{reason_of(error)}")
    return Outcome(scores, predictions, (time.perf_counter() - started) * 1000)


def _event(
    snapshot: Snapshot,
    row: Row,
    assignment: Assignment,
    served: str,
    outcome: Outcome,
    place: int,
    clock: Callable[[], float],
    new_id: Callable[[], str],
) -> Predicted:
    plan = snapshot.plan
    score = outcome.scores[place]
    return Predicted(
        model=plan.model,
        id=row.id or new_id(),
        key=_key(row.key),
        time=row.time if row.time is not None else clock(),
        features=row.features,
        assigned=assignment.variant,
        served=served,
        assigned_version=plan.version_of(assignment.variant),
        version=plan.version_of(served),
        epoch=plan.epoch,
        phase=plan.phase,
        enrolled=assignment.enrolled,
        reason=assignment.reason,
        score=score,
        prediction=outcome.predictions[place],
        latency_ms=round(outcome.latency_ms, 4),
        error=outcome.error,
        failed=score is None,
        place=place,
        shadows=plan.shadows if served == CHAMPION and assignment.reason != "forced" else (),
        weight=plan.weight_of(assignment.variant) if assignment.enrolled else None,
    )


def _key(key: Any) -> str | None:
    if isinstance(key, bool) or not isinstance(key, str | int):
        return None
    text = str(key)
    return text if text and encodable(text) else None


def _forget(work: "asyncio.Future[Any]") -> None:
    if not work.cancelled():
        work.exception()
