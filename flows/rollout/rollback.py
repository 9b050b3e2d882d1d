"""The flow `rollback`: give all callers back, now."""

from datetime import datetime

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.config.forms import FROM_THE_FORM, Actor, ModelName, Reason, VersionName
from flows.config.load import named_model
from flows.notify import Message
from flows.rollout.announce import announce_foreign_end
from flows.rollout.desk import Desk, artifact_key, moment, opened
from flows.tracking.tracker import Tracker
from registry.errors import StoreUnavailable
from registry.home import Settings
from registry.records.plan import CHAMPION, TrafficPlan


@flow(name="rollback", flow_run_name="{model}")
def rollback(
    model: ModelName | None = None,
    actor: Actor = FROM_THE_FORM,
    reason: Reason = "asked for in the Prefect UI",
    to: VersionName | None = None,
    as_of: datetime | None = None,
) -> dict[str, str]:
    """
    Take the challenger off, or bring an earlier champion back.

    Args:
        model: Name of the model; the only one there is if empty.
        actor: Who wants it; written into the audit trail.
        reason: Why; people read it in the incident's message.
        to: Version to bring back; the one before if absent and nothing is being rolled out.
        as_of: On the model's clock; now if absent.
    """
    at = moment(as_of)
    with opened(Settings()) as desk:
        model = named_model(model, desk.settings)
        plan = take_back(desk, model, actor=actor, reason=reason, to=to or None, at=at)
        said = f"{plan.version_of(CHAMPION)} answers everybody by plan {plan.epoch}"
        tell(desk, model, f"{said}. By {actor}: {reason}", at)
        get_run_logger().info("%s: %s", model, said)
        create_markdown_artifact(f"# {model}: rolled back\n\n{said}.\n\nBy {actor}: {reason}", key=_key(model))
        return {"model": model, "champion": plan.version_of(CHAMPION), "epoch": str(plan.epoch), "said": said}


def take_back(desk: Desk, model: str, *, actor: str, reason: str, to: str | None, at: datetime) -> TrafficPlan:
    """Roll back in the registry; if it is away, the router does it by itself."""
    try:
        plan = desk.registry.roll_back(model, to=to, actor=actor, reason=reason, at=at)
    except StoreUnavailable:
        plan = desk.client.rollback(model, actor=actor, reason=reason, to=to)
    champion = plan.version_of(CHAMPION)
    Tracker.of(desk.settings, model).note_deployment(model, champion, "rollback", reason, actor, at)
    return plan


def tell(desk: Desk, model: str, said: str, at: datetime) -> None:
    """Tell people; a registry that is away keeps nobody from hearing of it."""
    try:
        known = announce_foreign_end(desk, model, at)
    except StoreUnavailable:
        known = None
    if known is None:
        desk.tell(model, Message(title=f"{model}: rolled back", body=said, level="warning"))


def _key(model: str) -> str:
    return artifact_key("rollback", model)
