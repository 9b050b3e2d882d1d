"""Runs of our deployments, as Prefect's server knows them."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import Flow, FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from registry.errors import NotFound

OURS = "understudy"
"""Tag of every deployment of ours."""
SAFE = "repeatable"
"""Tag of deployments whose crashed runs are taken up again by themselves."""
TOLD = "alerting"
"""Tag of deployments of whose crashed, failed and late runs people hear."""
TAKEN_UP = "taken-up:"
FROM = "taken-up-from:"
LATE = "Late"
"""Name that Prefect gives the state of a run which nobody began when it was due."""
MOST = 3
"""How often in a row the work of a crashed run is taken up again."""
_OURS = re.compile(rf"(?:{TAKEN_UP}|{FROM}|auto-scheduled)")


class Seen(NamedTuple):
    """
    One run.

    Attributes:
        flow: Name of its flow.
        deployment: Its id; None if somebody runs the flow by hand.
        model: That it is about; empty for all.
        tags: Of the run, those of its deployment included.
        state: Name and type, e.g. "Crashed", "CRASHED".
        since: When it came into that state.
        due: When it should have begun.
        said: Message of its state.
        by_hand: Whether a person started it, by a form or a command: no schedule, rule or booking did.
        late: Whether nobody began it when it was due, even if it has begun since.
    """

    id: UUID
    name: str
    flow: str
    deployment: UUID | None
    deployment_name: str
    model: str
    parameters: dict[str, Any]
    tags: tuple[str, ...]
    state: str
    kind: str
    since: datetime
    due: datetime | None
    said: str = ""
    by_hand: bool = False
    late: bool = False

    @property
    def generation(self) -> int:
        """How often its work was taken up before."""
        return max((int(tag.removeprefix(TAKEN_UP)) for tag in self.tags if tag.startswith(TAKEN_UP)), default=0)

    @property
    def was_refused(self) -> bool:
        """Whether it ended by a refusal that names the reason and the mend, and not by a fault."""
        return self.kind == "FAILED" and "Why: " in self.said and "Mend: " in self.said

    @property
    def own_tags(self) -> list[str]:
        """Those that a successor takes over."""
        return [tag for tag in self.tags if not _OURS.match(tag)]


def find_run(client: SyncPrefectClient, run: UUID) -> Seen:
    """
    Look one run up, with its past.

    Raises:
        NotFound: If the server does not know it.
    """
    try:
        found = Lookup(client).seen(client.read_flow_run(run))
    except ObjectNotFound as error:
        why, mend = "Prefect's server does not know it.", "Copy the id of a flow run from its page."
        raise NotFound(f"There is no run {run}.", why, mend) from error
    return found._replace(late=found.late or any(state.name == LATE for state in client.read_flow_run_states(run)))


def runs_in(client: SyncPrefectClient, states: Iterable[str], since: datetime) -> list[Seen]:
    """List runs of ours that are in one of *states* and were due since a moment, the newest first."""
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(name=FlowRunFilterStateName(any_=list(states))),
            expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"after_": since}),
        ),
        limit=200,
    )
    lookup = Lookup(client)
    return [lookup.seen(run) for run in found if run.deployment_id is not None]


def shows_life(client: SyncPrefectClient, run: UUID, since: datetime) -> bool:
    """Whether anything has been heard of a run since a moment, e.g. a heartbeat."""
    wanted = {
        "resource": {"id": [f"prefect.flow-run.{run}"]},
        "occurred": {"since": since.isoformat()},
    }
    answer = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1})
    return bool(answer.json()["events"])


class Lookup:
    """What runs belong to; each deployment and each flow is asked for once."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self._deployment: Callable[[UUID], DeploymentResponse] = cache(client.read_deployment)
        self._flow: Callable[[UUID], Flow] = cache(client.read_flow)

    def seen(self, run: FlowRun) -> Seen:
        """Describe *run*; one whose deployment was removed since belongs to none."""
        state = run.state or State.model_validate({"type": "PENDING"})
        deployment = self._owner(run)
        model = run.parameters.get("model")
        return Seen(
            id=run.id,
            name=run.name,
            flow=self._flow(run.flow_id).name,
            deployment=run.deployment_id if deployment else None,
            deployment_name=deployment.name if deployment else "",
            model=model if isinstance(model, str) else "",
            parameters=dict(run.parameters),
            tags=tuple(run.tags),
            state=state.name or str(state.type.value),
            kind=str(state.type.value),
            since=_plain(state.timestamp),
            due=_plain(run.expected_start_time) if run.expected_start_time else None,
            said=state.message or "",
            by_hand=_by_hand(run, deployment.tags if deployment else ()),
            late=state.name == LATE,
        )

    def _owner(self, run: FlowRun) -> DeploymentResponse | None:
        try:
            return self._deployment(run.deployment_id) if run.deployment_id else None
        except ObjectNotFound:
            return None


def _plain(moment: datetime) -> datetime:
    """Prefect's are of pendulum, whose differences cannot be divided by ours."""
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _by_hand(run: FlowRun, tags: Iterable[str]) -> bool:
    """What books a run names its purpose in a tag of its own; a rule is named as the creator."""
    return not run.auto_scheduled and run.created_by is None and set(run.tags) <= set(tags)
