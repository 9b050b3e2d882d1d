"""What people are told; of a rollout that somebody has steered: who wanted it and why stays in the audit trail."""

from datetime import UTC, datetime

from registry.assignment import TOTAL
from registry.records.notice import Level, Notice
from registry.records.rollout import Rollout

STEERED = "understudy.rollout.steered"
"""Event of Prefect by which commands and admin port let the flows hear that people steered a rollout."""


def new_notice(
    kind: str,
    title: str,
    body: str,
    *,
    model: str,
    key: str,
    level: Level = "info",
    at: datetime | None = None,
) -> Notice:
    """
    Make a notice that may be sent at once.

    Args:
        kind: What happened, e.g. "rollout.promoted".
        title, body: Plain text without data of anybody.
        model: Whose people hear it; empty tells those of every model.
        key: Names what happened once; the same key is never told again.
        level: How loud.
        at: On the clock of the machine, whatever time the model lives in; now if absent.

    Raises:
        InvalidRecord: If key, kind or title is empty.
    """
    now = at or datetime.now(UTC)
    return Notice(key=key, model=model, kind=kind, title=title, body=body, level=level, created_at=now, next_at=now)


def steered(rollout: Rollout) -> tuple[Notice, ...]:
    """
    Say what became of *rollout* by a person's hand, to be committed together with it.

    Args:
        rollout: As it is after the change.
    """
    model, challenger = rollout.model, rollout.challenger
    if rollout.status == "succeeded":
        body = f"{rollout.id}: a person took the last step. The way back: `understudy rollback {model} --reason ...`."
        return (_notice(rollout, "promote", "rollout.promoted", f"{challenger} is the champion", body, "success"),)
    if rollout.status == "aborted":
        body = f"{rollout.id}: a person ended it. {rollout.champion} stays the champion."
        return (
            _notice(rollout, "abort", "rollout.aborted", f"the rollout of {challenger} was ended", body, "warning"),
        )
    body = f"{rollout.id} {_where(rollout)}, as a person wanted it. See: `understudy rollout status {model}`."
    return (_notice(rollout, "steer", "rollout.moved", f"the rollout of {challenger} was steered", body, "info"),)


def _where(rollout: Rollout) -> str:
    if rollout.status == "paused":
        return "is paused"
    if rollout.status == "waiting_approval":
        return "waits for approval"
    share = rollout.steps[rollout.step].share if rollout.step >= 0 else 0
    return f"goes on with {share / TOTAL:.0%} of callers" if share else "goes on in shadow"


def _notice(rollout: Rollout, verb: str, kind: str, title: str, body: str, level: Level) -> Notice:
    key = f"{rollout.id}:{verb}:{rollout.revision}"
    return new_notice(kind, f"{rollout.model}: {title}", body, model=rollout.model, key=key, level=level)
