"""Answer rows: each its own key, its own decision; a challenger's failure is the champion's answer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from registry.assignment import Assignment
from registry.eventlog.events import Predicted
from registry.records.plan import CHAMPION
from router.classes import logged
from router.decode import Row, encodable
from router.errors import RouterError
from router.models import Answers, Loaded, Snapshot, reason_of
from router.pace import Pace, joined


class NoAnswer(RouterError):
    """The champion failed; callers get an error, never a silent promotion."""

    status = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one group of rows got."""

    served: str
    scores: Sequence[float | None]
    predictions: Sequence[Any]
    latency_ms: float
    error: str | None = None


Group = tuple[str, list[int]]
PIECE = 200
"""Rows that are worked on before others have their turn."""


async def answer(
    snapshot: Snapshot,
    rows: Sequence[Row],
    *,
    clock: Callable[[], float],
    new_id: Callable[[], str],
    pace: Pace | None = None,
) -> list[Predicted]:
    """
    Score all rows by one snapshot; rows of different variants at the same time.

    Args:
        pace: How long work is done; many rows are.

    Returns:
        One event per row, in order; failed ones say so.
    """
    pace, deal = pace or Pace(), snapshot.plan.dealer.deal
    assignments = joined(await pace.each(rows, PIECE, lambda piece: [deal(row.key) for row in piece]))
    indices: dict[str, list[int]] = {}
    for index, assignment in enumerate(assignments):
        indices.setdefault(assignment.variant, []).append(index)
    groups = list(indices.items())
    outcomes = await _together(snapshot, rows, groups)
    events: list[Any] = [None] * len(rows)
    for (variant, places), outcome in zip(groups, outcomes, strict=True):
        told = _Teller(snapshot, variant, outcome, clock, new_id)

        def tell(piece: Sequence[tuple[int, int]], told: _Teller = told) -> None:
            for place, i in piece:
                events[i] = told.event(rows[i], assignments[i], place)

        await pace.each(list(enumerate(places)), PIECE, tell)
    return events


async def _together(snapshot: Snapshot, rows: Sequence[Row], groups: list[Group]) -> list[Outcome]:
    asked = [(variant, [rows[i].features for i in indices]) for variant, indices in groups]
    if len(asked) == 1:
        return [await _served(snapshot, *asked[0])]
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(_served(snapshot, variant, features)) for variant, features in asked]
    return [task.result() for task in waiting]


async def _served(snapshot: Snapshot, variant: str, features: list[dict[str, Any]]) -> Outcome:
    """What a variant says, or else the champion in the same request."""
    if variant == CHAMPION:
        return await _champion(snapshot.champion, features)
    outcome = await _challenger(snapshot, variant, features)
    if outcome.error is None:
        return outcome
    backup = await _champion(snapshot.champion, features)
    return Outcome(CHAMPION, backup.scores, backup.predictions, outcome.latency_ms, outcome.error)


async def _challenger(snapshot: Snapshot, variant: str, features: list[dict[str, Any]]) -> Outcome:
    if snapshot.stopped is not None:
        return _nothing(variant, "stopped")
    breaker = snapshot.breakers[variant]
    if not breaker.allows():
        return _nothing(variant, "breaker_open")
    try:
        outcome = await _proven(variant, snapshot.loaded[variant], features, snapshot.plan.guards.deadline_ms)
    except BaseException:
        breaker.failed()  # a request that was given up must not leave its probe open for ever
        raise
    if outcome.error is None:
        breaker.succeeded()
    else:
        breaker.failed()
    return outcome


async def _proven(variant: str, loaded: Loaded, features: list[dict[str, Any]], deadline_ms: float) -> Outcome:
    started = time.perf_counter()
    try:
        scores, predictions = await _by_deadline(loaded, features, deadline_ms)
    except TimeoutError:
        return _nothing(variant, "deadline", deadline_ms)
    except Exception as error:  # noqa: BLE001 - whatever it is, the champion answers
        return _nothing(variant, reason_of(error), _since(started))
    spent = _since(started)
    if spent > deadline_ms:
        return _nothing(variant, "deadline", deadline_ms)
    return Outcome(variant, scores, predictions, spent)


async def _by_deadline(loaded: Loaded, features: list[dict[str, Any]], deadline_ms: float) -> Answers:
    remote = loaded.remote
    if remote is not None:
        return loaded.proven(await remote.ask(features, deadline_ms=deadline_ms), len(features))
    if loaded.quick(len(features)):
        return loaded.prove(features)
    # Its own single thread: a hung challenger hangs nobody else.
    work = asyncio.get_running_loop().run_in_executor(loaded.pool, loaded.prove, features)
    done, _ = await asyncio.wait({work}, timeout=deadline_ms / 1000)
    if not done:
        work.cancel()
        work.add_done_callback(_forget)
        raise TimeoutError
    return work.result()


async def _champion(loaded: Loaded, features: list[dict[str, Any]]) -> Outcome:
    started = time.perf_counter()
    try:
        scores, predictions = await _certain(loaded, features)
    except Exception as error:  # noqa: BLE001 - told to the caller as an error with its prediction id
        nothing = [None] * len(features)
        return Outcome(CHAMPION, nothing, nothing, _since(started), f"champion_{reason_of(error)}")
    return Outcome(CHAMPION, scores, predictions, _since(started))


async def _certain(loaded: Loaded, features: list[dict[str, Any]]) -> Answers:
    remote = loaded.remote
    if remote is not None:
        return loaded.checked(await remote.ask(features, retry=True), len(features))
    if loaded.quick(len(features)):
        return loaded.answer(features)
    try:
        work = asyncio.get_running_loop().run_in_executor(loaded.desk, loaded.answer, features)
    except RuntimeError:  # the machine has no thread left; a slow answer is better than none
        return loaded.answer(features)
    return await work


def _nothing(variant: str, error: str, latency_ms: float = 0.0) -> Outcome:
    return Outcome(variant, (), (), latency_ms, error)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


class _Teller:
    """What is the same in all events of one group."""

    def __init__(
        self, snapshot: Snapshot, variant: str, outcome: Outcome, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        plan = snapshot.plan
        self._plan, self._variant, self._outcome, self._clock, self._new_id = plan, variant, outcome, clock, new_id
        self._assigned_version, self._version = plan.version_of(variant), plan.version_of(outcome.served)
        self._weight, self._latency_ms = plan.weight_of(variant), round(outcome.latency_ms, 4)

    def event(self, row: Row, assignment: Assignment, place: int) -> Predicted:
        plan, outcome, served = self._plan, self._outcome, self._outcome.served
        score = outcome.scores[place]
        prediction, probabilities = logged(outcome.predictions[place])
        return Predicted(
            model=plan.model,
            id=row.id or self._new_id(),
            key=_key(row.key),
            time=row.time if row.time is not None else self._clock(),
            features=row.features,
            assigned=self._variant,
            served=served,
            assigned_version=self._assigned_version,
            version=self._version,
            epoch=plan.epoch,
            phase=plan.phase,
            enrolled=assignment.enrolled,
            reason=assignment.reason,
            score=score,
            prediction=prediction,
            probabilities=probabilities,
            latency_ms=self._latency_ms,
            error=outcome.error,
            failed=score is None,
            place=place,
            shadows=plan.shadows if served == CHAMPION and assignment.reason != "forced" else (),
            weight=self._weight if assignment.enrolled else None,
        )


def _key(key: Any) -> str | None:
    if isinstance(key, bool) or not isinstance(key, str | int):
        return None
    text = str(key)
    return text if text and encodable(text) else None


def _forget(work: "asyncio.Future[Any]") -> None:
    if not work.cancelled():
        work.exception()
