"""The flow `alert`: tell people of runs that crashed, failed or are late; each once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.config.forms import RunId
from flows.notify.messages import Message, run_crashed, run_late
from flows.notify.outbox import notice_of as noted
from flows.notify.tell import tell_notice
from flows.ops.runs import LATE, MOST, SAFE, TOLD, Seen, find_run, runs_in
from registry.home import Settings
from registry.records.notice import Notice
from registry.store.registry import Registry

_BACK = timedelta(days=1)
_NEXT_COMES = frozenset({"rollout", "watch"})
_TELLS_ITSELF = frozenset({"retrain"})
BAD = ("Crashed", "Failed", "TimedOut", LATE)
"""Names of the states of which people hear."""


@flow(name="alert", timeout_seconds=300)
def alert(run: RunId | None = None) -> State[list[str]]:
    """
    Tell people of a run that crashed, failed or is late.

    Args:
        run: Id of the flow run; all such runs of the last day if empty. What was told before is not told again.

    Returns:
        Titles of what was told.
    """
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        found = [find_run(client, UUID(run))] if run else runs_in(client, BAD, now - _BACK)
    settings = Settings().prepare()
    with Registry.open(settings.registry_url) as registry:
        told = tell_of(settings, registry, found, now)
    said = "; ".join(told) or "There is nothing to tell."
    get_run_logger().info("%s", said)
    return Completed(message=said, data=told)


def tell_of(settings: Settings, registry: Registry, found: Iterable[Seen], now: datetime) -> list[str]:
    """Write down what people must hear of *found*, and let it be sent; returns the titles."""
    notices = [notice for one in found if TOLD in one.tags and (notice := notice_of(one, now)) is not None]
    for notice in notices:
        tell_notice(settings, registry, notice)
    return [notice.title for notice in notices]


def notice_of(run: Seen, now: datetime) -> Notice | None:
    """
    Say what is wrong with *run*; None if nothing is.

    A crash is told once per run; failures and lateness once a day for each deployment and model, because they repeat
    themselves with every schedule. A run that has begun meanwhile was late all the same: whoever tells of it may have
    waited for the same worker. Who mistypes a form reads the refusal on its page, and nobody else is told.
    """
    said = _said(run, now)
    return None if said is None else noted(said[1], model=run.model, key=said[0], at=now)


def _said(run: Seen, now: datetime) -> tuple[str, Message] | None:
    daily = f"{run.deployment_name}:{run.model}:{now:%Y-%m-%d}"
    if run.kind == "CRASHED":
        return f"run.crashed:{run.id}", run_crashed(run.model, run.flow, page(run), what_follows(run))
    if run.kind == "FAILED" and run.flow not in _TELLS_ITSELF and not (run.by_hand and run.was_refused):
        return f"run.failed:{daily}", _failed(run)
    if run.late and run.due is not None:
        minutes = (now - run.due) / timedelta(minutes=1)
        return f"run.late:{daily}", run_late(run.model, run.flow, page(run), minutes)
    return None


def page(run: Seen) -> str:
    """Where Prefect shows it; its name is not told, because whoever started it may have written anything there."""
    return f"{Settings().prefect_api_url.removesuffix('/api')}/runs/flow-run/{run.id}"


def what_follows(run: Seen) -> str:
    """Say what becomes of a crashed run."""
    if run.flow in _NEXT_COMES:
        return "The next look, a few minutes later, goes on where it was."
    if SAFE not in run.tags:
        return "Nobody repeats it by itself: look what it has done, then start it again."
    if run.generation >= MOST:
        return f"It was taken up {MOST} times already and is not again: its log says what ends it."
    return "It is taken up again, where it was."


def _failed(run: Seen) -> Message:
    title = f"{run.model}: a run of {run.flow} failed" if run.model else f"A run of {run.flow} failed"
    said = "It took too long (TimedOut)." if run.state == "TimedOut" else "It ended with an error."
    body = f"{said} Its page says why: {page(run)}"
    return Message(kind="run.failed", title=title, body=body, level="failure")
