"""
Rules of Prefect's server that no deployment owns: what happens to runs that crash, fail or are late.

Rules that wake one deployment by an event of ours stand beside it in prefect.yaml. Every rule here is found by its
name, so that applying it twice changes nothing.
"""

from collections.abc import Mapping, Set
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from flows.ops.rule_names import AGAIN, HEAR_OF_CRASHES, HEAR_OF_DELAYS, HEAR_OF_FAILURES, NAMES, STALLED, ZOMBIES
from flows.ops.runs import LATE, OURS, SAFE, TOLD

__all__ = ["NAMES", "ensure_rules", "rules"]

_HEARTBEAT_S = 30
_STALLED = timedelta(seconds=150)  # a process may need a minute to begin where the machine is busy
_MOMENT = timedelta(seconds=30)  # a crash is reported more than once
_QUIET = timedelta(hours=1)  # failures and delays come with every schedule; more than one alert an hour helps nobody
_RUN, _DEPLOYMENT, _SAID = "prefect.resource.id", "related:deployment:prefect.resource.id", "prefect.state-message"


def rules(deployed: Mapping[str, UUID]) -> list[AutomationCore]:
    """
    List every rule.

    Args:
        deployed: Ids of the deployments by full name.
    """
    return [
        _zombies(),
        _stalled(),
        _wakes(AGAIN, {"Crashed"}, SAFE, deployed["recover/recover-every-10-minutes"]),
        _wakes(HEAR_OF_CRASHES, {"Crashed"}, TOLD, deployed["alert/alert-on-demand"]),
        _wakes(
            HEAR_OF_FAILURES,
            {"Failed", "TimedOut"},
            TOLD,
            deployed["alert/alert-on-demand"],
            each={_DEPLOYMENT, _SAID},  # a form that was refused must not silence a fault
            quiet=_QUIET,
        ),
        _wakes(HEAR_OF_DELAYS, {LATE}, TOLD, deployed["alert/alert-on-demand"], each={_DEPLOYMENT}, quiet=_QUIET),
    ]


def ensure_rules(client: SyncPrefectClient, deployed: Mapping[str, UUID]) -> None:
    """Create or update every rule."""
    for rule in rules(deployed):
        known = client.read_automations_by_name(rule.name)
        if known:
            client.update_automation(known[0].id, rule)
        else:
            client.create_automation(rule)


def _zombies() -> AutomationCore:
    """Turn runs whose process and worker are both gone into Crashed; without it they stay Running for ever."""
    return _crashes(
        ZOMBIES, {"heartbeat"}, timedelta(seconds=3 * _HEARTBEAT_S), "No heartbeat: process and worker are gone."
    )


def _stalled() -> AutomationCore:
    """
    Turn runs of ours into Crashed that a worker took and nobody executes.

    Their worker was killed before the first heartbeat; without it they hold their deployment's slot for ever.
    """
    ours: dict[str, str | list[str]] = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{OURS}"}
    return _crashes(
        STALLED, {"Pending", "Submitting", "Running"}, _STALLED, "It never began: its worker is gone.", ours
    )


def _crashes(
    name: str, after: set[str], within: timedelta, message: str, related: dict[str, str | list[str]] | None = None
) -> AutomationCore:
    """Turn a run into Crashed that shows no sign of life after these."""
    return AutomationCore(
        name=name,
        trigger=EventTrigger(
            after={f"prefect.flow-run.{sign}" for sign in after},
            expect={"prefect.flow-run.*"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related=related or {},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=message, force=False)],
    )


def _wakes(
    name: str,
    states: set[str],
    tag: str,
    deployment: UUID,
    *,
    each: Set[str] = frozenset({_RUN}),
    quiet: timedelta = _MOMENT,
) -> AutomationCore:
    """Hand a run with this tag to a deployment; of those that are alike in *each*, one in *quiet*."""
    return AutomationCore(
        name=name,
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in states},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{tag}"},
            for_each=set(each),
            posture=Posture.Reactive,
            threshold=1,
            within=quiet,
        ),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=deployment,
                parameters={"run": "{{ flow_run.id | string }}"},
                job_variables=None,
            )
        ],
    )
