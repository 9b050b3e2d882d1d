"""The flow `retrain`: make a challenger, judge it, begin its rollout."""

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.states import Cancelled, Failed

from flows.client import RouterClient
from flows.client.ending import ended
from flows.client.patience import JITTER, may_pass
from flows.config.forms import FROM_THE_FORM, Actor, EventId, ModelName, Moment, Note
from flows.config.load import named_model, registered_config
from flows.data.gather import extract
from flows.errors import FlowsError
from flows.rollout.desk import artifact_key
from flows.tracking.launch import send_soon
from flows.training.errors import CancelledByPeople, TimedOut
from flows.training.first import clock_of
from flows.training.politeness import be_polite
from flows.training.progress import Outlook, Progress, heard, time_text
from flows.training.rebuild import rebuilt
from flows.training.retraining import Asked, Retraining, run_retraining
from flows.training.shop import Shop
from flows.training.smart import kept_waiting
from flows.training.summary import summary
from registry.artifacts import ArtifactStore
from registry.errors import Refusal
from registry.home import Settings
from registry.records.base import utc
from registry.records.retraining import TriggerType
from registry.store.registry import Registry

T = TypeVar("T")
STRIDE = 2.0  # percent between two updates of the progress artifact


def run_name() -> str:
    """Name the run by model and event."""
    said = runtime.flow_run.parameters
    return f"{said.get('model') or 'all'}-{said.get('event_id') or said.get('trigger') or 'manual'}"


@flow(name="retrain", flow_run_name=run_name)
def retrain(
    model: ModelName | None = None,
    event_id: EventId | None = None,
    trigger: TriggerType = "manual",
    reason: Note = "",
    actor: Actor = FROM_THE_FORM,
    as_of: Moment | None = None,
    force: bool = False,
    full: bool = False,
) -> Any:
    """
    Retrain one model, or every registered one.

    Args:
        model: Name of the model; that of the event, or every registered one, if empty. An emergency is of one.
        event_id: Retraining event that asked for it; a new one is written if absent. That of a retraining which was
            killed goes on with what it had finished.
        trigger: Kind of a new event. Whoever asks by hand chooses manual, or emergency, which is logged as CRITICAL;
            neither waits for the cool-down, both wait for the end of a rollout.
        reason: Why; written into the log, and into the audit trail.
        actor: Who asked for it; written beside the reason.
        as_of: On the model's clock, not in the future; now if absent.
        force: Roll an active rollout back first, instead of refusing.
        full: Rebuild: all rows there are stand beside the configured window, and the better memory wins.

    Returns:
        What came of it, by model.
    """
    if runtime.deployment.id is not None:  # a process of our own; one that somebody else runs is left alone
        be_polite()
    settings, at = Settings().prepare(), utc(as_of) if as_of else None
    asked = Asked(event_id or None, trigger, reason, actor)
    with Registry.open(settings.registry_url) as registry, RouterClient(settings, actor="training") as client:
        try:
            names = _names(registry, settings, model, asked)
            done = _each(
                names,
                lambda name: _shop(name, settings, registry, client, at, full=full),
                lambda shop: (
                    kept_waiting(shop, asked, rebuild=full, everybody=not model, now=datetime.now(UTC))
                    or _one(shop, asked, force=force)
                ),
            )
            return ended(done, _said(done))
        except TimedOut as ending:
            return Failed(name="TimedOut", message=str(ending), data=ending)
        except CancelledByPeople as ending:
            return Cancelled(message=str(ending), data=ending)
        finally:
            send_soon(settings)


def _said(done: Mapping[str, Mapping[str, Any]]) -> str:
    each = [f"{model}: {one['said']}" for model, one in done.items()]
    return " ".join(each) or "There is no model to retrain."


def _names(registry: Registry, settings: Settings, model: str | None, asked: Asked) -> list[str]:
    if model:
        return [model]
    if asked.event_id:
        return [registry.retraining_event(asked.event_id).model]
    return [named_model(None, settings)] if asked.trigger == "emergency" else registry.models()


def _each(names: list[str], open_shop: Callable[[str], Shop], work: Callable[[Shop], dict[str, Any]]) -> dict[str, Any]:
    """One model after the other; one that is refused does not hold up the next."""
    done: dict[str, Any] = {}
    failures: dict[str, Refusal] = {}
    for name in names:
        try:
            done[name] = work(open_shop(name))
        except CancelledByPeople:
            raise
        except Refusal as refusal:
            failures[name] = refusal
    _raise(failures)
    return done


def _shop(
    model: str, settings: Settings, registry: Registry, client: RouterClient, at: datetime | None, *, full: bool
) -> Shop:
    config = registered_config(model, settings)
    config = rebuilt(config) if full else config
    return Shop(
        config=config,
        settings=settings,
        registry=registry,
        artifacts=ArtifactStore(settings.models_dir),
        extract=lambda contract, as_of: extract(config, settings, client, contract=contract, as_of=as_of),
        clock=clock_of(at),
        progress=_reporter(model),
        step=as_task,
        cancelled=_is_cancelled,
        announce=_announce,
    )


def _one(shop: Shop, asked: Asked, *, force: bool) -> dict[str, Any]:
    done = run_retraining(
        shop, event_id=asked.event_id, trigger=asked.trigger, reason=asked.reason, actor=asked.actor, force=force
    )
    get_run_logger().info("%s: %s", shop.model, done.said)
    create_markdown_artifact(_summary(shop, done), key=artifact_key("retrain", shop.model), description=done.said)
    return done.to_dict()


def _summary(shop: Shop, done: Retraining) -> str:
    with contextlib.suppress(Refusal):
        return summary(shop, done)
    return done.said


def as_task(name: str, work: Callable[[], T], *, retries: int = 0) -> T:
    """Run a coarse step as a Prefect task; only what may pass by itself is tried again."""

    def run() -> T:
        return work()

    lifted = task(
        name=name,
        retries=retries,
        retry_delay_seconds=[2.0, 10.0, 30.0][:retries],
        retry_jitter_factor=JITTER,
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(run)
    return lifted()


def _may_pass(ran: object, run: object, state: Any) -> bool:
    """A server may come back; who has ended it means it."""
    try:
        state.result()
    except (TimedOut, CancelledByPeople):
        return False
    except Exception:  # noqa: BLE001  whatever a step may raise
        return may_pass(ran, run, state)
    return False


def _reporter(model: str) -> Progress:
    """Show the share done as a progress artifact, in strides; and tell whoever listens in this process."""
    shown: list[tuple[UUID, float]] = []
    outlook = Outlook()

    def report(share: float, doing: str) -> None:
        heard(share, doing)
        percent = round(100 * share, 1)
        said = ", ".join(part for part in (doing, time_text(outlook.left(share)) if share < 1 else "") if part)
        if not shown:
            key = artifact_key("retrain-progress", model)
            shown.append((cast(UUID, create_progress_artifact(percent, key=key, description=said)), percent))
        elif percent - shown[-1][1] >= STRIDE:
            update_progress_artifact(shown[0][0], percent, description=said)
            shown[:] = [(shown[0][0], percent)]

    return report


def _is_cancelled() -> bool:
    """Ask the server whether somebody has cancelled this run; one that does not answer has not said so."""
    run_id = runtime.flow_run.id
    if run_id is None:
        return False
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(run_id)).state
    except Exception:  # noqa: BLE001  a training does not end because a server does
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _announce(event: str, payload: Mapping[str, Any]) -> None:
    """A wake-up for other programs; what has happened is in the registry."""
    model = payload["model"]
    resource = {"prefect.resource.id": f"understudy.model.{model}", "prefect.resource.name": model}
    emit_event(event, resource=resource, payload=dict(payload))


def _raise(failures: dict[str, Refusal]) -> None:
    if len(failures) == 1:
        (only,) = failures.values()
        raise only
    if failures:
        why = "; ".join(f"{name}: {refusal}" for name, refusal in failures.items())
        raise FlowsError("Some models were not retrained.", why, "Mend the models named; the others are done.")
