"""The flow `recover`: what a crashed run was doing is taken up again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed

from flows.config.forms import RunId
from flows.ops.alert import BAD, tell_of
from flows.ops.runs import FROM, MOST, SAFE, TAKEN_UP, Seen, find_run, runs_in, shows_life
from registry.home import Settings
from registry.store.registry import Registry

BACK = timedelta(days=1)
_NEWS = timedelta(hours=1)
STUCK = timedelta(minutes=5)
"""A run that a worker has taken, and that shows no sign of life for so long, lost that worker."""


@flow(name="recover", timeout_seconds=300)
def recover(run: RunId | None = None) -> State[list[str]]:
    """
    Start the deployment of a crashed run again, with its parameters: it goes on where its last step was kept.

    Only deployments whose runs are safe to repeat are taken up, each work at most three times in a row, and each
    crash once, however often this is called.

    Args:
        run: Id of the crashed flow run; every one of the last day if empty, and runs that lost their worker
            and their process, which nobody noticed. Then people also hear of what failed, or is late, since an hour.

    Returns:
        What was done, by run.
    """
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        found = (
            [find_run(client, UUID(run))] if run else [*_stuck(client, now), *runs_in(client, ["Crashed"], now - BACK)]
        )
        done = [take_up(client, one) for one in found]
        unheard = [] if run else runs_in(client, BAD, now - _NEWS)  # an event may be lost
    settings = Settings().prepare()
    with Registry.open(settings.registry_url) as registry:
        tell_of(settings, registry, [*found, *unheard], now)
    said = "; ".join(done) or "There is nothing to take up."
    get_run_logger().info("%s", said)
    return Completed(message=said, data=done)


def take_up(client: SyncPrefectClient, run: Seen) -> str:
    """Start the work of *run* again if that is safe; returns what was done, in words."""
    refusal = why_not(run)
    if refusal or run.deployment is None:
        return f"{run.name} is not taken up: {refusal}"
    again = client.create_flow_run_from_deployment(
        run.deployment,
        parameters=run.parameters,
        tags=[*run.own_tags, f"{TAKEN_UP}{run.generation + 1}", f"{FROM}{run.id}"],
        idempotency_key=f"{FROM}{run.id}",
    )
    return f"{run.name} is taken up by {again.name}"


def why_not(run: Seen) -> str:
    """Say why the work of *run* is left, or nothing."""
    if run.kind != "CRASHED":
        return f"it is {run.state}, not crashed"
    if run.deployment is None:
        return "it belongs to no deployment"
    if SAFE not in run.tags:
        return f"runs of {run.flow} are not repeated by themselves"
    if run.generation >= MOST:
        return f"it was taken up {MOST} times in a row"
    return ""


def _stuck(client: SyncPrefectClient, now: datetime) -> list[Seen]:
    """Turn runs that nobody executes into crashed ones."""
    taken = runs_in(client, ["Pending", "Submitting", "Running"], now - BACK)
    lost = [one for one in taken if now - one.since > STUCK and not shows_life(client, one.id, now - STUCK)]
    state: State[None] = State(type=StateType.CRASHED, message="Its worker is gone, and so is its process.")
    for one in lost:
        client.set_flow_run_state(one.id, state)
    return _again(client, lost)


def _again(client: SyncPrefectClient, runs: Sequence[Seen]) -> list[Seen]:
    return [found for one in runs if (found := find_run(client, one.id)).kind == "CRASHED"]
