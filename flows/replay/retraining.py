"""While a retraining is pending the virtual clock waits; a wake-up that was lost is made up for."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from flows.replay.errors import ReplayStuck
from flows.replay.live import Live
from flows.replay.patience import Told
from registry.records.retraining import RetrainingEvent

DEPLOYMENT = "retrain/retrain-on-demand"
NO_RUN_AFTER = 20.0
PENDING_TOO_LONG = 90.0
LONGEST = 1800.0
ATTEMPTS = 4

Next = Literal["wait", "start", "give_up_pending", "fail"]


class Run(NamedTuple):
    """
    A flow run that belongs to one retraining event.

    Attributes:
        state: Type of its state, e.g. "RUNNING"; "NONE" when there is no run.
        age: Seconds since its state changed, or since the event when there is no run.
        attempts: Runs of this event so far.
    """

    state: str
    age: float
    attempts: int


def next_action(run: Run, waited: float) -> Next:
    """
    Decide what a waiting replay does about a retraining event that is not completed.

    Example:
        >>> next_action(Run("NONE", 25.0, 0), waited=25.0)
        'start'
        >>> next_action(Run("RUNNING", 200.0, 1), waited=200.0)
        'wait'
    """
    if waited > LONGEST:
        return "fail"
    if run.state == "NONE":
        return "start" if run.age > NO_RUN_AFTER else "wait"
    if run.state in ("CRASHED", "FAILED", "CANCELLED"):
        return "start" if run.attempts < ATTEMPTS else "fail"
    if run.state == "COMPLETED":
        return "start" if run.age > NO_RUN_AFTER and run.attempts < ATTEMPTS else "wait"
    return "give_up_pending" if run.state == "PENDING" and run.age > PENDING_TOO_LONG else "wait"


def settle(
    live: Live,
    told: Told,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[RetrainingEvent]:
    """
    Wait until no retraining of the model is pending.

    Returns:
        Those that were waited for, completed.

    Raises:
        ReplayStuck: If one does not complete in half an hour, or its runs die again and again.
    """
    done = []
    while (event := pending(live)) is not None:
        told(f"retraining {event.id}: {event.trigger_reason}")
        done.append(_settle(live, event, told, clock, sleep))
    return done


def pending(live: Live) -> RetrainingEvent | None:
    """Return the oldest retraining event that is neither done nor failed."""
    found = [event for event in live.registry.retraining_events(live.model) if is_pending(event)]
    return found[-1] if found else None


def is_pending(event: RetrainingEvent) -> bool:
    """Whether nothing has come of it yet."""
    return event.completed_at is None and event.execution_successful is None


def _settle(
    live: Live, event: RetrainingEvent, told: Told, clock: Callable[[], float], sleep: Callable[[float], None]
) -> RetrainingEvent:
    began = clock()
    while is_pending(now := live.registry.retraining_event(event.id)):
        run, identity = _telling_run(live, event, clock() - began)
        action = next_action(run, clock() - began)
        if action == "fail":
            raise _stuck(event, run)
        if action == "give_up_pending":
            told(f"run {identity} never started; it is given up")
            _crash(live, identity)
        elif action == "start":
            told(f"no living run for {event.id} ({run.state.lower()}); starting one")
            _start(live, event)
            sleep(2.0)
        sleep(1.0)
    return now


def runs_of(live: Live, event_id: str) -> list[Any]:
    """Flow runs of one retraining event, newest first."""
    return [run for run in _retrain_runs(live) if run.parameters.get("event_id") == event_id]


def _retrain_runs(live: Live) -> list[Any]:
    def ask(client: Any) -> list[Any]:
        from prefect.client.schemas.filters import FlowFilter, FlowFilterName
        from prefect.client.schemas.sorting import FlowRunSort

        flows = FlowFilter(name=FlowFilterName(any_=["retrain"]))
        found: list[Any] = client.read_flow_runs(
            flow_filter=flows, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=100
        )
        return found

    return live.prefect(ask)


def telling(states: Sequence[str]) -> int:
    """
    Choose the run that says how a retraining is doing.

    A run that goes on comes first. Next one that is about to: if its worker was killed, it keeps
    Prefect's concurrency slot, and every newer run waits behind it for nothing.

    Args:
        states: Types of the states of all runs, newest run first; at least one.

    Example:
        >>> telling(["SCHEDULED", "PENDING", "CRASHED"]), telling(["CRASHED", "COMPLETED"])
        (1, 0)
    """
    return next((states.index(state) for state in ("RUNNING", "PENDING") if state in states), 0)


def _telling_run(live: Live, event: RetrainingEvent, waited: float) -> tuple[Run, Any]:
    from datetime import UTC, datetime

    runs = runs_of(live, event.id)
    if not runs:
        return Run("NONE", waited, 0), None
    chosen = runs[telling([run.state.type.value for run in runs])]
    age = (datetime.now(UTC) - chosen.state.timestamp).total_seconds()
    return Run(chosen.state.type.value, age, len(runs)), chosen.id


def _start(live: Live, event: RetrainingEvent) -> None:
    from prefect.deployments import run_deployment

    parameters = {
        "model": event.model,
        "event_id": event.id,
        "trigger": event.trigger_type,
        "reason": event.trigger_reason,
        "as_of": event.triggered_at.isoformat(),
    }
    live.prefect(lambda _: run_deployment(DEPLOYMENT, parameters=parameters, timeout=0, as_subflow=False))


def _crash(live: Live, identity: Any) -> None:
    def give_up(client: Any) -> Any:
        from prefect.states import Crashed

        return client.set_flow_run_state(identity, Crashed(message="It never started."), force=True)

    live.prefect(give_up)


def _stuck(event: RetrainingEvent, run: Run) -> ReplayStuck:
    return ReplayStuck(
        f"Retraining {event.id} does not come to an end.",
        f"Its newest run is {run.state.lower()}, after {run.attempts} runs.",
        "Look at the run in the Prefect UI and at the worker's log, then go on with --resume.",
    )
